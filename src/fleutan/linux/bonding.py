# SPDX-License-Identifier: Apache-2.0
"""The systems that ports of a bond speak LACP with, as /proc/net/bonding shows them.

Only those who may administrate the network see them.  States of ports are in rtnetlink's answer
(``devices``), counts of LACP's packets too (``linkstats``).
"""

from __future__ import annotations

from typing import NamedTuple


class Port(NamedTuple):
    """The addresses of this system and of the partner's, as LACP has them; None where not told."""

    actor: bytes | None = None
    partner: bytes | None = None


def ports(text: bytes) -> dict[str, Port]:
    """Ports by the name of their device, from a bond's file (``bond_info_seq_show``).

    Ports of kernels that do not tell of each (before 3.19) have the systems of the bond.
    """
    bond, *slaves = _sections(text.decode("utf-8", "replace"))
    common = Port(_mac(bond.get("System MAC address")), _mac(bond.get("Partner Mac Address")))
    return {
        slave["Slave Interface"]: Port(
            _mac(slave.get("actor system mac address")) or common.actor,
            _mac(slave.get("partner system mac address")) or common.partner,
        )
        for slave in slaves
    }


def _sections(text: str) -> list[dict[str, str]]:
    """The bond's own lines, and those of each port, as names and values."""
    sections: list[dict[str, str]] = [{}]
    side = ""
    for line in text.splitlines():
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not colon:
            continue
        if name == "Slave Interface":
            sections.append({})
        if name.startswith("details "):  # of the actor's, then of the partner's lacp pdu, whose lines are indented
            side = f"{name.split()[1]} " if len(name.split()) > 1 else ""
        elif not line.startswith(" "):
            side = ""
        sections[-1].setdefault(side + name, value)
    return sections


def _mac(text: str | None) -> bytes | None:
    """Six octets; the address of nobody is none."""
    try:
        octets = bytes.fromhex((text or "").replace(":", ""))
    except ValueError:
        return None
    return octets if len(octets) == 6 and any(octets) else None
