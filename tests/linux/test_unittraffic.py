# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import cgroups
from tests.bpf import FOLDER, MISSING, needs_bpf, same_object_again

from fleutan.errors import NotSupported
from fleutan.linux import capabilities
from fleutan.linux.cgroupstats.hierarchies import hierarchies
from fleutan.linux.libbpf import counting_runs
from fleutan.linux.maps import Entries
from fleutan.linux.unittraffic import PROGRAMS, Moved, UnitTraffic, parse

NOWHERE = "127.0.0.1"
MOUNT = hierarchies().v2
LACKS = capabilities.missing(("CAP_NET_ADMIN",))
needs_groups = pytest.mark.skipif(
    bool(why := MISSING or ("needs CAP_NET_ADMIN" if LACKS else "" if MOUNT else "needs a hierarchy of cgroup2")),
    reason=why,
)
DATAGRAM, HEADERS = 100, 28


@given(st.binary(max_size=40), st.binary(max_size=100))
def test_whole_rows_are_read(keys: bytes, values: bytes) -> None:
    found = parse(Entries(0, memoryview(keys), memoryview(values)))
    assert len(found) <= min(len(keys) // 8, len(values) // 32)


def test_rows_are_groups() -> None:
    keys, values = struct.pack("=2Q", 7, 9), struct.pack("=8Q", *range(8))
    assert parse(Entries(2, memoryview(keys), memoryview(values))) == {7: Moved(0, 1, 2, 3), 9: Moved(4, 5, 6, 7)}


def test_without_a_hierarchy_it_says_so() -> None:
    with pytest.raises(NotSupported, match="no hierarchy of cgroup2"), UnitTraffic(None):
        pass


@contextmanager
def unit(name: str) -> Iterator[int]:
    """A group of v2 with a process of its own; its id."""
    where = cgroups.real()
    path = f"/fln{os.getpid()}.slice/{name}"
    with cgroups.made(path, where._replace(v1={})) as folders, cgroups.process() as one:
        cgroups.enter(folders, one.pid)
        PROCESSES[name] = one
        yield os.stat(f"{where.v2}{path}").st_ino


PROCESSES: dict[str, cgroups.Process] = {}


@needs_groups
def test_each_group_is_counted_both_ways() -> None:
    with unit("one.service") as one, unit("other.service") as other, UnitTraffic(MOUNT) as counting:
        before = counting.read()
        assert one not in before
        PROCESSES["other.service"].do(
            "import socket\n"
            f"two = socket.socket(type=socket.SOCK_DGRAM); two.bind(('{NOWHERE}', 0))\n"
            f"open('/tmp/fln{os.getpid()}.port', 'w').write(str(two.getsockname()[1]))"
        )
        port = int(Path(f"/tmp/fln{os.getpid()}.port").read_text())  # noqa: S108
        os.unlink(f"/tmp/fln{os.getpid()}.port")  # noqa: S108
        PROCESSES["one.service"].do(
            "import socket\n"
            "one = socket.socket(type=socket.SOCK_DGRAM)\n"
            f"for _ in range(10): one.sendto(bytes({DATAGRAM}), ('{NOWHERE}', {port}))"
        )
        found = counting.read()
        assert found[one] == Moved(0, 0, 10 * (DATAGRAM + HEADERS), 10)
        assert found[other] == Moved(10 * (DATAGRAM + HEADERS), 10, 0, 0)


@needs_groups
@pytest.mark.parametrize(("family", "address", "ip"), [(socket.AF_INET, NOWHERE, 20), (socket.AF_INET6, "::1", 40)])
def test_a_packet_that_stands_for_many_is_counted_as_many(family: int, address: str, ip: int) -> None:
    """TCP says how many segments of data there were, and what was in them (RFC 4898)."""
    size = 4 << 20
    with unit("tcp.service") as number, UnitTraffic(MOUNT) as counting:
        PROCESSES["tcp.service"].do(
            "import socket, struct, threading\n"
            f"listener = socket.create_server(('{address}', 0), family={int(family)})\n"
            f"one = socket.socket({int(family)})\n"
            # Segments smaller than the loopback's own, so that one packet stands for several.
            "one.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000)\n"
            "one.connect(listener.getsockname()[:2])\n"
            "two, _ = listener.accept()\n"
            "def take():\n"
            f"    left = {size}\n"
            "    while left: left -= len(two.recv(1 << 20))\n"
            "reader = threading.Thread(target=take); reader.start()\n"
            f"one.sendall(bytes({size})); reader.join()\n"
            "told = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 512)\n"
            "back = two.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 512)\n"
            # tcpi_segs_out of both
            "segments = sum(struct.unpack_from('=I', text, 136)[0] for text in (told, back))\n"
            f"open('/tmp/fln{os.getpid()}.told', 'w').write(str(segments))"
        )
        segments = int(Path(f"/tmp/fln{os.getpid()}.told").read_text())  # noqa: S108
        os.unlink(f"/tmp/fln{os.getpid()}.told")  # noqa: S108
        found = counting.read()[number]
        # Neither side counts the answer to the first segment, nor do the programs on older kernels; a late
        # acknowledgement may come after it was told.
        assert 0 <= found.tx_packets - segments <= 2
        assert segments > size // 1000
        # Options are 12 octets in all but the first segments of each side.
        headers = found.tx_packets * (ip + 32)
        assert size + headers <= found.tx_bytes <= size + headers + 100
        assert found.rx_bytes == pytest.approx(found.tx_bytes, rel=0.001)


@needs_groups
def test_its_cost_is_counted_where_the_kernel_counts() -> None:
    with counting_runs(), UnitTraffic(MOUNT) as counting, socket.socket(type=socket.SOCK_DGRAM) as one:
        one.bind((NOWHERE, 0))
        one.sendto(b"x", one.getsockname())
        runs = [counting.runs(program) for program in PROGRAMS]
    assert all(found.run_cnt >= 1 and found.run_time_ns > 0 for found in runs)


@needs_groups
def test_nothing_is_left_behind(closed: None, tmp_path: Path) -> None:
    with UnitTraffic(MOUNT):
        pass
    for mount, why in ((str(tmp_path / "no"), "no such file"), (str(tmp_path), "Bad file")):
        with pytest.raises(NotSupported, match=why), UnitTraffic(mount):
            pass


@needs_bpf
def test_without_libbpf_it_says_what_to_install() -> None:
    with pytest.raises(NotSupported, match="install libbpf1"), UnitTraffic("/", library="libbpf.so.0x"):
        pass


def test_the_object_is_what_its_source_compiles_to(tmp_path: Path) -> None:
    assert (FOLDER / "units.bpf.c").exists()
    same_object_again("units", tmp_path)
