# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest

from fleutan.protocols.sflow.cursor import Problem, Reason
from fleutan.protocols.sflow.messages import Message, parse

HEAD = bytes.fromhex("0a000001 00000007 000003e8")
FLOW = struct.pack("!7I", 1, 3, 400, 8000, 2, 5, 6)
HEADER = bytes.fromhex("00000001 00000001 00000040 00000005 6162636465 000000")


def datagram(version: int, *samples: bytes, count: int | None = None) -> bytes:
    number = len(samples) if count is None else count
    return struct.pack("!II", version, 1) + HEAD + struct.pack("!I", number) + b"".join(samples)


def flow(*parts: bytes) -> bytes:
    return struct.pack("!I", 1) + FLOW + b"".join(parts)


def counters(version: int, *words: int) -> bytes:
    return struct.pack(f"!{5 + len(words)}I", 2, 9, 3, 20, version, *words)


def elements(message: Message) -> list[tuple[int, tuple[object, ...]]]:
    return [(element.tag, element.values) for sample in message.samples for element in sample.elements]


def test_a_flow_with_its_header_and_all_that_is_said_besides() -> None:
    said = [
        struct.pack("!5I", 1, 10, 1, 20, 2),
        struct.pack("!5I", 2, 1, 0x0A000002, 24, 16),
        struct.pack("!11I", 3, 65001, 65002, 65003, 1, 2, 2, 1, 2, 1, 77) + b"\0\0\0\x09",
        struct.pack("!II", 4, 2) + b"me\0\0" + struct.pack("!I", 0),
        struct.pack("!III", 5, 1, 1) + b"/\0\0\0",
    ]
    message = parse(datagram(4, flow(HEADER, struct.pack("!I", 5), *said)))
    assert message.problems == ()
    assert (message.version, message.agent, message.sub_agent_id) == (4, bytes([10, 0, 0, 1]), None)
    assert (message.sequence_number, message.uptime, message.sample_count) == (7, 1000, 1)
    assert message.samples[0].named()["sampling_rate"] == 400
    assert elements(message) == [
        (1, (1, 64, b"abcde")),
        (1001, (10, 1, 20, 2)),
        (1002, (bytes([10, 0, 0, 2]), 24, 16)),
        (1003, (65001, 65002, 65003, ((2, (1, 2)),), (77,), 9)),
        (1004, (b"me", b"")),
        (1005, (1, b"/")),
    ]


def test_paths_are_plain_lists_in_version_2() -> None:
    gateway = struct.pack("!7I", 3, 1, 2, 3, 2, 8, 9)
    message = parse(datagram(2, flow(struct.pack("!I8I", 2, *range(8)), struct.pack("!I", 1), gateway)))
    assert elements(message) == [
        (3, (0, 1, b"\0\0\0\2", b"\0\0\0\3", 4, 5, 6, 7)),
        (1003, (1, 2, 3, (8, 9))),
    ]
    assert message.problems == ()


@pytest.mark.parametrize(
    ("version", "words", "tags"),
    [(1, 22, [1]), (2, 35, [1, 2]), (3, 40, [1, 3]), (4, 22, [1]), (5, 42, [1, 4]), (6, 22, [1]), (7, 7, [5])],
)
def test_counters_by_their_version(version: int, words: int, tags: list[int]) -> None:
    message = parse(datagram(4, counters(version, *range(words)), counters(7, *range(7))))
    assert message.problems == ()
    assert [tag for tag, _ in elements(message)] == [*tags, 5]
    assert message.samples[0].named() == {
        "sequence_number": 9,
        "source_id": 3,
        "sampling_interval": 20,
        "counters_version": version,
    }


@pytest.mark.parametrize(
    ("broken", "problem", "read"),
    [
        (struct.pack("!I", 3), Problem(Reason.TAG, 24, "0:3"), 0),
        (flow(struct.pack("!I", 4)), Problem(Reason.TAG, 56, "flow_sample"), 0),
        (flow(HEADER, struct.pack("!II", 1, 6)), Problem(Reason.TAG, 84, "flow_sample"), 1),
        (flow(HEADER, struct.pack("!III", 1, 1, 7)), Problem(Reason.CUT, 92, "flow_sample"), 2),
        (flow(HEADER), Problem(Reason.CUT, 80, "flow_sample"), 1),
        (counters(8), Problem(Reason.TAG, 40, "counters_sample"), 0),
        (counters(2, *range(23)), Problem(Reason.CUT, 136, "counters_sample"), 2),
        (struct.pack("!II", 2, 9), Problem(Reason.CUT, 32, "counters_sample"), 0),
    ],
)
def test_what_is_broken_ends_the_reading_there(broken: bytes, problem: Problem, read: int) -> None:
    message = parse(datagram(4, broken, count=2))
    assert message.problems == (problem,)
    assert len(elements(message)) == read
    assert len(message.samples) == 1


def test_samples_that_are_not_there_and_octets_that_are_too_many() -> None:
    message = parse(datagram(4, counters(7, *range(7)), count=2))
    assert message.problems == (Problem(Reason.MISSING, 72, "datagram"),)
    message = parse(datagram(4, counters(7, *range(7)), b"tail", count=1))
    assert message.problems == (Problem(Reason.TRAILING, 72, "datagram"),)
    assert message.rest == b"tail"


def test_cut_at_every_octet() -> None:
    whole = datagram(4, flow(HEADER, struct.pack("!I5I", 1, 1, 10, 1, 20, 2)), counters(2, *range(35)))
    for end in range(len(whole)):
        assert parse(whole[:end]).problems
    assert parse(whole).problems == ()
