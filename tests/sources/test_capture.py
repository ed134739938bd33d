# SPDX-License-Identifier: Apache-2.0
"""What is read, in which way and with which notes: every answer of the kernel stands in for itself."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

import pytest

from fleutan.errors import FleutanError, Gone, NotSupported, UsageError
from fleutan.linux.iterators import SocketIterators
from fleutan.linux.namespaces import Namespace
from fleutan.linux.proc import Holders
from fleutan.linux.sockdiag import Dump as Answer
from fleutan.sources import flows
from fleutan.sources.capture import WORTH_BPF, Beside, Capture, Choice, Kernel, Reader, choose, without_remnants

HERE = Namespace(1, "host", "/here")
BLUE = Namespace(2, "blue", "/run/netns/blue")
FEW = Holders([7], [70], 0)
NO_BPF = NotSupported("BPF", "there is no libbpf.so.1", "install libbpf1")
UNLISTED = NotSupported("listing udp sockets", "this kernel does not offer it (no udp_diag)")


def give(what: bytes | Exception) -> bytes:
    if isinstance(what, Exception):
        raise what
    return what


class Programs:
    """BPF programs that give these bytes; ``events`` says when they were loaded and unloaded."""

    def __init__(self, tcp: bytes | Exception = b"T", udp: bytes = b"U", holders: bytes | Exception = b"H") -> None:
        self.tcp, self.udp, self.holders = tcp, udp, holders
        self.events: list[str] = []

    def __enter__(self) -> Programs:
        self.events.append("loaded")
        return self

    def __exit__(self, *trouble: object) -> None:
        self.events.append("unloaded")

    def read_tcp(self) -> bytes:
        return give(self.tcp)

    def read_udp(self) -> bytes:
        return self.udp

    def read_holders(self) -> bytes:
        return give(self.holders)


class Entered:
    """Goes into namespaces, but into none whose inode is among ``lost``."""

    def __init__(self, lost: tuple[int, ...] = ()) -> None:
        self.lost = lost
        self.inside: list[str] = []

    @contextmanager
    def __call__(self, space: Namespace) -> Iterator[None]:
        if space.inode in self.lost:
            raise Gone(f"network namespace {space.name} is gone")
        self.inside.append(space.name)
        yield


def find(spelling: str) -> Namespace:
    if spelling != "blue":
        raise UsageError(f"no network namespace called {spelling!r}")
    return BLUE


def dump(protocol: int) -> Answer:
    return Answer(memoryview(str(protocol).encode()), False)


def linux(**others: Any) -> Kernel:
    """A host of a few sockets in one namespace; what is named is otherwise."""
    given: dict[str, Any] = {
        "load": Programs,
        "dump": dump,
        "holders": lambda: FEW,
        "protocols": dict,
        "release": lambda: "6.18.1",
        "open_files": lambda: 100,
        "socket_counts": lambda: {"TCP": 10},
        "current": lambda: HERE,
        "find": find,
        "every": lambda: ([HERE, BLUE], []),
        "entered": Entered(),
        "interfaces": lambda: {1: "lo"},
        "user": lambda: 0,
    }
    return Kernel(**given | others)


def taken(netns: str | None = None, source: Choice = "auto", **others: Any) -> Capture:
    with Reader(netns, source, kernel=linux(**others)) as reader:
        return reader.take()


def read(capture: Capture) -> list[tuple[str, int, str, bytes]]:
    return [
        (space.namespace.name, part.protocol, part.reader, bytes(part.data))
        for space in capture.namespaces
        for part in space.dumps
    ]


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("source", "files", "sockets", "way"),
    [
        ("auto", WORTH_BPF - 1, WORTH_BPF - 1, "netlink"),
        ("auto", WORTH_BPF, 0, "bpf"),
        ("auto", 0, WORTH_BPF, "bpf"),
        ("netlink", WORTH_BPF, WORTH_BPF, "netlink"),
        ("bpf", 0, 0, "bpf"),
    ],
)
def test_a_crowded_host_is_worth_loading_programs(source: Choice, files: int, sockets: int, way: str) -> None:
    counts = {"TCP": sockets // 2, "TCP tw": sockets - sockets // 2}
    assert choose(source, linux(open_files=lambda: files, socket_counts=lambda: counts)) == way


def test_a_source_that_does_not_exist_is_a_wrong_question() -> None:
    with pytest.raises(UsageError, match="no way of reading is called 'ebpf'; there are auto, netlink, bpf"):
        Reader(source="ebpf", kernel=linux())  # type: ignore[arg-type]


def test_netlink_reads_what_the_kernel_counts_and_owners_from_proc() -> None:
    counts = {"TCP": 3, "SCTPv6": 1, "SCTP": 0, "RAW": 0, "MPTCP": 2, "UNIX": 9}
    found = taken(protocols=lambda: counts)
    assert read(found) == [("host", number, "netlink", str(number).encode()) for number in (6, 17, 132, 262)]
    assert found.namespaces[0].interfaces == {1: "lo"}
    assert found.source == "sock_diag; owners: /proc/*/fd"
    assert found.holders is FEW
    assert (found.notes, found.unreadable) == ([], "")


def test_bpf_reads_tcp_and_udp_and_netlink_what_is_left() -> None:
    found = taken(source="bpf", protocols=lambda: {"MPTCPv6": 1})
    assert read(found) == [
        ("host", 6, "bpf", b"T"),
        ("host", 17, "bpf", b"U"),
        ("host", 262, "netlink", b"262"),
    ]
    assert found.source == "iter/tcp, iter/udp, sock_diag; owners: iter/task_file"
    assert found.holders == b"H"
    assert taken(source="bpf").source == "iter/tcp, iter/udp; owners: iter/task_file"


@pytest.mark.parametrize(
    ("release", "counts", "asked"),
    [
        ("6.1.0-18-amd64", {"MPTCP": 0, "MPTCPv6": 0, "SCTP": 1}, [132, 262]),
        ("5.15.0", {"MPTCP": 1, "RAW": 1}, [255, 262]),  # backported: counted all the same
        ("6.2", {"TCP": 5}, []),  # built without MPTCP
        ("6.3.0-rc1", {"MPTCP": 0}, []),
        ("10.0", {"MPTCP": 0}, []),
        ("of its own", {"MPTCP": 0}, [262]),
    ],
)
def test_where_the_kernel_does_not_count_mptcp_it_is_asked(
    release: str, counts: dict[str, int], asked: list[int]
) -> None:
    for source in ("bpf", "netlink"):
        found = taken(source=source, protocols=lambda: counts, release=lambda: release)
        assert [part[1] for part in read(found)] == [6, 17, *asked]


def test_programs_are_loaded_once_and_unloaded_at_the_end() -> None:
    programs = Programs()
    with Reader(source="bpf", kernel=linux(load=lambda: programs)) as reader:
        assert programs.events == []
        reader.take()
        reader.take()
        assert programs.events == ["loaded"]
    assert programs.events == ["loaded", "unloaded"]


def test_without_owners_nobody_is_asked_for_them() -> None:
    for source, said in (("bpf", "iter/tcp, iter/udp"), ("netlink", "sock_diag")):
        with Reader(source=source, owners=False, kernel=linux(holders=raising(AssertionError()))) as reader:  # type: ignore[arg-type]
            found = reader.take()
        assert (found.source, found.holders) == (said, None)


def test_where_bpf_is_refused_netlink_answers_and_a_note_says_why() -> None:
    crowded = {"open_files": lambda: WORTH_BPF}
    with Reader(kernel=linux(load=raising(NO_BPF), **crowded)) as reader:
        assert reader.way == "bpf"
        first, second = reader.take(), reader.take()
    for found in (first, second):
        assert [part[2] for part in read(found)] == ["netlink", "netlink"]
        assert found.source == "sock_diag; owners: /proc/*/fd"
        assert found.notes == [f"read through sock_diag, without CPUs and queues: {NO_BPF}"]


def test_where_bpf_is_forced_its_refusal_is_the_answer() -> None:
    with pytest.raises(NotSupported, match="there is no libbpf"):
        taken(source="bpf", load=raising(NO_BPF))


def test_without_libbpf_the_real_loader_says_what_to_install() -> None:
    def load() -> SocketIterators:
        return SocketIterators(library="libbpf.so.none")

    with pytest.raises(NotSupported, match=r"there is no libbpf.so.none; install libbpf1"):
        taken(source="bpf", load=load)
    found = taken(open_files=lambda: WORTH_BPF, load=load)
    assert "there is no libbpf.so.none" in found.notes[0]


@pytest.mark.parametrize("error", [NO_BPF, FleutanError("sockets: reading the kernel's iterator failed: No memory")])
def test_where_an_iterator_fails_netlink_answers(error: FleutanError) -> None:
    programs = Programs(tcp=error)
    with Reader("all", kernel=linux(open_files=lambda: WORTH_BPF, load=lambda: programs)) as reader:
        found = reader.take()
    assert [part[:3] for part in read(found)] == [
        (name, number, "netlink") for name in ("host", "blue") for number in (6, 17)
    ]
    assert found.source == "sock_diag; owners: iter/task_file"
    assert found.notes == [f"read through sock_diag, without CPUs and queues: {error}"]
    with pytest.raises(type(error)):
        taken(source="bpf", load=lambda: programs)
    assert programs.events == ["loaded", "unloaded"] * 2


def test_where_the_iterator_over_files_fails_proc_answers() -> None:
    found = taken(source="bpf", load=lambda: Programs(holders=FleutanError("out of luck")))
    assert found.holders is FEW
    assert found.source == "iter/tcp, iter/udp; owners: /proc/*/fd"
    assert found.notes == ["owners read from /proc: out of luck"]


def test_what_nobody_expects_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        taken(source="bpf", load=lambda: Programs(holders=ZeroDivisionError()))


def test_processes_that_keep_their_files_to_themselves_are_told() -> None:
    some, hidden = FEW._replace(unreadable=3), FEW._replace(hidden=True)
    found = taken(holders=lambda: some)
    assert found.source == "sock_diag; owners: /proc/*/fd, without 3 processes"
    assert found.unreadable == "3 processes"
    found = taken(holders=lambda: some, user=lambda: 1000)
    assert found.source == "sock_diag; owners: /proc/*/fd, own processes only"
    found = taken(holders=lambda: hidden, user=lambda: 1000)
    assert found.source == "sock_diag; owners: /proc/*/fd, own processes only"
    assert found.unreadable == "other users' processes"


def test_a_kernel_that_does_not_list_tcp_cannot_answer() -> None:
    error = NotSupported("listing tcp sockets", "this kernel does not offer it (no tcp_diag)", "try: modprobe tcp_diag")
    with pytest.raises(NotSupported, match="no tcp_diag"):
        taken(dump=raising(error))


def test_what_else_a_kernel_does_not_list_is_noted_once() -> None:
    def partly(protocol: int) -> Answer:
        return Answer(memoryview(b"t"), True) if protocol == 6 else raising(UNLISTED)()

    found = taken("all", dump=partly)
    assert read(found) == [("host", 6, "netlink", b"t"), ("blue", 6, "netlink", b"t")]
    assert len(found.notes) == 2
    assert "changed while it was read" in found.notes[0]
    assert found.notes[1] == str(UNLISTED)


def test_one_namespace_is_that_of_the_thread_or_the_one_asked_for() -> None:
    entered = Entered()
    assert [part[0] for part in read(taken(entered=entered))] == ["host", "host"]
    assert [part[0] for part in read(taken("blue", entered=entered))] == ["blue", "blue"]
    assert entered.inside == ["host", "blue"]
    with pytest.raises(UsageError, match="no network namespace called 'red'"):
        Reader("red", kernel=linux())


def test_all_namespaces_are_looked_for_at_every_reading() -> None:
    rounds = [([HERE], ["1 may not be looked at"]), ([HERE, BLUE], [])]
    with Reader("all", kernel=linux(every=lambda: rounds.pop(0))) as reader:
        first, second = reader.take(), reader.take()
    assert [space.namespace for space in first.namespaces] == [HERE]
    assert first.notes == ["1 may not be looked at"]
    assert [space.namespace for space in second.namespaces] == [HERE, BLUE]


def test_a_namespace_that_vanished_is_an_error_alone_and_a_note_among_others() -> None:
    lost = Entered(lost=(2,))
    with pytest.raises(Gone, match="blue is gone"):
        taken("blue", entered=lost)
    found = taken("all", entered=lost)
    assert [space.namespace for space in found.namespaces] == [HERE]
    assert found.notes == ["network namespace blue is gone"]


def test_of_many_namespaces_that_cannot_be_read_a_few_are_named() -> None:
    many = [HERE, *(Namespace(number, f"n{number}", "") for number in range(10, 20))]
    entered = Entered(tuple(range(10, 20)))
    found = taken("all", every=lambda: (many, []), entered=entered)
    told = [f"network namespace n{number} is gone" for number in (10, 11, 12)]
    assert found.notes == [*told, "7 more network namespaces could not be read"]
    with pytest.raises(FleutanError, match=r"n10 is gone; network namespace n11 is gone; .*; 7 more"):
        taken("all", every=lambda: (many[1:], []), entered=entered)


def test_the_question_may_ask_for_the_other_way_unless_one_is_forced() -> None:
    with Reader(kernel=linux()) as reader:
        assert not reader.answer_by("auto")
        assert not reader.answer_by("netlink")
        assert reader.answer_by("bpf")
        assert reader.take().source.startswith("iter/tcp")
        assert reader.answer_by("netlink")
        assert reader.take().source.startswith("sock_diag")
    with Reader(source="netlink", answer_by="bpf", kernel=linux()) as reader:
        assert reader.way == "netlink"
    with Reader(answer_by="bpf", kernel=linux()) as reader:
        assert reader.way == "bpf"


def test_many_readings_are_worth_loading_programs_on_a_small_host_too() -> None:
    host = linux(open_files=lambda: WORTH_BPF // 10)
    with Reader(kernel=host) as reader:
        assert not reader.expect(9)
        assert reader.take().source.startswith("sock_diag")
        assert reader.expect(10)
        assert reader.take().source.startswith("iter/tcp")
        assert not reader.expect(10)
    with Reader(source="netlink", kernel=host) as reader:
        assert not reader.expect(float("inf"))


def test_a_capture_says_which_namespaces_were_meant() -> None:
    assert taken("blue").meant() == [BLUE]
    assert taken("all").meant() is None


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 5_000_000_000
        self.slept: list[float] = []

    def steady_ns(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += int(seconds * 1e9)


def test_waiting_goes_by_a_clock_that_nobody_sets() -> None:
    clock = Clock()
    with Reader(kernel=linux(steady_ns=clock.steady_ns, sleep=clock.sleep)) as reader:
        first = reader.take()
        first.at_ns += 10**18  # the wall clock stepped back by 30 years
        clock.now += 500_000_000
        second = reader.take_after(first, 2)
        assert clock.slept == [1.5]
        assert second.steady_ns - first.steady_ns == 2_000_000_000
        clock.now += 3_000_000_000
        reader.take_after(second, 2)
        assert clock.slept == [1.5, 0.0]


def test_a_capture_says_when_it_began() -> None:
    with Reader(kernel=linux()) as reader:
        first, second = reader.take(), reader.take()
    assert first.at_ns > 1_700_000_000 * 10**9
    assert second.steady_ns >= first.steady_ns > 0


def test_a_capture_can_be_taken_beside() -> None:
    with Reader(kernel=linux()) as reader:
        pending = reader.begin()
        assert read(pending.result()) == read(reader.take())
        assert pending.result() is pending.result()


def test_an_error_beside_is_raised_where_the_result_is_asked_for() -> None:
    with Reader("blue", kernel=linux(entered=Entered(lost=(2,)))) as reader:
        pending = reader.begin()
        with pytest.raises(Gone, match="blue is gone"):
            pending.result()


def test_an_interrupt_ends_the_wait() -> None:
    done = Event()

    def hang() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        done.wait(20)

    with pytest.raises(KeyboardInterrupt):  # noqa: PT012  # it may come as soon as the thread runs
        beside = Beside(hang)
        beside.result()
    assert not done.is_set()
    done.set()


HANGING = """
from threading import Event
from fleutan.sources.capture import Kernel, Reader

