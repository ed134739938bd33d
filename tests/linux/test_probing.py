# SPDX-License-Identifier: Apache-2.0
"""On loopback; ``tests/namespaces/test_probing.py`` has routers and what keeps probes back."""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator

import pytest

from fleutan.errors import FleutanError, NotSupported
from fleutan.linux import capabilities, probing
from fleutan.linux.egress import Unsendable
from fleutan.linux.probing import RawProber
from fleutan.linux.tcpfilter import Peer
from fleutan.protocols.tracing.probes import ACK, RST, SYN, Flow, Probe, packet

HERE = {4: socket.inet_aton("127.0.0.1"), 6: socket.inet_pton(socket.AF_INET6, "::1")}
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
ECHO, ECHO_REPLY = {4: 1, 6: 58}, {4: 0, 6: 129}
HEADER, PROTO = {4: 20, 6: 40}, {4: 9, 6: 6}
DEADLINE = 10.0
needs_raw = pytest.mark.skipif(
    os.geteuid() != 0 or bool(capabilities.missing(("CAP_NET_RAW",))), reason="needs root and CAP_NET_RAW"
)
needs_ipv6 = pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="needs IPv6")
pytestmark = needs_raw
Packet = tuple[bytes, int]


@pytest.fixture(params=[4, pytest.param(6, marks=needs_ipv6)])
def version(request: pytest.FixtureRequest) -> Iterator[int]:
    """Each version of IP; and what was opened is closed."""
    before = os.listdir("/proc/self/fd")
    yield request.param
    assert os.listdir("/proc/self/fd") == before


def listener(version: int) -> socket.socket:
    return socket.create_server((socket.inet_ntop(FAMILIES[version], HERE[version]), 0), family=FAMILIES[version])


def to(version: int, port: int, own: int, proto: int = 6, tos: int = 0) -> Flow:
    return Flow(version, HERE[version], HERE[version], proto, own, port, 0, tos)


def received(prober: RawProber, wanted: Callable[[bytes], bool], count: int = 1) -> list[Packet]:
    """As many packets of a kind as are wanted; on loopback others' are heard as well."""
    found: list[Packet] = []
    deadline = time.monotonic() + DEADLINE
    while len(found) < count:
        assert time.monotonic() < deadline
        found += [got for got in prober.receive(0.2) if wanted(got[0])]
    return found


def ports_of(data: bytes) -> tuple[int, int]:
    ends: tuple[int, int] = struct.unpack_from("!HH", data, HEADER[data[0] >> 4])
    return ends


def test_echo_replies_come_back_whole(version: int) -> None:
    with RawProber() as prober:
        flow = to(version, 0x1234, 0xF1E0, ECHO[version], tos=0x28)
        sent = prober.send(packet(Probe(flow, 9, 77, payload=b"fleutan")))
        assert sent.errno == 0
        reply = packet(Probe(flow, 9, 77, payload=b"fleutan"))[HEADER[version] + 4 :]
        [(data, at_ns)] = received(prober, lambda data: data[HEADER[version] + 4 :] == reply)
        assert sent.at_ns <= at_ns <= time.time_ns()
        assert prober.lost == 0
    assert data[HEADER[version]] == ECHO_REPLY[version]
    if version == 6:
        first, length, proto, limit = struct.unpack_from("!IHBB", data)
        assert (first >> 28, length, proto, limit) == (6, len(data) - 40, 58, 64)
        assert first >> 20 & 0xFF == 0x28
        assert data[8:40] == HERE[6] * 2
    else:
        assert (data[0], data[8], data[9], data[12:20]) == (0x45, 64, 1, HERE[4] * 2)


def test_syn_ack_of_an_open_port_and_reset_of_a_closed_one(version: int) -> None:
    with listener(version) as opened, listener(version) as closed, RawProber() as prober:
        ports = [server.getsockname()[1] for server in (opened, closed)]
        closed.close()
        prober.expect(Peer(version, HERE[version], port, 9) for port in ports)
        for port in ports:
            assert prober.send(packet(Probe(to(version, port, 9), 9, 1, seq=1 << 16, flags=SYN))).errno == 0
        flags = {ports_of(data)[0]: data[HEADER[version] + 13] for data, _ in received(prober, bool, 2)}
    assert flags == {ports[0]: SYN | ACK, ports[1]: RST | ACK}


def test_the_time_is_the_kernels_not_that_of_reading(version: int) -> None:
    mark = b"\xf1\xe4"

    def same() -> bool:
        """The kernel begins to stamp packets a moment after it is asked for the first time."""
        prober.send(packet(Probe(to(version, 0x1234, 0xF1E4, ECHO[version]), 9, 1)))
        found = [received(one, lambda data: data[HEADER[version] + 4 :][:2] == mark) for one in (prober, other)]
        return found[0][0][1] == found[1][0][1]

    with RawProber() as prober, RawProber() as other:
        deadline = time.monotonic() + DEADLINE
        while not same():
            assert time.monotonic() < deadline


