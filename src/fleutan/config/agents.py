# SPDX-License-Identifier: Apache-2.0
"""What the agent is told, beyond numbers and texts: rates, taps, prefixes, places, and how each is written as text.

The same whether TOML or hsflowd.conf says it; what TOML has for them is known in ``agentkeys``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple

from fleutan.config.values import shown

#: No rate beyond one in so many is meant, as in hsflowd.
MOST = 10_000_000
_FACTORS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
#: Of a host name or a label (RFC 1123, and underscores, which the DNS has).
_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?")


class Prefix(NamedTuple):
    """A network whose addresses are preferred as the agent's own, or come last if they are ``demoted``."""

    network: IPv4Network | IPv6Network
    demoted: bool = False

    def __str__(self) -> str:
        return f"{'!' * self.demoted}{self.network}"


class Place(NamedTuple):
    """An address of this host and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Application(NamedTuple):
    """What is said of an application that sends its own figures; None is as for all."""

    sampling: int | None = None
    polling: int | None = None


@dataclass(frozen=True)
class Sampling:
    """One packet in how many, by what is known of an interface; what of it counts is known in ``programs.agent.rates``.

    ``speeds`` are rates by bits a second, ``devices`` by shell patterns of names, the first that fits.
    ``bps_ratio`` are bits a second for each one of the rate: None is the rule that goes without saying,
    0 is none at all.
    """

    default: int = 400
    bps_ratio: int | None = None
    speeds: Mapping[int, int] = field(default_factory=dict)
    devices: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Tap:
    """Devices of which packets are sampled, or are not if it is ``excluded``: all that fit each condition said.

    ``device`` is a shell pattern, ``pattern`` a regular expression that is found anywhere in the name,
    ``speed`` bits a second from and to.  ``sampling`` is a rate of their own, which only hsflowd.conf
    says here; TOML says it in ``Sampling.devices``.
    """

    device: str = ""
    pattern: str = ""
    speed: tuple[int, int] | None = None
    sampling: int | None = None
    promiscuous: bool = False
    excluded: bool = False


def refused(value: Any, noun: str) -> ValueError:
    """The error that a value is not what the noun says."""
    return ValueError(f"{shown(value)} is not {noun}")


def bits(text: str) -> int:
    """Bits a second of ``10G``, ``2.5G`` or ``100000000``.  Raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,18})(?:\.([0-9]{1,9}))?([KMGTPkmgtp]?)", text)
    found = int(match[1] + (match[2] or "")) * _FACTORS[match[3].upper()] if match else 0
    part = 10 ** len(match[2] or "") if match else 1
    if match is None or found % part or found // part >= 1 << 63:
        raise refused(text, "a speed in bits a second, as 10G (K, M, G, T or P)")
    return found // part


def host_name(text: Any) -> str:
    """An IP address or a name, as it is; an address may have a zone.  Raises ValueError."""
    if isinstance(text, str) and len(text) <= 253:
        try:
            return str(ip_address(text))
        except ValueError:
            if all(len(label) < 64 and _NAME.fullmatch(label) for label in text.removesuffix(".").split(".")):
                return text
    raise refused(text, "a host name or an IP address")


def device_name(text: Any) -> str:
    """A device's name (dev_valid_name in net/core/dev.c).  Raises ValueError."""
    if isinstance(text, str) and 0 < len(text.encode()) < 16 and text.isprintable() and not re.search(r"[\s/:]", text):
        return text
    raise refused(text, "a device's name")


def domain_name(text: Any) -> str:
    """A domain, without dots at its ends; empty is the host's own.  Raises ValueError."""
    if isinstance(text, str) and not (bare := text.strip(".")):
        return bare
    return host_name(text.strip(".") if isinstance(text, str) else text)


def application_name(text: Any) -> str:
    """The name of an application, as ``app.shop``.  Raises ValueError."""
    if isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9_.-]{1,255}", text):
        return text
    raise refused(text, "an application's name (letters, digits, _ - and dots)")


def prefix(text: Any) -> Prefix:
    """``10.0.0.0/8``, or ``!10.0.0.0/8``, which is demoted.  Raises ValueError."""
    try:
        if isinstance(text, str):
            return Prefix(ip_network(text.removeprefix("!"), strict=False), text.startswith("!"))
    except ValueError:
        pass
    raise refused(text, "a network, as '10.0.0.0/8', or '!10.0.0.0/8' for one that comes last")


def expression(text: Any) -> re.Pattern[str]:
    """The regular expression.  Raises ValueError that says what is wrong with it."""
    if not isinstance(text, str) or not text:
        raise refused(text, "a regular expression")
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{shown(text)} is not a regular expression: {error}") from None


def span(text: Any) -> tuple[int, int]:
    """Bits a second of ``1G-10G``, ``1G-`` (and faster) or ``10G`` (just that).  Raises ValueError."""
    if not isinstance(text, str):
        raise refused(text, "a range of speeds, as '1G-100G'")
    low, dash, high = text.partition("-")
    found = bits(low), (bits(high) if high else (1 << 63) - 1) if dash else bits(low)
    if found[0] > found[1]:
        raise ValueError(f"{shown(text)} ends before it begins")
    return found
