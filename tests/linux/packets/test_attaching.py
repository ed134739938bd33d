# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.linux.packets.conftest import Inside

from fleutan.errors import FleutanError, Gone, NotSupported
from fleutan.linux import capabilities
from fleutan.linux.libbpf import BpfObject, load_library
from fleutan.linux.packets import attaching
from fleutan.linux.packets.attaching import Attaching, Filter, filters, remove_left_over
from fleutan.linux.packets.bpf import _OBJECT, PROGRAMS

#: Attaches both ways to a device of the namespace that it is in, says so, and waits to be killed.
_ATTACHES = """
import sys, time
from fleutan.linux.packets.bpf import Taps
with Taps(tcx=False) as taps:
    for egress in (False, True):
        taps.tap(int(sys.argv[1]), egress=egress, ethernet=True)
    print("ready", flush=True)
    time.sleep(30)
"""


@pytest.fixture
def programs(inside: Inside) -> Iterator[BpfObject]:
    with open(_OBJECT, "rb") as file, BpfObject("samples", file.read(), struct.pack("=II", 64, 128)) as loaded:
        yield loaded


@pytest.mark.parametrize("egress", [False, True])
@pytest.mark.parametrize("tcx", [False, True])
def test_a_program_is_attached_until_it_is_closed_or_the_device_is_gone(
    inside: Inside, programs: BpfObject, tcx: bool, egress: bool
) -> None:
    index, program = inside.index(), programs.descriptor(PROGRAMS[egress])
    attaching = Attaching(tcx=tcx)
    attached = attaching.attach(program, index, egress=egress)
    assert attached.is_there()
    assert len(filters(index, egress=egress)) == (not attaching.tcx)
    attached.close()
    assert not filters(index, egress=egress)
    assert "clsact" not in inside.run("tc qdisc show dev veth0"), "what was made for it goes with it"
    attached = attaching.attach(program, index, egress=egress)
    inside.run("ip link delete veth0")
    assert not attached.is_there()
    attached.close()
    attaching.close()


@pytest.fixture
def away() -> Iterator[str]:
    """Another namespace, by its name."""
    name = f"fln{os.getpid()}-away"
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.mark.parametrize("tcx", [False, True])
def test_a_device_that_moved_away_is_gone_also_where_another_has_its_number(
    inside: Inside, programs: BpfObject, away: str, tcx: bool
) -> None:
    index, program = inside.index(), programs.descriptor(PROGRAMS[True])
    attaching = Attaching(tcx=tcx)
    attached = attaching.attach(program, index, egress=True)
    inside.run(f"ip link set veth0 netns {away}")
    assert not attached.is_there()
    inside.run(f"ip link add other index {index} type veth peer name veth9")
    assert not attached.is_there()
    attached.close()
    attached = attaching.attach(program, index, egress=True)
    assert attached.is_there()
    attached.close()
    attaching.close()


def test_somebody_elses_filters_and_clsact_stay(inside: Inside, programs: BpfObject) -> None:
    inside.run("tc qdisc add dev veth0 clsact")
    inside.run("tc filter add dev veth0 ingress prio 7 u32 match u32 0 0 flowid 1:1")
    attaching = Attaching(tcx=False)
    attached = attaching.attach(programs.descriptor(PROGRAMS[False]), inside.index(), egress=False)
    [ours] = filters(inside.index(), egress=False)
    assert ours.name.startswith("fleutan_in:[")
    assert 0 < ours.priority < 7, "before all others"
    attached.close()
    attaching.close()
    assert "u32" in inside.run("tc filter show dev veth0 ingress")
    assert "clsact" in inside.run("tc qdisc show dev veth0")


def test_two_live_side_by_side_and_behind_what_cannot_be_gone_before(inside: Inside, programs: BpfObject) -> None:
    inside.run("tc qdisc add dev veth0 clsact")
    inside.run("tc filter add dev veth0 ingress prio 1 u32 match u32 0 0 flowid 1:1")
    first, second = Attaching(tcx=False), Attaching(tcx=False)
    held = [one.attach(programs.descriptor(PROGRAMS[False]), inside.index(), egress=False) for one in (first, second)]
    assert {one.priority for one in filters(inside.index(), egress=False)} == {2}
    assert all(one.is_there() for one in held), "one does not take the other's for left over"
    for one in held:
        one.close()
    first.close()
    second.close()


def test_what_a_killed_process_left_is_taken_away_by_the_next(inside: Inside, programs: BpfObject) -> None:
    command = [sys.executable, "-c", _ATTACHES, str(inside.index())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        alive = {egress: filters(inside.index(), egress=egress) for egress in (False, True)}
        assert [len(found) for found in alive.values()] == [1, 1]
        assert remove_left_over(load_library(), inside.index()) == 0, "its owner lives"
        process.send_signal(signal.SIGKILL)
    assert filters(inside.index(), egress=True) == alive[True], "a filter outlives its process"
    attaching = Attaching(tcx=False)
    attached = attaching.attach(programs.descriptor(PROGRAMS[True]), inside.index(), egress=True)
    [ours] = filters(inside.index(), egress=True)
    assert ours.handle != alive[True][0].handle
    assert not filters(inside.index(), egress=False)
    attached.close()
    attaching.close()


@pytest.mark.parametrize("tcx", [False, True])
def test_a_device_that_is_not_there_is_gone(inside: Inside, programs: BpfObject, tcx: bool) -> None:
    attaching = Attaching(tcx=tcx)
    with pytest.raises(Gone, match="there is no device 99"):
        attaching.attach(programs.descriptor(PROGRAMS[True]), 99, egress=True)
    attaching.close()


def test_where_there_are_no_links_it_is_a_filter(
    inside: Inside, programs: BpfObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    attaching = Attaching()
    monkeypatch.setattr(attaching._libbpf, "bpf_link_create", lambda *_: -errno.EINVAL)
    attached = attaching.attach(programs.descriptor(PROGRAMS[True]), inside.index(), egress=True)
    assert not attaching.tcx
    assert len(filters(inside.index(), egress=True)) == 1
    attached.close()
    attaching.close()


def test_what_the_kernel_refuses_is_said() -> None:
    lacking = capabilities.missing(attaching.CAPABILITIES)
    with pytest.raises(NotSupported, match="needs CAP" if lacking else "operation not permitted"):
        attaching._check(-errno.EPERM, 3)
    with pytest.raises(FleutanError, match="device 3: its packets cannot be looked at: no buffer space"):
        attaching._check(-errno.ENOBUFS, 3)


def test_a_number_that_somebody_has_is_not_taken_twice() -> None:
    number = os.getpid()
    with attaching._taken(number) or pytest.fail("nobody has it"):
        assert attaching._taken(number) is None


def test_filters_of_other_kinds_are_passed_over() -> None:
    def message(kind: bytes, handle: int = 5) -> bytes:
        named = struct.pack("=HH", 4 + 8, 7) + b"one:[3]\0"
        said = struct.pack("=HH", 4 + len(kind), 1) + kind.ljust((len(kind) + 3) & ~3, b"\0")
        return struct.pack("=B3xiIII", 0, 2, handle, 0, 9 << 16) + said + struct.pack("=HH", 4 + len(named), 2) + named

    messages = [(44, message(b"bpf\0")), (44, message(b"u32\0")), (44, message(b"bpf\0", 0))]
    assert list(attaching._named(messages)) == [Filter("one:[3]", 5, 9)]
