# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.captures import CAPTURES, needs_captures
from tests.protocols.packet.stacks import (
    FRAME,
    PLAIN,
    TYPE4,
    TYPE6,
    ethernet,
    fragment6,
    halves,
    ipv4,
    ipv6,
    options6,
    udp,
    vxlan,
)
from tests.protocols.packet.tshark import fields, needs_tshark

from fleutan.protocols.capture import rejects
from fleutan.protocols.capture.datagrams import udp_datagrams
from fleutan.protocols.capture.fragments import Fragments
from fleutan.protocols.capture.frames import NO_FRAMES, Frames
from fleutan.protocols.capture.reading import read
from fleutan.protocols.capture.writing import pcap_header, pcap_records
from fleutan.protocols.spans import joined

PAYLOAD = bytes(range(200)) * 3
WHOLE = udp(6343, PAYLOAD, 50000)


def frames(*octets: bytes, cut: int = 1 << 18, at_ns: int = 0) -> Frames:
    spans = joined([each[:cut] for each in octets])
    lengths = np.array([len(each) for each in octets], np.int64)
    records = pcap_records(spans, lengths, at_ns + np.arange(spans.rows) * 1000)
    found, rejected = read(pcap_header(1) + records)
    assert not rejected
    return found


def cuts(whole: bytes, step: int) -> list[tuple[int, int, bytes]]:
    """Where a part begins, whether more follow, and its octets."""
    return [(at, at + step < len(whole), whole[at : at + step]) for at in range(0, len(whole), step)]


