# SPDX-License-Identifier: Apache-2.0
"""NetFlow and IPFIX into flow columns: records a CPU-second, by version and template.

``python bench/netflow.py [records]``.  Datagrams are made here, of 1,400 octets, from a hundred
exporters in turn; a batch is what one reading of a socket brings.  Timed is all from datagrams to
columns.  Only ratios carry over to another machine.
"""

from __future__ import annotations

import struct
import sys
import time
from collections.abc import Iterator

import numpy as np

from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.netflow.decoding import decode
from fleutan.protocols.netflow.exporters.state import State
from fleutan.protocols.netflow.flows import flows
from fleutan.protocols.spans import joined

BAR = 2_000_000
ROUNDS, EXPORTERS, BATCH, ROOM = 3, 100, 1_024, 1_400
SECONDS = 1_700_000_000

Specifiers = tuple[tuple[int, int], ...]
# What routers send by default: IPv4 and IPv6 with the times of version 9 and those of IPFIX.
COMMON: Specifiers = ((10, 4), (14, 4), (4, 1), (5, 1), (6, 1), (7, 2), (11, 2), (16, 4), (17, 4), (61, 1))
COUNTS: Specifiers = ((1, 4), (2, 4), (22, 4), (21, 4))
TIMES: Specifiers = ((1, 8), (2, 8), (152, 8), (153, 8))
FOUR: Specifiers = ((8, 4), (12, 4), (15, 4), (9, 1), (13, 1))
SIX: Specifiers = ((27, 16), (28, 16), (62, 16), (29, 1), (30, 1))
VARIABLE: Specifiers = (*FOUR, *TIMES, *COMMON, (96, 0xFFFF))

#: title, version, templates
CASES: tuple[tuple[str, int, tuple[Specifiers, ...]], ...] = (
    ("version 5", 5, ()),
    ("version 9, IPv4", 9, ((*FOUR, *COUNTS, *COMMON),)),
    ("version 9, IPv4 and IPv6 in turn", 9, ((*FOUR, *COUNTS, *COMMON), (*SIX, *COUNTS, *COMMON))),
    ("IPFIX, IPv4", 10, ((*FOUR, *TIMES, *COMMON),)),
    ("IPFIX, eight templates", 10, tuple((*FOUR, *TIMES, *COMMON[: 10 - cut]) for cut in range(8))),
    ("IPFIX, with a name of its own length", 10, (VARIABLE,)),
)


def body(specifiers: Specifiers, count: int, chance: np.random.Generator) -> bytes:
    sizes = [size for _, size in specifiers if size != 0xFFFF]
    record = sum(sizes)
    octets = chance.integers(0, 100, (count, record), np.uint8)
    if any(size == 0xFFFF for _, size in specifiers):
        name = np.frombuffer(b"\x0bapplication", np.uint8)
        octets = np.concatenate((octets, np.tile(name, (count, 1))), 1)
    return octets.tobytes()


def with_header(version: int, content: bytes, count: int, sequence: int) -> bytes:
    if version == 5:
        return struct.pack("!HHIIIIHH", 5, count, 10**6, SECONDS, 0, sequence, 0, 1000) + content
    if version == 9:
        return struct.pack("!HHIIII", 9, count, 10**6, SECONDS, sequence, 7) + content
    return struct.pack("!HHIII", 10, 16 + len(content), SECONDS, sequence, 7) + content


def template(version: int, number: int, specifiers: Specifiers) -> bytes:
    fields = b"".join(struct.pack("!HH", *one) for one in specifiers)
    content = struct.pack("!HH", number, len(specifiers)) + fields
    return with_header(version, struct.pack("!HH", 0 if version == 9 else 2, len(content) + 4) + content, 1, 0)


def strings(version: int, templates: tuple[Specifiers, ...], records: int) -> Iterator[tuple[bytes, int]]:
    chance = np.random.default_rng(1)
    made = 0
    while made < records:
        for number, specifiers in enumerate(templates or (((0, 48),),), 256):
            record = sum(12 if size == 0xFFFF else size for _, size in specifiers)
            count = (ROOM - 28) // record
            content = body(specifiers, count, chance)
            if version != 5:
                content = struct.pack("!HH", number, len(content) + 4) + content
            yield with_header(version, content, count, made), count
            made += count


def received(these: list[bytes]) -> Datagrams:
    spans = joined(these)
    rows = np.arange(len(these))
    source = np.stack((np.zeros_like(rows), 0xFFFF_0A00_0000 + rows % EXPORTERS), 1)
    return Datagrams(spans, spans.sizes, source, rows * 0 + 2055, source, rows * 0 + 2055, rows * 0 + SECONDS * 10**9)


def measure(version: int, templates: tuple[Specifiers, ...], records: int) -> float:
    made = list(strings(version, templates, records))
    batches = [received([one for one, _ in made[at : at + BATCH]]) for at in range(0, len(made), BATCH)]
    best = 0.0
    for _ in range(ROUNDS):
        state = State()
        for number, specifiers in enumerate(templates, 256):
            decode(received([template(version, number, specifiers)] * EXPORTERS), state)
        began, rows = time.process_time(), 0
        for batch in batches:
            rows += flows(decode(batch, state)).rows
        best = max(best, rows / (time.process_time() - began))
        assert rows == sum(count for _, count in made)
    return best


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 600_000
    for title, version, templates in CASES:
        speed = measure(version, templates, wanted)
        print(f"{title:<40} {speed / 1e6:6.2f} million records a CPU-second")
    print(f"the bar for fixed lengths is {BAR / 1e6:.0f} million")
