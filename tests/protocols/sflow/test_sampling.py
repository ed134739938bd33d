# SPDX-License-Identifier: Apache-2.0
"""Samples of frames that are known, read by both of this project's readers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.captures import CAPTURES, needs_captures

from fleutan.protocols.capture.frames import NO_FRAMES, Frames
from fleutan.protocols.capture.reading import read
from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.recognise import SFLOW, recognise
from fleutan.protocols.sflow import columns
from fleutan.protocols.sflow.messages import parse
from fleutan.protocols.sflow.sampling import HEADER, NO_NUMBER, SAMPLES, Sampler
from fleutan.protocols.spans import joined

AT_NS = 1_700_000_000_250_000_000
ETHERNET, RAW, PPP, SLL, NULL, HDLC, IPV4, MPLS, WLAN = 1, 101, 9, 113, 0, 104, 228, 219, 105
FOUR = bytes.fromhex("4500 001c 0001 0000 4011 0000 0a000001 0a000002 0035 0035 0008 0000")
SIX = bytes.fromhex("6000 0000 0008 3a40" + "20010db8" + "00" * 12 + "20010db8" + "00" * 12 + "8000 0000 0000 0000")
FRAME = bytes.fromhex("020000000001 020000000002 0800") + FOUR


def frames(
    octets: Sequence[bytes],
    links: Sequence[int] | int = ETHERNET,
    times: Sequence[int] | int = AT_NS,
    interfaces: Sequence[int] | int = 0,
    longer: int = 0,
    timed: bool = True,
) -> Frames:
    spans, rows = joined(octets), len(octets)
    same = np.zeros(rows, np.int64)
    return Frames(
        spans,
        spans.sizes + longer,
        same + np.array(times, np.int64),
        np.full(rows, timed),
        same + np.array(links, np.int64),
        same + np.array(interfaces, np.int64),
    )


def flows(datagrams: Datagrams) -> columns.Packets:
    walk = columns.walk(datagrams.spans)
    assert not walk.problems
    found = columns.flows(walk)
    assert not found.problems
    return found


def values(datagrams: Datagrams, name: str) -> list[int]:
    found: list[int] = flows(datagrams).records.values[name].tolist()
    return found


def test_every_frame_as_an_agent_samples_it() -> None:
    made = Sampler(1, bytes([10, 0, 0, 9])).datagrams(frames([FRAME, FRAME + bytes(200)], longer=1000))
    message = parse(made.spans.strings()[0])
    assert message.problems == ()
    assert message[:6] == (5, bytes([10, 0, 0, 9]), 0, 1, 0, 2)
    first, second = message.samples
    fields = (*("sequence_number", "ds_class", "ds_index", "sampling_rate", "sample_pool", "drops"),)
    assert [first.named()[name] for name in fields] == [1, 0, 1, 1, 1, 0]
    assert [second.named()[name] for name in fields] == [2, 0, 1, 1, 2, 0]
    assert all(first.named()[f"{end}_{part}"] == 0 for end in ("input", "output") for part in ("format", "value"))
    assert [one.tag for one in first.elements] == [1, 1043]
    assert first.elements[0].values == (1, len(FRAME) + 1004, 4, FRAME)
    assert second.elements[0].values == (1, len(FRAME) + 1204, 4, (FRAME + bytes(200))[:HEADER])
    assert first.elements[1].values == (AT_NS,)
    assert made.source.tolist() == [[0, 0xFFFF_0A00_0009]]
    assert (made.sport.tolist(), made.dport.tolist(), made.at_ns.tolist()) == ([6343], [6343], [AT_NS])
    assert recognise(made).family.tolist() == [SFLOW]


@pytest.mark.parametrize(
    ("link", "octets", "protocol", "skipped"),
    [
        (RAW, FOUR, 11, 0),
        (RAW, SIX, 12, 0),
        (IPV4, FOUR, 11, 0),
        (229, SIX, 12, 0),
        (12, FOUR, 11, 0),
        (MPLS, bytes.fromhex("00010140") + FOUR, 13, 0),
        (PPP, bytes.fromhex("ff030021") + FOUR, 7, 0),
        (50, bytes.fromhex("ff030021") + FOUR, 7, 0),
        (HDLC, bytes.fromhex("0f000800") + FOUR, 11, 4),
        (NULL, bytes.fromhex("02000000") + FOUR, 11, 4),
        (NULL, bytes.fromhex("1e000000") + SIX, 12, 4),
        (SLL, bytes.fromhex("0000 0001 0006 020000000002 0000 0800") + FOUR, 11, 16),
        (276, bytes.fromhex("86dd 0000 00000002 0001 00 06 020000000002 0000") + SIX, 12, 20),
    ],
)
def test_links_have_numbers_or_their_packet_is_taken(link: int, octets: bytes, protocol: int, skipped: int) -> None:
    made = Sampler(1).datagrams(frames([octets], link, longer=5))
    element = parse(made.spans.strings()[0]).samples[0].elements[0]
    assert element.values == (protocol, len(octets) + 5, skipped, octets[skipped:])


def test_what_has_no_number_is_counted_and_not_among_those_to_choose_from() -> None:
    arp = bytes.fromhex("0000 0001 0006 020000000002 0000 0806") + bytes(28)
    sampler = Sampler(1)
    made = sampler.datagrams(frames([FOUR, bytes(40), arp, FOUR], [RAW, WLAN, SLL, RAW]))
    assert values(made, "sample_pool") == [1, 2]
    assert sampler.rejects == {NO_NUMBER: 2}


def test_nothing_makes_nothing() -> None:
    sampler = Sampler(1)
    assert sampler.datagrams(NO_FRAMES).spans.rows == 0
    assert Sampler(1 << 31).datagrams(frames([FRAME] * 10)).spans.rows == 0
    assert sampler.datagrams(frames([b""])).spans.rows == 1


def test_datagrams_are_full_and_end_with_each_second() -> None:
    times = [AT_NS] * 8 + [AT_NS + 749_999_999] + [AT_NS + 750_000_000] * 14
    made = Sampler(1).datagrams(frames([FRAME + bytes(400)] * 23, times=times))
    assert np.bincount(values(made, "datagram")).tolist() == [6, 3, 6, 6, 2]
    assert made.sizes.max() <= 1400 < made.sizes.max() + 220
    assert made.at_ns.tolist() == [AT_NS, AT_NS + 749_999_999, *[AT_NS + 750_000_000] * 3]
    heads = columns.walk(made.spans).datagrams.values
    assert heads["sequence_number"].tolist() == [1, 2, 3, 4, 5]
    assert heads["uptime"].tolist() == [0, 749, 750, 750, 750]
    assert SAMPLES == 6


def test_each_interface_counts_by_itself() -> None:
    made = Sampler(1).datagrams(frames([FRAME] * 5, interfaces=[0, 2, 0, 2, 0]))
    assert values(made, "ds_index") == [1, 3, 1, 3, 1]
    assert values(made, "sequence_number") == values(made, "sample_pool") == [1, 1, 2, 2, 3]


def test_frames_without_a_time_have_none() -> None:
    made = Sampler(1).datagrams(frames([FRAME], times=0, timed=False))
    assert [one.tag for one in parse(made.spans.strings()[0]).samples[0].elements] == [1]


def test_one_of_so_many_by_chance() -> None:
    many = frames([FRAME] * 50_000)
    made = Sampler(100).datagrams(many)
    found = flows(made).records.values
    count = len(found["sample_pool"])
    assert abs(count - 500) < 5 * 500**0.5
    assert found["sequence_number"].tolist() == list(range(1, count + 1))
    gaps = np.diff(found["sample_pool"])
    assert gaps.min() >= 1
    assert gaps.max() > 300  # not every hundredth
    assert abs(int(gaps.mean()) - 100) < 20
    assert (found["sampling_rate"] == 100).all()


@given(st.integers(1, 30), st.integers(0, 5), st.lists(st.integers(0, 60), max_size=4))
def test_the_same_frames_are_chosen_however_they_come(rate: int, seed: int, cuts: list[int]) -> None:
    many = frames([bytes([number]) * 20 for number in range(60)], interfaces=[number % 2 for number in range(60)])
    whole = flows(Sampler(rate, seed=seed).datagrams(many))
    sampler, parts = Sampler(rate, seed=seed), []
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), 60], strict=True):
        parts.append(sampler.datagrams(many.take(np.arange(begin, end))))
    for name in ("sequence_number", "sample_pool", "ds_index"):
        pieces = [value for part in parts if part.spans.rows for value in values(part, name)]
        assert pieces == whole.records.values[name].tolist()


def test_another_seed_chooses_others() -> None:
    many = frames([FRAME] * 1000)
    first, again, other = (values(Sampler(10, seed=seed).datagrams(many), "sample_pool") for seed in (0, 0, 1))
    assert first == again != other


def test_an_agent_of_ipv6() -> None:
    made = Sampler(1, bytes(15) + b"\1").datagrams(frames([FRAME]))
    assert parse(made.spans.strings()[0]).agent == bytes(15) + b"\1"
    assert made.source.tolist() == [[0, 1]]


@needs_captures
@pytest.mark.parametrize("path", sorted((CAPTURES / "traffic").glob("*.pcap")), ids=lambda path: path.stem)
def test_all_frames_of_a_capture_come_back(path: object) -> None:
    whole, _ = read((CAPTURES / str(path)).read_bytes())
    made = Sampler(1).datagrams(whole)
    found = flows(made)
    ethernet = np.where(whole.link_types == ETHERNET, 4, 0)
    skipped = found.records.values["sampled_header.stripped"] - ethernet
    assert found.records.rows == whole.spans.rows
    assert (skipped[whole.link_types == ETHERNET] == 0).all()
    heads = found.strings[columns.HEADER].spans.strings()
    octets = zip(whole.spans.strings(), skipped.tolist(), strict=True)
    assert heads == [one[begin:][:HEADER] for one, begin in octets]
    assert found.records.values["sampled_header.frame_length"].tolist() == (whole.lengths + ethernet).tolist()
    assert found.records.values["extended_timestamp.nanoseconds"].tolist() == whole.at_ns.tolist()
