# SPDX-License-Identifier: Apache-2.0
"""Which of a host's addresses is the agent's, and by which rule; it stays as long as it can.

The order is hsflowd's, but that an address which is good for more than its own link stays when a
better one comes: collectors know an agent by its address.  Pure; the addresses come in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

from fleutan.config.agents import Prefix
from fleutan.config.sections import Agent
from fleutan.sources.addresses import Address

#: RFC 1918, and RFC 6598, which hsflowd takes for global: it is what overlay networks give each host.
_PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
_UNIQUE_LOCAL, _RESERVED = ip_network("fc00::/7"), ip_network("240.0.0.0/4")

#: The kinds of addresses, the best first; those from LINK_LOCAL on give way when a better one comes.
KINDS = (
    "IPv4 global",
    "IPv4 private",
    "IPv6 global",
    "IPv6 unique-local",
    "IPv4 of a VLAN",
    "IPv6 of a VLAN",
    "IPv6 link-local",
    "IPv4 self-assigned",
    "IPv4 loopback",
    "IPv6 loopback",
    "IPv4 reserved",
)
_LINK_LOCAL = KINDS.index("IPv6 link-local")


class Elected(NamedTuple):
    """The agent's address, its device (empty if no device has it), and why, as the end of a sentence."""

    address: IPv4Address | IPv6Address
    device: str
    why: str

    def __str__(self) -> str:
        return f"{self.address}{f' ({self.device})' if self.device else ''}: {self.why}"


class _Merits(NamedTuple):
    """What speaks for an address; the least is the best."""

    is_elsewhere: bool
    preference: int
    kind: int
    deprecated: bool
    temporary: bool
    automatic: bool
    ifindex: int
    place: int


#: How it is said that a merit decided, where it is not the kind or a preference.
_SAID = {
    "deprecated": "it is not deprecated",
    "temporary": "it is not temporary",
    "automatic": "it was not given by a router",
    "ifindex": "its ifIndex is the lowest",
    "place": "it was found first",
}


def elect(agent: Agent, addresses: Iterable[Address], held: Elected | None = None) -> Elected | None:
    """The agent's address; None where there is none at all.

    ``held`` is what was elected before under the same settings.
    """
    known = [*addresses]
    if agent.address is not None:
        return _said(agent.address, known)
    ranked = sorted(
        (_merits(agent, one, place), one) for place, one in enumerate(known) if one.usable and _kind(one) is not None
    )
    if not ranked:
        return None
    best, first = ranked[0]
    for merits, one in ranked:
        if held is not None and one.address == held.address and _stays(merits, best):
            return held if one.device == held.device else held._replace(device=one.device)
    others = [(merits, one) for merits, one in ranked[1:] if one.address != first.address]
    return Elected(first.address, first.device, _why(agent, ranked[0], others[0] if others else None))


def _said(text: str, known: Sequence[Address]) -> Elected:
    address = ip_address(text)
    device = next((one.device for one in known if one.address == address), "")
    return Elected(address, device, "address says so" + ("" if device else ", though no device has it"))


def _stays(held: _Merits, best: _Merits) -> bool:
    """Whether the address goes on though another would be elected now."""
    asked_for = held[: _Merits._fields.index("kind")]
    return asked_for == best[: len(asked_for)] and (held.kind < _LINK_LOCAL or held.kind == best.kind)


def _merits(agent: Agent, one: Address, place: int) -> _Merits:
    kind = _kind(one)
    assert kind is not None  # noqa: S101  # who calls has looked
    is_elsewhere = agent.device is not None and one.device != agent.device
    preference = _preference(agent.prefer, one)
    return _Merits(is_elsewhere, preference, kind, one.deprecated, one.temporary, one.automatic, one.ifindex, place)


def _match(prefer: Sequence[Prefix], address: IPv4Address | IPv6Address) -> Prefix | None:
    """The longest of the networks that have it; hsflowd takes the last."""
    found = [one for one in prefer if one.network.version == address.version and address in one.network]
    return max(found, key=lambda one: one.network.prefixlen, default=None)


def _preference(prefer: Sequence[Prefix], one: Address) -> int:
    found = _match(prefer, one.address)
    if found is None:
        return len(prefer)
    return len(prefer) + 1 if found.demoted else prefer.index(found)


def _kind(one: Address) -> int | None:
    """The kind of an address by its place in KINDS; None for what nobody can be known by."""
    address = one.address
    if address.is_multicast or address.is_unspecified:
        return None
    name = _of_four(address, one) if isinstance(address, IPv4Address) else _of_six(address, one)
    return KINDS.index(name)


def _of_four(address: IPv4Address, one: Address) -> str:
    if one.loopback or address.is_loopback:
        return "IPv4 loopback"
    if address.is_link_local:
        return "IPv4 self-assigned"
    if one.kind == "vlan":
        return "IPv4 of a VLAN"
    if address in _RESERVED:
        return "IPv4 reserved"
    return "IPv4 private" if any(address in network for network in _PRIVATE) else "IPv4 global"


def _of_six(address: IPv6Address, one: Address) -> str:
    if one.loopback or address.is_loopback:
        return "IPv6 loopback"
    if address.is_link_local:
        return "IPv6 link-local"
    if address in _UNIQUE_LOCAL:
        return "IPv6 unique-local"
    return "IPv6 of a VLAN" if one.kind == "vlan" else "IPv6 global"


Ranked = tuple[_Merits, Address]


def _why(agent: Agent, best: Ranked, second: Ranked | None) -> str:
    """What decided, by comparison with the next one."""
    merits, one = best
    kind = KINDS[merits.kind]
    if agent.device is not None and merits.is_elsewhere:
        return f"{kind}; {agent.device}, which device says, has none"
    if second is None:
        return f"{kind}, the only one"
    other = second[1]
    name = next(name for name in _Merits._fields if getattr(merits, name) != getattr(second[0], name))
    against = f"unlike {other.address} ({other.device})"
    if name == "is_elsewhere":
        return f"{kind} of {agent.device}, which device says"
    if name == "preference":
        found = _match(agent.prefer, one.address)
        return (
            f"{kind} in {found}, which prefer has" if found else f"{kind}; prefer has {against.split(' ', 1)[1]} last"
        )
    if name == "kind":
        return f"{kind}, which goes before {KINDS[second[0].kind]}"
    return f"{kind}; {_SAID[name]}, {against}"
