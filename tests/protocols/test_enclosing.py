# SPDX-License-Identifier: Apache-2.0
"""The packets are taken apart again here by the RFCs' words; ``tests/namespaces`` has the kernel do it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from struct import unpack_from

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.test_checksums import plainly

from fleutan.protocols.enclosing import Packets, enclosed4, enclosed6
from fleutan.protocols.spans import Spans, joined

MAPPED = 0xFFFF << 32
FOURS = (int(IPv4Address("192.0.2.1")), int(IPv4Address("203.0.113.254")))
SIXES = (int(IPv6Address("2001:db8::1")), int(IPv6Address("fe80::ffff:fffe:fffd")))
Ends = tuple[np.ndarray[tuple[int, int], np.dtype[np.int64]], ...]


def halves(address: int, rows: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    one = np.array([[address >> 64, address & (1 << 64) - 1]], np.uint64).view(np.int64)
    return one.repeat(rows, axis=0)


def packets(payloads: Spans, version: int, mtu: int, first_id: int = 7) -> Packets:
    rows = payloads.rows
    addresses = [MAPPED | one for one in FOURS] if version == 4 else SIXES
    source, destination = (halves(one, rows) for one in addresses)
    ends = source, 1024 + np.arange(rows), destination, np.full(rows, 6343)
    return (enclosed4 if version == 4 else enclosed6)(payloads, ends, mtu, first_id)


def whole(made: Packets, payloads: Spans) -> list[bytes]:
    """The packets as they would be on the wire."""
    octets = payloads.octets.tobytes()
    return [
        made.headers[number, :size].tobytes() + octets[start : start + length]
        for number, (size, start, length) in enumerate(
            zip(made.header_sizes.tolist(), made.starts.tolist(), made.sizes.tolist(), strict=True)
        )
    ]


def opened4(packet: bytes) -> tuple[int, int, bool, bytes]:
    """Identification, offset, whether more follows, and what is behind the header."""
    version, tos, length, number, fragment, ttl, proto, _, source, destination = unpack_from("!BBHHHBBHII", packet)
    assert (version, tos, ttl, proto) == (0x45, 0, 64, 17)
    assert (source, destination) == FOURS
    assert length == len(packet)
    assert plainly(packet[:20]) == 0xFFFF
    return number, (fragment & 0x1FFF) * 8, bool(fragment & 0x2000), packet[20:]


def opened6(packet: bytes) -> tuple[int, int, bool, bytes]:
    first, length, kind, ttl = unpack_from("!IHBB", packet)
    assert (first, ttl) == (6 << 28, 64)
    assert packet[8:40] == b"".join(one.to_bytes(16) for one in SIXES)
    assert length == len(packet) - 40
    if kind == 17:
        return 0, 0, False, packet[40:]
    kind, reserved, fragment, number = unpack_from("!BBHI", packet, 40)
    assert (kind, reserved, fragment & 6) == (17, 0, 0)
    return number, fragment & ~7, bool(fragment & 1), packet[48:]


OPENED = {4: opened4, 6: opened6}
LEAST = {4: 68, 6: 1280}


def pseudo(version: int, length: int) -> bytes:
    addresses, size = (FOURS, 4) if version == 4 else (SIXES, 16)
    return b"".join(one.to_bytes(size) for one in addresses) + (17).to_bytes(4) + length.to_bytes(4)


@pytest.mark.parametrize("version", [4, 6])
@given(data=st.data())
def test_packets_hold_the_datagrams_whatever_the_mtu(version: int, data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.one_of(st.integers(0, 100), st.integers(1200, 4000)), max_size=6))
    strings = [bytes(number + at & 0xFF for at in range(size)) for number, size in enumerate(sizes)]
    mtu = data.draw(st.integers(LEAST[version], 5000))
    payloads = joined(strings)
    made = packets(payloads, version, mtu)
    parts: dict[int, dict[int, bytes]] = {row: {} for row in range(len(strings))}
    ids: dict[int, set[int]] = {}
    for row, packet in zip(made.rows.tolist(), whole(made, payloads), strict=True):
        assert len(packet) <= mtu
        number, offset, more, behind = OPENED[version](packet)
        assert offset == sum(map(len, parts[row].values()))
        assert more == (offset + len(behind) < len(strings[row]) + 8)
        assert not more or len(behind) % 8 == 0
        parts[row][offset] = behind
        ids.setdefault(row, set()).add(number)
    for row, string in enumerate(strings):
        datagram = b"".join(parts[row].values())
        sport, dport, length, checksum = unpack_from("!HHHH", datagram)
        assert (sport, dport, length) == (1024 + row, 6343, len(datagram))
        assert datagram[8:] == string
        assert checksum
        assert plainly(pseudo(version, length) + datagram) == 0xFFFF
        assert len(ids[row]) == 1
        assert (len(parts[row]) > 1) == (ids[row] != {0})
    fragmented = [ids[row] for row in ids if len(parts[row]) > 1]
    assert len({min(one) for one in fragmented}) == len(fragmented)


@pytest.mark.parametrize("version", [4, 6])
def test_the_longest_datagram_in_the_smallest_pieces(version: int) -> None:
    payloads = joined([b"\xff" * 65507])
    made = packets(payloads, version, LEAST[version], first_id=0xFFFF_FFFF)
    opened = [OPENED[version](packet) for packet in whole(made, payloads)]
    assert b"".join(behind for *_, behind in opened)[8:] == b"\xff" * 65507
    assert len({number for number, *_ in opened}) == 1
    assert opened[0][0] != 0 or version == 6


def test_a_checksum_of_zero_is_sent_as_all_ones() -> None:
    plain = joined([bytes(2)])
    made = packets(plain, 4, 1500)
    checksum = unpack_from("!H", made.headers[0].tobytes(), 26)[0]
    payloads = joined([checksum.to_bytes(2)])
    [packet] = whole(packets(payloads, 4, 1500), payloads)
    assert packet[26:28] == b"\xff\xff"
    assert plainly(pseudo(4, 10) + packet[20:]) == 0xFFFF


@pytest.mark.parametrize("version", [4, 6])
def test_no_datagrams_make_no_packets(version: int) -> None:
    made = packets(joined([]), version, 1500)
    assert [len(column) for column in made] == [0] * 5
