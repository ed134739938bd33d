# SPDX-License-Identifier: Apache-2.0
"""The programs, run by a machine of these few instructions; ``test_probing`` has the kernel run them."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable
from operator import add, and_, eq, ge, rshift

import pytest

from fleutan.linux.tcpfilter import MOST, NOTHING, Peer, programs

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
NETWORK = 0xFFF0_0000
ADDRESSES = {4: (b"\xc0\x00\x02\x01", b"\xc6\x33\x64\x07"), 6: (bytes(15) + b"\x01", b"\xfd" * 16)}
COUNTS = {4: 670, 6: 330}


#: What A is compared with or changed by, through operations on A and either the operand or X.
HOLDS = {0x15: (eq, "k"), 0x1D: (eq, "x"), 0x35: (ge, "k"), 0x45: (and_, "k")}
CHANGES = {0x54: (and_, "k"), 0x74: (rshift, "k"), 0x0C: (add, "x")}
#: Sizes of loads, and whether X counts.
LOADS = {0x20: (4, False), 0x40: (4, True), 0x48: (2, True), 0x50: (1, True)}


def load(size: int, offset: int, header: bytes, data: bytes) -> int:
    place, held = (offset - NETWORK, header) if offset >= NETWORK else (offset, data)
    assert place + size <= len(held)
    return int.from_bytes(held[place : place + size], "big")


def passes(program: bytes, family: int, header: bytes, segment: bytes) -> tuple[bool, int]:
    """Whether a raw socket would be given the packet, and how many instructions said so."""
    data = header + segment if family == 4 else segment
    a = x = at = steps = 0
    stored = [0] * 16
    while True:
        code, true, false, k = struct.unpack_from("=HBBI", program, 8 * at)
        at, steps = at + 1, steps + 1
        if code == 0x06:
            return bool(k), steps
        if code in HOLDS:
            compare, with_ = HOLDS[code]
            at += true if compare(a, {"k": k, "x": x}[with_]) else false
        elif code in CHANGES:
            change, by = CHANGES[code]
            a = change(a, {"k": k, "x": x}[by])
        elif code in LOADS:
            size, indexed = LOADS[code]
            a = load(size, k + x * indexed, header, data)
        elif code == 0x02:
            stored[k] = a
        elif code == 0x60:
            a = stored[k]
        else:
            moved = {0x05: (at + k, a, x), 0x80: (at, len(data), x), 0x01: (at, a, k), 0x07: (at, a, a)}
            at, a, x = {**moved, 0xB1: (at, a, (data[0] & 15) * 4)}[code]


def packet(
    peer: Peer, flags: int = ACK, payload: int = 0, options: int = 0, ip_options: int = 0
) -> tuple[bytes, bytes]:
    """The header and the segment that a peer sends; options in words."""
    segment = struct.pack("!HHIIBBHHH", peer.port, peer.own_port, 1, 2, (5 + options) << 4, flags, 3, 4, 0)
    segment += bytes(4 * options + payload)
    if peer.family == 6:
        return struct.pack("!IHBB16s16s", 6 << 28, len(segment), 6, 64, peer.address, bytes(16)), segment
    header = struct.pack("!BBHHHBBH4s4s", 0x45 + ip_options, 0, 20, 0, 0, 64, 6, 0, peer.address, bytes(4))
    return header + bytes(4 * ip_options), segment


def peer_of(family: int, number: int) -> Peer:
    chosen = random.Random(f"{family} {number}")  # noqa: S311
    return Peer(family, chosen.randbytes(4 if family == 4 else 16), chosen.randrange(1, 65536), 1024 + number)


def first(family: int, peers: Iterable[Peer]) -> bytes:
    return next(programs(family, peers))


@pytest.mark.parametrize("family", [4, 6])
def test_only_what_has_the_form_of_an_answer_passes(family: int) -> None:
    peer = Peer(family, ADDRESSES[family][0], 443, 50000)
    for program in programs(family, [peer]):
        for options, ip_options in ((0, 0), (3, 0), (10, 0), (0, 2 * (family == 4)), (10, 10 * (family == 4))):
            for flags, payload, wanted in (
                *((SYN | ACK, 0, True), (SYN | ACK, 9, True), (RST, 0, True), (RST | ACK, 5, True), (ACK, 0, True)),
                *((ACK, 1, False), (ACK | PSH, 1448, False), (FIN | ACK, 0, False), (SYN, 0, False), (0, 0, False)),
            ):
                sent = packet(peer, flags, payload, options, ip_options)
                assert passes(program, family, *sent)[0] == wanted, (flags, payload, options, ip_options)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("count", [1, 2, 3, 17, "many"])
def test_each_peer_passes_and_whoever_differs_in_anything_does_not(family: int, count: int | str) -> None:
    number = COUNTS[family] if isinstance(count, str) else count
    peers = [peer_of(family, each) for each in range(number)]
    program = first(family, peers)
    assert len(program) % 8 == 0
    assert len(program) // 8 <= MOST
    for peer in peers:
        said, steps = passes(program, family, *packet(peer))
        assert said
        assert steps <= 60
        others = [peer._replace(port=peer.port ^ 1), peer._replace(own_port=peer.own_port + 30000)]
        octets = range(len(peer.address))
        others += [peer._replace(address=bytes(v ^ (at == n) for n, v in enumerate(peer.address))) for at in octets]
        assert not any(passes(program, family, *packet(other))[0] for other in others)


@pytest.mark.parametrize("family", [4, 6])
def test_many_addresses_behind_the_same_ports(family: int) -> None:
    peers = [peer_of(family, number)._replace(port=443, own_port=50000) for number in range(200)]
    program = first(family, peers)
    assert all(passes(program, family, *packet(peer))[0] for peer in peers)
    assert not passes(program, family, *packet(peer_of(family, 999)._replace(port=443, own_port=50000)))[0]


@pytest.mark.parametrize("family", [4, 6])
def test_too_many_peers_are_told_by_their_own_ports_or_by_form_only(family: int) -> None:
    peers = [peer_of(family, number) for number in range(1000)]
    by_ports, by_form = programs(family, peers)
    stranger = peer_of(family, 7)._replace(port=1)
    assert passes(by_ports, family, *packet(stranger))[0]
    assert not passes(by_ports, family, *packet(stranger._replace(own_port=60000)))[0]
    assert not passes(by_ports, family, *packet(stranger, ACK, 1))[0]
    assert passes(by_form, family, *packet(stranger._replace(own_port=60000)))[0]
    assert list(programs(family, [peer_of(family, number) for number in range(3000)])) == [by_form]


def test_without_peers_of_this_version_nothing_passes() -> None:
    assert list(programs(4, [])) == list(programs(4, [peer_of(6, 1)])) == [NOTHING]
    assert not passes(NOTHING, 4, *packet(peer_of(4, 1)))[0]