@pytest.mark.parametrize("others", [0, 300, 1000])
def test_ten_thousand_foreign_segments_and_none_is_heard(version: int, others: int) -> None:
    with listener(version) as server, RawProber() as prober:
        port = server.getsockname()[1]
        strangers = [
            Peer(version, number.to_bytes(len(HERE[version]), "big"), 7, 20000 + number) for number in range(others)
        ]
        prober.expect([Peer(version, HERE[version], port, 9), *strangers])
        for number in range(5000):  # each is answered by a reset
            prober.send(packet(Probe(to(version, 7, 1024 + number), 9, 1, flags=SYN)))
        prober.send(packet(Probe(to(version, port, 9), 9, 1, flags=SYN)))
        found = received(prober, lambda data: data[PROTO[version]] == 6)
        assert prober.lost == 0
    assert [ports_of(data) for data, _ in found] == [(port, 9)]


def test_before_anything_is_expected_and_after_nothing_is_any_more(version: int) -> None:
    probe = packet(Probe(to(version, 7, 9), 9, 1, flags=SYN))
    echo = packet(Probe(to(version, 0x1234, 0xF1E1, ECHO[version]), 9, 1))

    def heard(prober: RawProber) -> int:
        """How many of the resets that came before the echo reply did."""
        prober.send(probe)
        prober.send(echo)
        found: list[Packet] = []
        while not any(data[HEADER[version] + 4 : HEADER[version] + 6] == b"\xf1\xe1" for data, _ in found):
            got = prober.receive(DEADLINE)
            assert got
            found += got
        return sum(ports_of(data) == (7, 9) for data, _ in found)

    with RawProber() as prober:
        assert heard(prober) == 0
        prober.expect([Peer(version, HERE[version], 7, 9)])
        assert heard(prober) == 1
        prober.expect([])
        assert heard(prober) == 0


def test_what_finds_no_room_is_counted_and_remembered(version: int) -> None:
    with RawProber() as prober:
        probe = packet(Probe(to(version, 0x1234, 0xF1E2, ECHO[version]), 9, 1, payload=bytes(30000)))
        for _ in range(2000):
            prober.send(probe)
        assert prober.lost > 0
        lost = prober.lost
        assert 0 < len(prober.receive(1)) <= probing.MOST_PACKETS
    assert prober.lost >= lost
    assert prober.receive(0) == []


def test_one_call_gives_a_bounded_number_and_the_next_the_rest() -> None:
    share = probing.MOST_PACKETS // 4
    with RawProber() as prober:
        for number in range(1, 301):
            prober.send(packet(Probe(to(4, 0x1234, 0xF1E3, 1), 9, number)))
        first = prober.receive(DEADLINE)
        assert share <= len(first) <= probing.MOST_PACKETS
        ours = [data for data, _ in first if data[24:26] == b"\xf1\xe3"]
        ours += [data for data, _ in received(prober, lambda data: data[24:26] == b"\xf1\xe3", 300 - len(ours))]
    assert [struct.unpack_from("!H", data, 26)[0] for data in ours] == list(range(1, 301))


def test_nothing_comes_within_the_time() -> None:
    with RawProber() as prober:
        began = time.monotonic()
        while prober.receive(0.05):  # somebody else's
            began = time.monotonic()
        assert time.monotonic() - began >= 0.045
        assert isinstance(prober.receive(-1), list)


@pytest.mark.parametrize("broken", [b"", b"E", bytes(64), bytes([0x45]) * 19, bytes([0x60]) * 39])
def test_what_is_no_packet(broken: bytes) -> None:
    with RawProber() as prober, pytest.raises(FleutanError, match=f"sending a probe: {len(broken)} bytes that are no"):
        prober.send(broken)


def test_what_does_not_fit_the_device(version: int) -> None:
    with RawProber("lo") as prober:
        short = packet(Probe(to(version, 7, 9, 17), 9, 1))
        assert prober.send(short).errno == 0
        whole = 65535 if version == 4 else 65575
        assert prober.send(short + bytes(whole + 2000 - len(short))).errno == errno.EMSGSIZE


def test_no_such_device() -> None:
    with pytest.raises(Unsendable, match="probing through fln-none: no such interface"), RawProber("fln-none"):
        pytest.fail("it cannot be entered")


def test_without_privileges() -> None:
    before = os.listdir("/proc/self/fd")
    os.seteuid(65534)
    try:
        with pytest.raises(NotSupported, match="it needs CAP_NET_RAW; run as root"), RawProber():
            pytest.fail("it cannot be entered")
    finally:
        os.seteuid(0)
    assert os.listdir("/proc/self/fd") == before


def test_privileges_are_needed_to_open_only() -> None:
    with RawProber() as prober:
        os.seteuid(65534)
        try:
            prober.expect([Peer(4, HERE[4], 7, 9)])
            assert prober.send(packet(Probe(to(4, 7, 9), 9, 1, flags=SYN))).errno == 0
            received(prober, lambda data: data[9] == 6)
        finally:
            os.seteuid(0)
