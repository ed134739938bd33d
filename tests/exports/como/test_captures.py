# SPDX-License-Identifier: Apache-2.0
"""Headers as capture files, read back by our own reader and by tshark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.exports.como.answers import (
    ARP_PACKET,
    AT,
    ETHERNET,
    RAW,
    SECOND,
    TCP_PACKET,
    TRACE,
    UDP_PACKET,
    ints,
    octets,
)
from tests.protocols.packet.tshark import fields, needs_tshark

from fleutan.exports.como import captures, written
from fleutan.exports.como.captures import NO_HEADER, NO_LINK_TYPE, NO_TIME, OTHER_LINK_TYPE
from fleutan.exports.como.options import Options
from fleutan.protocols.capture.frames import Frames
from fleutan.protocols.capture.reading import read
from fleutan.table import Table

PCAP, PCAPNG = bytes.fromhex("d4c3b2a1"), bytes.fromhex("0a0d0d0a")
LEFT_OUT = {NO_HEADER: 1, NO_LINK_TYPE: 1, NO_TIME: 1}
ALONE = TRACE.take(np.array([0, 2, 6]))


def capture(form: str, tables: list[Table], options: Options | None = None) -> bytes:
    return b"".join(written("trace", form, tables, options or Options()))


def frames(octets_: bytes) -> Frames:
    found, rejected = read(octets_)
    assert not rejected
    return found


def test_packets_of_one_link_type_are_a_classic_file() -> None:
    found = capture("pcap", [ALONE])
    assert found.startswith(PCAP)
    read_ = frames(found)
    assert read_.spans.strings() == [TCP_PACKET, ARP_PACKET, b""]
    assert read_.lengths.tolist() == [1514, 60, 97]
    assert read_.at_ns.tolist() == [AT, AT + 2 * SECOND, AT]
    assert read_.link_types.tolist() == [ETHERNET] * 3


def test_packets_of_several_link_types_are_pcapng_and_what_makes_no_packet_is_counted() -> None:
    options = Options()
    found = capture("pcap", [TRACE], options)
    assert found.startswith(PCAPNG)
    read_ = frames(found)
    assert read_.spans.strings() == [TCP_PACKET, UDP_PACKET, ARP_PACKET, b""]
    assert read_.link_types.tolist() == [ETHERNET, RAW, ETHERNET, ETHERNET]
    assert options.left_out == LEFT_OUT


def test_link_types_that_are_known_before_decide_the_file() -> None:
    assert capture("pcap", [ALONE], Options(link_types=(ETHERNET, RAW))).startswith(PCAPNG)
    options = Options(link_types=(RAW,))
    read_ = frames(capture("pcap", [TRACE], options))
    assert read_.spans.strings() == [UDP_PACKET]
    assert options.left_out == {**LEFT_OUT, OTHER_LINK_TYPE: 3}


def test_another_link_type_that_comes_later_is_counted_or_becomes_an_interface() -> None:
    later = TRACE.take(np.array([1]))
    options = Options()
    found = capture("pcap", [ALONE, later], options)
    assert found.startswith(PCAP)
    assert frames(found).link_types.tolist() == [ETHERNET] * 3
    assert options.left_out == {OTHER_LINK_TYPE: 1}
    assert frames(capture("pcapng", [ALONE, later, ALONE])).link_types.tolist() == [
        *[ETHERNET] * 3,
        RAW,
        *[ETHERNET] * 3,
    ]


def test_files_without_a_packet_are_files() -> None:
    assert capture("pcap", []).startswith(PCAP)
    assert capture("pcapng", []).startswith(PCAPNG)
    nothing = Table("trace", {"time": ints(AT), "bytes": ints(60)})
    options = Options()
    assert frames(capture("pcap", [nothing], options)).spans.rows == 0
    assert options.left_out == {NO_HEADER: 1}


def test_a_length_on_the_wire_is_never_less_than_what_was_kept_nor_more_than_fits() -> None:
    table = Table(
        "trace",
        {
            "time": ints(AT, AT, AT),
            "bytes": ints(None, 10, 2**40),
            "header": octets(*[TCP_PACKET] * 3),
            "link_type": ints(*[ETHERNET] * 3),
        },
    )
    assert frames(capture("pcap", [table])).lengths.tolist() == [len(TCP_PACKET), len(TCP_PACKET), 2**32 - 1]


def test_many_packets_are_written_in_pieces() -> None:
    rows = captures._ROWS + 1
    table = TRACE.take(np.zeros(rows, np.int64))
    pieces = list(written("trace", "pcap", [table], Options()))
    assert len(pieces) == 3
    assert frames(b"".join(pieces)).spans.rows == rows


@needs_tshark
def test_tshark_reads_both(tmp_path: Path) -> None:
    path = tmp_path / "trace.pcap"
    for form in ("pcap", "pcapng"):
        path.write_bytes(capture(form, [TRACE]))
        assert fields(path, ["frame.time_epoch", "frame.len", "ip.src", "tcp.dstport", "ipv6.dst", "arp.opcode"])[
            :3
        ] == [
            dict(zip(("frame.time_epoch", "frame.len", *names), ([value] for value in values), strict=True))
            for names, values in (
                (("ip.src", "tcp.dstport"), ("1253211900.154005000", "1514", "10.0.0.1", "80")),
                (("ipv6.dst",), ("1253211901.154005000", "48", "::2")),
                (("arp.opcode",), ("1253211902.154005000", "60", "1")),
            )
        ]
