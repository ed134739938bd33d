# SPDX-License-Identifier: Apache-2.0
"""What a question says of the forms: interval, zone, names, links, and what is told apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Literal

from fleutan.errors import UsageError
from fleutan.fields import PROTOS

#: IP's number of a protocol by its word.  MPTCP is a number of the socket API only: on the wire it is TCP.
NUMBERS = {word: number for number, word in PROTOS.items() if number < 256} | {"mptcp": 6}
#: Most that ``ethertypes`` tells apart, the rest included.
MOST_ETHERTYPES = 15

Ports = Mapping[tuple[int, str], str]


@dataclass(frozen=True)
class Options:
    """How Tables are written; every form takes of it what concerns it.

    ``interval_ns`` is the length of the measurement interval (0: 1 s, of ``topaddr`` 5 s), which
    rates are made with; ``zone`` that of dates (None: this system's); ``url`` and ``url_args``
    where an address in HTML leads; ``names`` those of ports; ``include`` numbers of protocols that
    ``protocol`` tells apart besides its own; ``ethertypes`` those that ``ethtypes`` tells apart;
    ``side`` whose addresses ``topaddr`` ranked; ``link_types`` all that packets have, where
    that is known before.  ``left_out`` counts rows that were not written, by why.
    """

    interval_ns: int = 0
    zone: tzinfo | None = UTC
    url: str = ""
    url_args: tuple[str, ...] = ()
    names: Ports = field(default_factory=dict)
    include: tuple[int, ...] = ()
    ethertypes: tuple[int, ...] = (0x0800, 0x0806, 0x86DD)
    side: Literal["src", "dst", "both"] = "dst"
    link_types: tuple[int, ...] = ()
    left_out: Counter[str] = field(default_factory=Counter)

    def seconds(self, default: int = 1) -> float:
        """The interval in seconds."""
        return self.interval_ns / 1e9 if self.interval_ns > 0 else float(default)

    def leave(self, why: str, rows: int) -> None:
        """Counts rows that are not written."""
        if rows:
            self.left_out[why] += rows


def port_names(arguments: Iterable[str]) -> dict[tuple[int, str], str]:
    """Names of ports from ``80=tcp,Web``.  Raises UsageError that quotes what is not written so."""
    found = {}
    for argument in arguments:
        port, _, rest = argument.partition("=")
        proto, comma, name = rest.partition(",")
        number = port.strip()
        if not (number.isascii() and number.isdecimal() and comma and proto.strip() and name.strip()):
            raise UsageError(f"a port's name is written PORT=PROTO,NAME, as in 80=tcp,Web, not {argument[:60]!r}")
        if len(number) > 5 or int(number) > 65535:
            raise UsageError(f"{number[:20]} is no port: 65535 is the last")
        found[int(number), proto.strip().lower()] = name.strip()
    return found


def proto_number(word: str | None) -> int | None:
    """IP's number of a protocol; None where there is none."""
    if word is None or word in NUMBERS:
        return NUMBERS.get(word or "")
    number = word.removeprefix("proto-")
    return int(number) if number.isascii() and number.isdecimal() and len(number) <= 3 and int(number) < 256 else None


def proto_word(number: int) -> str:
    """The catalogue's word of a protocol by IP's number."""
    return PROTOS.get(number, f"proto-{number}")


def included(text: str) -> tuple[int, ...]:
    """Numbers of the protocols that are named, by comma.  Raises UsageError for what is no protocol."""
    numbers = []
    for word in filter(None, (part.strip().lower() for part in text.split(","))):
        number = proto_number(word if not word.isdecimal() else f"proto-{word}")
        if number is None:
            raise UsageError(f"include={word[:40]}: say a protocol by its name, or its number up to 255")
        numbers.append(number)
    return tuple(numbers)
