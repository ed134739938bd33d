# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
import socket
import time
from pathlib import Path

import numpy as np
import pytest
from tests.bpf import same_object_again
from tests.linux.packets.conftest import Inside

from fleutan.errors import FleutanError, Gone, UsageError
from fleutan.linux.libbpf import counting_runs
from fleutan.linux.packets import records
from fleutan.linux.packets.bpf import _PLACES, RAREST, Counted, Taps, scale
from fleutan.records import Records

LO = 1


def send(count: int, size: int = 100) -> None:
    """Datagrams to a port of loopback."""
    with socket.socket(type=socket.SOCK_DGRAM) as here, socket.socket(type=socket.SOCK_DGRAM) as there:
        there.bind(("127.0.0.1", 0))
        for _ in range(count):
            here.sendto(bytes(size), there.getsockname())
            there.recv(2000)


def tapped(taps: Taps, one_in: int, index: int = LO) -> None:
    for egress in (False, True):
        taps.tap(index, egress=egress, ethernet=True)
        taps.set_rate(index, egress=egress, one_in=one_in)


def read(taps: Taps) -> Records:
    return records.parse(taps.read(), taps.room, time.time_ns() - time.monotonic_ns())


def test_the_source_compiles_to_the_object_that_is_kept(tmp_path: Path) -> None:
    same_object_again("samples", tmp_path)


def test_all_packets_are_samples_where_the_rate_says_so(inside: Inside) -> None:
    before = time.time_ns()
    with Taps() as taps:
        tapped(taps, 1)
        send(50)
        found = read(taps)
        assert [taps.counted(LO, egress=egress) for egress in (False, True)] == [Counted(50, 50, 0)] * 2
    values = found.values
    assert found.rows == 100
    assert (values["length"] == 142).all()
    assert (values["kept"] == 128).all()
    assert before < values["at_ns"].min() <= values["at_ns"].max() <= time.time_ns() + 1_000_000_000
    assert [int((values["egress"] == way).sum()) for way in (0, 1)] == [50, 50]
    assert found.known["cookie"].all()
    assert values["way"].tolist() == np.where(values["egress"] == 1, 2, 1).tolist(), "sent, or received"
    assert not found.known["tcpi_rtt"].any()


def test_a_part_of_the_packets_are_samples_and_the_rate_can_be_changed(inside: Inside) -> None:
    with Taps() as taps:
        tapped(taps, RAREST)
        send(1_000)
        tapped_before = taps.counted(LO, egress=True)
        for one_in, count, least, most in ((10, 5_000, 390, 610), (0, 1_000, 0, 0), (100, 10_000, 50, 150)):
            read(taps)
            seen = taps.counted(LO, egress=True).packets
            taps.set_rate(LO, egress=True, one_in=one_in)
            taps.set_rate(LO, egress=False, one_in=0)
            send(count)
            found = read(taps)
            assert least <= found.rows <= most, "five standard deviations"
            assert (found.values["one_in"] == one_in).all()
            assert taps.counted(LO, egress=True).packets - seen == (count if one_in else 0)
    assert tapped_before.packets == 1_000


def test_what_finds_no_room_is_counted(inside: Inside) -> None:
    with Taps(ring=1 << 12) as taps:
        tapped(taps, 1)
        send(30)
        counted = [taps.counted(LO, egress=egress) for egress in (False, True)]
        assert [one.packets for one in counted] == [30, 30]
        assert sum(one.samples for one in counted) == read(taps).rows == 12
        assert sum(one.lost for one in counted) == 48
        send(1)
        assert read(taps).rows == 2, "there is room again"


def test_more_octets_are_kept_where_they_are_asked_for(inside: Inside) -> None:
    for header in (64, 200, 256):
        with Taps(header) as taps:
            tapped(taps, 1)
            send(1, 500)
            assert read(taps).values["kept"].tolist() == [header] * 2


def test_sockets_get_the_cookies_that_they_had_not(inside: Inside) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        Taps() as taps,
    ):
        taps.number_sockets()
        tapped(taps, 1)
        client.sendall(b"x" * 10)
        found = read(taps)
    assert found.rows >= 2
    assert found.known["cookie"].all()
    assert (found.values["cookie"] > 0).all()
    assert found.known["tcpi_rtt"].all()


def test_a_device_is_tapped_until_it_is_gone_or_let_go(inside: Inside) -> None:
    index = inside.index()
    with Taps(devices=1) as taps:
        assert taps.way in ("tcx", "clsact")
        taps.tap(index, egress=True, ethernet=True)
        assert taps.is_tapped(index, egress=True)
        assert not taps.is_tapped(index, egress=False)
        with pytest.raises(FleutanError, match="no room to sample more than 1 devices"):
            taps.tap(LO, egress=True, ethernet=True)
        taps.untap(index, egress=True)
        with pytest.raises(Gone):
            taps.tap(77, egress=True, ethernet=True)
        taps.tap(LO, egress=True, ethernet=True)
        taps.untap(LO, egress=True)
        taps.tap(index, egress=True, ethernet=True)
        inside.run("ip link delete veth0")
        assert not taps.is_tapped(index, egress=True)


def test_devices_whose_indexes_end_alike_are_told_apart(inside: Inside) -> None:
    with Taps() as taps:
        indexes = [LO + _PLACES * more for more in range(1, 6)]
        tapped(taps, 1)
        for index in indexes[:3]:
            assert taps._numbered(index, ethernet=True) == len(taps._numbers) - 1
        with pytest.raises(FleutanError, match="no room"):
            taps._numbered(indexes[3], ethernet=True)
        send(3)
        assert taps.counted(LO, egress=True).packets == 3


def test_what_runs_is_counted_where_it_is_asked_for(inside: Inside) -> None:
    with Taps() as taps, counting_runs():
        tapped(taps, 0)
        send(10)
        assert taps.runs(egress=True).run_cnt >= 10
        assert taps.counted(LO, egress=True).packets == 0


@pytest.mark.parametrize("header", [0, 257])
def test_numbers_that_are_none_are_refused(header: int) -> None:
    with pytest.raises(UsageError):
        Taps(header)


def test_the_scale_gives_the_chance() -> None:
    assert (scale(0), scale(1), scale(2)) == (0, 0, 65536)
    for one_in in (3, 400, RAREST):
        assert math.isclose(1 - 2 ** (-65536 / scale(one_in)), 1 / one_in, rel_tol=1e-4)
    for wrong in (-1, RAREST + 1):
        with pytest.raises(UsageError, match="is no rate"):
            scale(wrong)