def dump(protocol):
    print("reading", flush=True)
    Event().wait()

with Reader(source="netlink", kernel=Kernel(dump=dump)) as reader:
    reader.begin().result()
"""


def test_an_interrupt_ends_the_program_though_the_kernel_does_not_answer() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HANGING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "reading\n"
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=20)
    assert complaint.rstrip().endswith("KeyboardInterrupt")
    assert process.returncode == -signal.SIGINT


@pytest.mark.parametrize("trouble", [None, UsageError("a field that does not exist")])
def test_programs_stay_loaded_while_a_thread_reads_through_them(trouble: Exception | None) -> None:
    begun, go_on = Event(), Event()

    class Slow(Programs):
        def read_tcp(self) -> bytes:
            begun.set()
            assert go_on.wait(20)
            assert self.events == ["loaded"]
            return b"T"

    programs = Slow()
    reader = Reader(source="bpf", kernel=linux(load=lambda: programs))
    pending = reader.begin()
    assert begun.wait(20)
    reader.__exit__(type(trouble), trouble, None)
    assert programs.events == ["loaded"]
    go_on.set()
    assert read(pending.result())[0] == ("host", 6, "bpf", b"T")
    assert programs.events == ["loaded", "unloaded"]


def test_without_remnants_netlink_lists_full_sockets_only() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        for _ in range(2):
            client = socket.create_connection(server.getsockname())
            accepted = server.accept()[0]
            client.close()
            assert accepted.recv(1) == b""
            accepted.close()  # the client's end stays in TIME-WAIT
        port = server.getsockname()[1]
        every, full = (Reader(source="netlink", kernel=kernel).take() for kernel in (Kernel(), without_remnants()))
    states = [states_of(capture, port) for capture in (every, full)]
    assert states == [{"listen", "time-wait"}, {"listen"}]


def states_of(capture: Capture, port: int) -> set[str]:
    rows = flows.table(capture, ()).rows()
    return {row["state"] for row in rows if port in (row["sport"], row["dport"])}
