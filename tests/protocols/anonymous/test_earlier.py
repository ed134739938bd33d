# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest
from tests.protocols.anonymous.keyed import image, made
from tests.protocols.sflow.test_earlier import FLOW, counters, flow

from fleutan.protocols.anonymous import Remembered
from fleutan.protocols.sflow.messages import Message, parse

A4, A6 = bytes.fromhex("c6336407"), bytes(range(32, 48))
HEAD = struct.pack("!II", 7, 1000)
FRAME = bytes.fromhex("4500001c0000000040110000") + A4 + A4 + b"\0\1\0\2\0\x08\xbe\xef"
HEADER = struct.pack("!IIII", 1, 11, 64, len(FRAME)) + FRAME
SAID = (
    struct.pack("!5I", 1, 10, 1, 20, 2),
    struct.pack("!II", 2, 1) + A4 + struct.pack("!II", 24, 16),
    struct.pack("!II", 4, 4) + b"user" + struct.pack("!I", 0),
    struct.pack("!III", 5, 1, 8) + b"/secret/",
)


def datagram(version: int, *samples: bytes, agent: bytes = b"\0\0\0\1" + A4) -> bytes:
    return struct.pack("!I", version) + agent + HEAD + struct.pack("!I", len(samples)) + b"".join(samples)


def read(octets: bytes, remembered: Remembered | None = None) -> Message:
    return parse(made(octets, remembered=remembered)[0])


@pytest.mark.parametrize("version", [2, 4])
@pytest.mark.parametrize("agent", [A4, A6])
def test_the_head(version: int, agent: bytes) -> None:
    kind = struct.pack("!I", len(agent) // 8 + (len(agent) == 4))
    found = read(datagram(version, agent=kind + agent))
    assert (found.version, found.agent, found.sequence_number, found.uptime) == (version, image(agent), 7, 1000)
    assert not found.problems


def test_flows_of_version_4() -> None:
    gateway = struct.pack("!11I", 3, 65001, 65002, 65003, 1, 2, 2, 1, 2, 1, 77) + b"\0\0\0\x09"
    found = read(datagram(4, flow(HEADER, struct.pack("!I", 5), *SAID, gateway), flow(HEADER, struct.pack("!I", 0))))
    assert not found.problems
    first, second = found.samples
    assert first.values[:7] == struct.unpack("!7I", FLOW)
    frame = first.elements[0].values[2]
    assert frame[:10] == FRAME[:10]
    assert frame[12:] == image(A4) * 2 + b"\0\1\0\2\0\x08\0\0"
    assert [one.values for one in first.elements[1:]] == [
        (10, 1, 20, 2),
        (image(A4), 24, 16),
        (b"xxxx", b""),
        (1, b"xxxxxxxx"),
        (65001, 65002, 65003, ((2, (1, 2)),), (77,), 9),
    ]
    assert len(second.elements) == 1


def test_other_packets_and_paths_of_version_2() -> None:
    gateway = struct.pack("!7I", 3, 1, 2, 3, 2, 8, 9)
    four = struct.pack("!III", 2, 60, 6) + A4 + A4 + struct.pack("!4I", 1, 2, 3, 4)
    six = struct.pack("!III", 3, 60, 6) + A6 + A6 + struct.pack("!4I", 1, 2, 3, 4)
    found = read(datagram(2, flow(four, struct.pack("!I", 1), gateway), flow(six, struct.pack("!I", 0))))
    assert not found.problems
    assert found.samples[0].elements[0].values == (60, 6, image(A4), image(A4), 1, 2, 3, 4)
    assert found.samples[0].elements[1].values == (1, 2, 3, (8, 9))
    assert found.samples[1].elements[0].values[2:4] == (image(A6), image(A6))


@pytest.mark.parametrize("version", range(1, 8))
def test_counters(version: int) -> None:
    before = datagram(4, counters(version, *range(100)), counters(version, *range(100)))
    was = parse(before).samples[0]
    size = sum(len(one.values) for one in was.elements)
    assert size
    now = read(before).samples[0]
    assert now.elements == was.elements


def test_samples_of_both_kinds_and_many_datagrams() -> None:
    both = (flow(HEADER, struct.pack("!I", 2), *SAID[:2]), counters(7, 5, 0, 6, 1, 2, 3, 4))
    strings = [datagram(4, *both), datagram(2, *both[::-1]), datagram(4, both[1]), datagram(4)]
    found = [parse(octets) for octets in made(*strings)]
    assert [[sample.tag for sample in one.samples] for one in found] == [[1, 2], [2, 1], [2], []]
    assert not any(one.problems for one in found)


@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        (struct.pack("!I", 9) + A4 * 9, "sFlow sample that is not known"),
        (flow(struct.pack("!I", 9) + A4 * 9), "sFlow structure that is not known"),
        (flow(HEADER, struct.pack("!II", 1, 9) + A4 * 9), "sFlow structure that is not known"),
    ],
)
def test_behind_what_is_not_known_nothing_stays(sample: bytes, reason: str) -> None:
    remembered = Remembered()
    before = datagram(4, sample, flow(HEADER, struct.pack("!I", 0)))
    octets = made(before, remembered=remembered)[0]
    assert A4 not in octets
    assert remembered.removed[reason] == 1
    assert [one.reason for one in parse(octets).problems] == [one.reason for one in parse(before).problems]


@pytest.mark.parametrize("size", range(24, 300, 2))
def test_cut_datagrams(size: int) -> None:
    whole = datagram(4, flow(HEADER, struct.pack("!I", 4), *SAID), counters(1, *range(22)), flow(HEADER, bytes(4)))
    octets = made(whole[:size])[0]
    assert A4 not in octets
    assert len(octets) == len(whole[:size])