def parts4(whole: bytes, number: int = 7, step: int = 256) -> list[bytes]:
    parts = cuts(whole, step)
    return [ethernet(TYPE4, ipv4(17, part, fragment=at // 8 | more << 13, number=number)) for at, more, part in parts]


def parts6(whole: bytes, number: int = 7, step: int = 256) -> list[bytes]:
    parts = cuts(whole, step)
    return [ethernet(TYPE6, ipv6(44, fragment6(17, at, more, number, part))) for at, more, part in parts]


def test_datagrams_are_as_a_socket_gives_them() -> None:
    six = ethernet(TYPE6, ipv6(17, udp(2055, b"six")))
    found = udp_datagrams(
        frames(ethernet(TYPE4, ipv4(17, WHOLE)), PLAIN, six, ethernet(TYPE4, ipv4(17, udp(1))) + bytes(18))
    )
    assert found.spans.strings() == [PAYLOAD, b"six", b""]
    assert found.sizes.tolist() == [600, 3, 0]
    assert found.source.tolist() == [halves("192.0.2.1"), halves("2001:db8::1"), halves("192.0.2.1")]
    assert found.destination.tolist()[0] == halves("198.51.100.2")
    assert (found.sport.tolist(), found.dport.tolist()) == ([50000, 40000, 40000], [6343, 2055, 1])
    assert found.at_ns.tolist() == [0, 2000, 3000]


def test_no_frames_and_no_datagrams_have_no_rows() -> None:
    for found in (udp_datagrams(NO_FRAMES), udp_datagrams(frames(PLAIN))):
        assert found.spans.rows == 0
        assert found.source.shape == found.destination.shape == (0, 2)


def test_what_was_cut_tells_how_long_it_was() -> None:
    found = udp_datagrams(frames(ethernet(TYPE4, ipv4(17, WHOLE)), cut=100))
    assert found.spans.strings() == [PAYLOAD[:58]]
    assert found.sizes.tolist() == [600]


@pytest.mark.parametrize("length", [0, 7, 65535])
def test_lengths_of_udp_that_cannot_be_are_ips(length: int) -> None:
    segment = WHOLE[:4] + length.to_bytes(2) + WHOLE[6:]
    found = udp_datagrams(frames(ethernet(TYPE4, ipv4(17, segment)) + b"padding"))
    assert found.spans.strings() == [PAYLOAD]
    assert found.sizes.tolist() == [600]


def test_tunnels_are_not_entered() -> None:
    found = udp_datagrams(frames(ethernet(TYPE4, ipv4(17, vxlan(1, ethernet(TYPE4, ipv4(17, WHOLE)))))))
    assert found.dport.tolist() == [4789]


@pytest.mark.parametrize("parts", [parts4, parts6])
def test_fragments_become_a_datagram_where_the_last_one_came(parts: Callable[[bytes], list[bytes]]) -> None:
    one, two, three = parts(WHOLE)
    before, after = (ethernet(TYPE4, ipv4(17, udp(9, each))) for each in (b"before", b"after"))
    found = udp_datagrams(frames(three, before, one, two, after))
    assert found.spans.strings() == [b"before", PAYLOAD, b"after"]
    assert found.sizes.tolist() == [6, 600, 5]
    assert (found.sport.tolist()[1], found.dport.tolist()[1], found.at_ns.tolist()[1]) == (50000, 6343, 3000)
    assert found.source.tolist()[1] == halves("192.0.2.1" if parts is parts4 else "2001:db8::1")


def test_a_lone_fragment_of_ipv6_is_a_datagram() -> None:
    assert udp_datagrams(frames(*parts6(WHOLE, step=1 << 12))).spans.strings() == [PAYLOAD]


def test_fragments_meet_over_batches_and_are_told_apart() -> None:
    fragments = Fragments()
    first, second = parts4(WHOLE, 1, 400), parts4(udp(2055, b"x" * 600), 2, 400)
    assert udp_datagrams(frames(first[0], second[1]), fragments).spans.rows == 0
    assert udp_datagrams(frames(second[0], first[1]), fragments).spans.strings() == [b"x" * 600, PAYLOAD]
    fragments.finish()
    assert not fragments.rejects


def test_fragments_that_never_meet_or_were_cut_are_counted() -> None:
    fragments = Fragments()
    assert udp_datagrams(frames(parts4(WHOLE)[0]), fragments).spans.rows == 0
    assert udp_datagrams(frames(*parts4(WHOLE, 8), cut=90), fragments).spans.rows == 0
    inside = ipv6(44, fragment6(60, 0, 1, 9, options6(17, WHOLE)))
    assert udp_datagrams(frames(ethernet(TYPE6, inside)), fragments).spans.rows == 0
    short = [ethernet(TYPE4, ipv4(17, b"1234", fragment=word, number=9)) for word in (1, 0x2000)]
    assert udp_datagrams(frames(*short), fragments).spans.rows == 0
    fragments.finish()
    assert fragments.rejects == {rejects.FRAGMENT_MISSING: 2, rejects.FRAGMENT_CUT: 4}


def test_without_fragments_given_only_those_of_the_batch_meet() -> None:
    one, two = parts4(WHOLE, step=400)
    assert udp_datagrams(frames(one)).spans.rows == 0
    assert udp_datagrams(frames(two)).spans.rows == 0
    assert udp_datagrams(frames(one, two)).spans.strings() == [PAYLOAD]


def test_frames_of_other_links_have_none() -> None:
    assert udp_datagrams(frames(FRAME)._replace(link_types=np.array([105]))).spans.rows == 0


@needs_captures
@needs_tshark
@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*/*.pcap")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_tshark_finds_the_same_datagrams(path: Path) -> None:
    found = udp_datagrams(read(path.read_bytes())[0])
    only = ("-Y", "udp and not icmp and not icmpv6", "--disable-protocol", "sflow")
    answers = fields(path, ["ip.src", "ipv6.src", "udp.srcport", "udp.dstport", "udp.length", "udp.payload"], *only)
    assert [halves(answer.get("ip.src", answer.get("ipv6.src", []))[0]) for answer in answers] == found.source.tolist()
    for name, column in (("udp.srcport", found.sport), ("udp.dstport", found.dport), ("udp.length", found.sizes + 8)):
        assert [int(answer[name][0]) for answer in answers] == column.tolist()
    # Where UDP's length is less than IP's, tshark shows what a kernel does not give to a socket.
    payloads = [bytes.fromhex(answer.get("udp.payload", [""])[0]) for answer in answers]
    told = found.sizes.tolist()
    assert [octets[:size] for octets, size in zip(payloads, told, strict=True)] == found.spans.strings()
