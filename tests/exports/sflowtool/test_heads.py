# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import timedelta, timezone

from tests.exports.sflowtool.received import FAITHFUL, RIGHT, of_octets, received

from fleutan.exports.sflowtool.heads import Dialect, Received, datagram_pieces, local_time
from fleutan.exports.sflowtool.text import style_of


def lines(found: Received, dialect: Dialect) -> list[str]:
    return style_of(dialect.faithful).write(datagram_pieces(found, dialect)).splitlines()


def test_a_datagram_from_the_network() -> None:
    head = [
        *("datagramSourceIP 192.0.2.1", "datagramSize 28", "unixSecondsUTC 1700000000", "unixSecondsUTC_uS 123456"),
        *("localtime 2023-11-14T22:13:20+0000", "datagramVersion 5", "agentSubId 0", "agent 10.9.8.7"),
        *("packetSequenceNo 7", "sysUpTime 1000", "samplesInPacket 0"),
    ]
    assert lines(received(), RIGHT) == head
    assert lines(received(), FAITHFUL) == head


def test_a_datagram_from_a_file_was_received_then() -> None:
    found = lines(received(recorded=True), RIGHT)
    assert found[2:7] == [
        *("unixSecondsUTC 1700000000", "unixSecondsUTC_uS 123456", "localtime 2023-11-14T22:13:20+0000"),
        *("pcapTimestamp 2023-11-14T22:13:20+0000", "pcapTimestamp_uS 123456"),
    ]
    found = lines(received(recorded=True), FAITHFUL)
    assert found[0] == "datagramSourceIP -"
    assert found[2:6] == [
        *("unixSecondsUTC 0", "unixSecondsUTC_uS 0", "localtime 1970-01-01T00:00:00+0000"),
        "pcapTimestamp 2023-11-14T22:13:20+0000",
    ]


def test_what_was_not_there_is_not_said() -> None:
    assert lines(of_octets(b""), RIGHT)[-1] == "localtime 2023-11-14T22:13:20+0000"
    assert lines(of_octets(b"\0\0\0\x09"), RIGHT)[-1] == "datagramVersion 9"
    assert lines(of_octets(bytes.fromhex("00000004 00000001 0a090807 00000007 000003e8 00000000")), RIGHT)[5:] == [
        *("datagramVersion 4", "agent 10.9.8.7", "packetSequenceNo 7", "sysUpTime 1000", "samplesInPacket 0")
    ]


def test_times_are_those_of_a_zone() -> None:
    zone = timezone(timedelta(hours=-3, minutes=-30))
    assert local_time(1_700_000_000, zone) == "2023-11-14T18:43:20-0330"
    assert len(local_time(1_700_000_000, None)) == 24
