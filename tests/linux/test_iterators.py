# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ctypes
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.errors import FleutanError
from fleutan.linux import capabilities, libbpf
from fleutan.linux.iterators import SocketIterators, parse_holders, parse_tcp, parse_udp, read_to_end
from fleutan.records import Records

DATA = Path(__file__).parents[1] / "data" / "iterators"
CLONE_NEWNET = 0x4000_0000
ESTABLISHED, SYN_RECV, FIN_WAIT2, TIME_WAIT, CLOSE, CLOSE_WAIT, LISTEN = 1, 3, 5, 6, 7, 8, 10
TCP_DEFER_ACCEPT, TCP_INFO, SO_PRIORITY, SO_INCOMING_CPU, SO_MEMINFO, SO_COOKIE = 9, 11, 12, 49, 55, 57

needs_bpf = pytest.mark.skipif(
    bool(capabilities.missing((*libbpf.CAPABILITIES, "CAP_SYS_ADMIN", "CAP_NET_ADMIN")))
    or not capabilities.has_btf()
    or not capabilities.find_library(),
    reason="needs root (CAP_BPF, CAP_PERFMON, a network namespace of its own), the kernel's BTF and libbpf.so.1",
)

#: struct tcp_info (include/uapi/linux/tcp.h) after its first eight bytes, as getsockopt gives it.
TCP_INFO_MEMBERS = (
    ("I", "rto ato snd_mss rcv_mss unacked sacked lost retrans fackets last_data_sent last_ack_sent last_data_recv"),
    ("I", "last_ack_recv pmtu rcv_ssthresh rtt rttvar snd_ssthresh snd_cwnd advmss reordering rcv_rtt rcv_space"),
    ("I", "total_retrans"),
    ("q", "pacing_rate max_pacing_rate bytes_acked bytes_received"),
    ("I", "segs_out segs_in notsent_bytes min_rtt data_segs_in data_segs_out"),
    ("Q", "delivery_rate busy_time rwnd_limited sndbuf_limited"),
    ("I", "delivered delivered_ce"),
    ("Q", "bytes_sent bytes_retrans"),
    ("I", "dsack_dups reord_seen rcv_ooopack snd_wnd rcv_wnd rehash"),
    ("H", "total_rto total_rto_recoveries"),
    ("I", "total_rto_time received_ce delivered_e1_bytes delivered_e0_bytes delivered_ce_bytes"),
    ("I", "received_e1_bytes received_e0_bytes received_ce_bytes"),
)
#: In microseconds and milliseconds: what goes on running while nothing is sent.
RUNNING = {"busy_time": 1000, "rwnd_limited": 1000, "sndbuf_limited": 1000, "total_rto_time": 1}
RUNNING |= dict.fromkeys(("last_data_sent", "last_data_recv", "last_ack_recv"), 1)
NEVER_FILLED = {"fackets", "last_ack_sent"}
One = TypeVar("One")
Other = TypeVar("Other")
#: Milliseconds that two looks at the same socket may lie apart on a busy machine.
APART = 400


@contextmanager
def own_namespace() -> Iterator[None]:
    """This thread in a network namespace of its own, loopback up."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as before:
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield
        finally:
            libc.setns(before.fileno(), CLONE_NEWNET)


class Crowd:
    """Sockets of every kind, by what they are there for."""

    def __init__(self, held: ExitStack) -> None:
        self._held = held
        self.sockets: dict[str, socket.socket] = {}
        self.listen("listener4", socket.AF_INET, "127.0.0.1", 1001)
        self.listen("listener6", socket.AF_INET6, "::1", 1002, v6only=1)
        self.listen("dual", socket.AF_INET6, "::", 1003)
        self.listen("deferred", socket.AF_INET, "127.0.0.1", 1004)
        self["deferred"].setsockopt(socket.IPPROTO_TCP, TCP_DEFER_ACCEPT, 60)
        for name, listener in (("four", "listener4"), ("six", "listener6"), ("mapped", "dual"), ("full", "listener4")):
            self.connect(name, listener)
        self.talk()
        self.datagrams()
        self.leave()

    def __getitem__(self, name: str) -> socket.socket:
        return self.sockets[name]

    def hold(self, name: str, made: socket.socket) -> socket.socket:
        self.sockets[name] = self._held.enter_context(made)
        return made

    def listen(self, name: str, family: int, address: str, port: int, v6only: int = 0) -> None:
        made = self.hold(name, socket.socket(family, socket.SOCK_STREAM))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
        made.bind((address, port))
        made.listen(5)

    def connect(self, name: str, listener: str) -> None:
        address = "127.0.0.1" if name == "mapped" else self[listener].getsockname()[0]
        self.hold(name, socket.create_connection((address, self[listener].getsockname()[1])))
        self.hold(f"{name} accepted", self[listener].accept()[0])

    def talk(self) -> None:
        for number, name in enumerate(("four", "six", "mapped"), 1):
            for _ in range(3):
                self[name].sendall(b"x" * 1000 * number)
                self[f"{name} accepted"].recv(700)
                self[f"{name} accepted"].sendall(b"y" * number)
        self["four"].setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self["four"].setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 77)
        self["four"].setsockopt(socket.SOL_SOCKET, SO_PRIORITY, 5)
        self["four"].setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x28)
        self["six"].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0x20)
        self["full"].setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self["full"].send(b"z" * 65536)

    def datagrams(self) -> None:
        self.hold("udp", socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind(("127.0.0.1", 2001))
        self["udp"].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.hold("udp6", socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)).bind(("::", 2002))
        self.hold("udp connected", socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).connect(("127.0.0.1", 2001))
        for _ in range(20):
            self["udp connected"].send(b"q" * 200)

    def leave(self) -> None:
        """Connections in TIME-WAIT, in FIN-WAIT-2 and CLOSE-WAIT, and two that nobody has accepted."""
        for name in ("past", "half"):
            self.connect(name, "listener4")
            self[name].close()
            assert self[f"{name} accepted"].recv(1) == b""
        self["past accepted"].close()
        self.hold("waiting", socket.create_connection(("127.0.0.1", 1001)))
        self.hold("held back", socket.create_connection(("127.0.0.1", 1004)))


class Space:
    """A crowd, and the kernel's iterators over it."""

    def __init__(self, crowd: Crowd, kernel: SocketIterators) -> None:
        self.crowd = crowd
        self.kernel = kernel

    def tcp(self) -> Records:
        return parse_tcp(self.kernel.read_tcp())

    def udp(self) -> Records:
        return parse_udp(self.kernel.read_udp())


@pytest.fixture(scope="module")
def space() -> Iterator[Space]:
    with own_namespace(), ExitStack() as held, SocketIterators() as kernel:
        yield Space(Crowd(held), kernel)


def at_rest(look: Callable[[], One], other: Callable[[], Other]) -> tuple[One, Other]:
    """Both looks at a moment at which the first did not change; acknowledgements and probes go on."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        before, seen = look(), other()
        if look() == before:
            return before, seen
    raise AssertionError("the sockets never came to rest")


def row(records: Records, cookie: int) -> dict[str, Any]:
    """The record of a socket by its cookie; None where unknown."""
    (at,) = np.flatnonzero(records.values["idiag_cookie"] == cookie)
    return {
        name: values[at].tolist() if name not in records.known or records.known[name][at] else None
        for name, values in records.values.items()
    }


def option(of: socket.socket, number: int, form: str) -> Any:
    return struct.unpack(form, of.getsockopt(socket.SOL_SOCKET, number, struct.calcsize(form)))


def cookie(of: socket.socket) -> int:
    return int(option(of, SO_COOKIE, "=Q")[0])


def tcp_info(of: socket.socket) -> dict[str, int]:
    """What getsockopt says; only members that this kernel has."""
    raw = of.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 512)
    found = dict(zip(("state", "ca_state", "retransmits", "probes", "backoff", "options"), raw, strict=False))
    found |= {"snd_wscale": raw[6] & 15, "rcv_wscale": raw[6] >> 4}
    found |= {"delivery_rate_app_limited": raw[7] & 1, "fastopen_client_fail": raw[7] >> 1 & 3}
    at = 8
    for form, names in TCP_INFO_MEMBERS:
        for name in names.split():
            size = struct.calcsize(form)
            if at + size <= len(raw) and name not in NEVER_FILLED:
                (found[name],) = struct.unpack_from(form, raw, at)
            at += size
    return found


def without(found: dict[str, int], names: Collection[str]) -> dict[str, int]:
    return {name: value for name, value in found.items() if name not in names}


CONNECTED = [f"{name}{end}" for name in ("four", "six", "mapped", "full") for end in ("", " accepted")]


@needs_bpf
@pytest.mark.parametrize("name", [*CONNECTED, "half accepted", "listener4", "listener6", "dual", "waiting"])
def test_tcp_info_is_that_of_getsockopt(space: Space, name: str) -> None:
    of = space.crowd[name]
    resting, said = at_rest(lambda: without(tcp_info(of), RUNNING), lambda: row(space.tcp(), cookie(of)))
    assert resting == {member: said[f"tcpi_{member}"] for member in resting}
    for member, value in tcp_info(of).items():
        if member in RUNNING:
            assert 0 <= value - said[f"tcpi_{member}"] <= APART * RUNNING[member], member


@needs_bpf
@pytest.mark.parametrize("name", [*CONNECTED, "half accepted", "listener4", "listener6", "dual"])
def test_memory_inode_and_options_are_those_of_getsockopt(space: Space, name: str) -> None:
    of = space.crowd[name]
    names = ("rmem_alloc", "rcvbuf", "wmem_alloc", "sndbuf", "fwd_alloc", "wmem_queued", "optmem", "backlog", "drops")
    memory, said = at_rest(lambda: option(of, SO_MEMINFO, "=9I"), lambda: row(space.tcp(), cookie(of)))
    assert [said[member] for member in names] == list(memory)
    assert said["idiag_inode"] == os.fstat(of.fileno()).st_ino
    assert said["idiag_uid"] == os.getuid()
    assert said["mark"] == of.getsockopt(socket.SOL_SOCKET, socket.SO_MARK)
    assert said["sk_priority"] == of.getsockopt(socket.SOL_SOCKET, SO_PRIORITY)
    assert said["tos"] == of.getsockopt(socket.IPPROTO_IP, socket.IP_TOS)
    cpu = of.getsockopt(socket.SOL_SOCKET, SO_INCOMING_CPU)
    assert said["sk_incoming_cpu"] == (None if cpu < 0 else cpu)
    assert said["netns"] == os.stat("/proc/thread-self/ns/net").st_ino
    congestion = of.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
    assert said["cong"] == congestion.rstrip(b"\0")


@needs_bpf
def test_what_belongs_to_ipv6_only(space: Space) -> None:
    records = space.tcp()
    six, listener6, dual, four = (
        row(records, cookie(space.crowd[name])) for name in ("six", "listener6", "dual", "four")
    )
    assert [one["tclass"] for one in (six, listener6, dual, four)] == [0x20, 0, 0, None]
    assert [one["v6only"] for one in (six, listener6, dual, four)] == [None, 1, 0, None]
    mapped = row(records, cookie(space.crowd["mapped accepted"]))
    assert mapped["idiag_family"] == socket.AF_INET6
    assert struct.pack("=4I", *mapped["idiag_src"]) == socket.inet_pton(socket.AF_INET6, "::ffff:127.0.0.1")


@needs_bpf
def test_queues_sequence_numbers_and_the_device_to_leave_by(space: Space) -> None:
    records = space.tcp()
    four, accepted, full, behind, listener = (
        row(records, cookie(space.crowd[name]))
        for name in ("four", "four accepted", "full", "full accepted", "listener4")
    )
    assert accepted["idiag_rqueue"] == 3 * 1000 - 3 * 700
    assert four["snd_nxt"] == four["snd_una"] == accepted["rcv_nxt"]
    assert full["idiag_wqueue"] > 0
    assert full["snd_una"] == behind["rcv_nxt"] & 0xFFFF_FFFF
    assert full["idiag_timer"] == 4
    assert four["idiag_timer"] == 2
    assert 7_000_000 < four["idiag_expires"] <= 7_200_000
    assert (listener["idiag_rqueue"], listener["idiag_wqueue"], listener["snd_nxt"]) == (1, 5, None)
    assert (four["dst_ifindex"], listener["dst_ifindex"]) == (socket.if_nametoindex("lo"), None)


@needs_bpf
def test_what_is_left_of_a_socket_has_neither_owner_nor_tcp_info(space: Space) -> None:
    records = space.tcp()
    states = records.values["idiag_state"]
    gone = {state: int(np.flatnonzero(states == state)[0]) for state in (TIME_WAIT, SYN_RECV)}
    port = space.crowd["held back"].getsockname()[1]
    assert records.values["idiag_dport"][gone[SYN_RECV]] == port
    assert records.values["idiag_timer"][[gone[TIME_WAIT], gone[SYN_RECV]]].tolist() == [3, 1]
    assert 0 < records.values["idiag_expires"][gone[TIME_WAIT]] <= 60_000
    for at in gone.values():
        assert records.values["idiag_inode"][at] == 0
        for name in ("tcpi_rtt", "rcvbuf", "snd_una", "cong", "sk_incoming_cpu", "tos", "sk_priority"):
            assert not records.known[name][at]
    assert not records.known["idiag_uid"][gone[TIME_WAIT]]
    assert records.known["idiag_uid"][gone[SYN_RECV]]


@needs_bpf
def test_without_remnants_there_are_all_full_sockets_and_no_others(space: Space) -> None:
    with SocketIterators(remnants=False) as kernel:
        found = parse_tcp(kernel.read_tcp())
    every = space.tcp()
    full = every.known["rcvbuf"]
    assert not full.all()
    assert sorted(found.values["idiag_cookie"].tolist()) == sorted(every.values["idiag_cookie"][full].tolist())
    one = row(found, cookie(space.crowd["four"]))
    assert one["tcpi_bytes_sent"] == row(every, cookie(space.crowd["four"]))["tcpi_bytes_sent"] > 0


@needs_bpf
def test_udp_sockets(space: Space) -> None:
    records = space.udp()
    bound, six, connected = (row(records, cookie(space.crowd[name])) for name in ("udp", "udp6", "udp connected"))
    assert [one["idiag_state"] for one in (bound, six, connected)] == [CLOSE, CLOSE, ESTABLISHED]
    assert [one["proto"] for one in (bound, six, connected)] == [socket.IPPROTO_UDP] * 3
    assert bound["drops"] == option(space.crowd["udp"], SO_MEMINFO, "=9I")[8] > 0
    assert bound["idiag_rqueue"] > 0
    assert (bound["idiag_sport"], connected["idiag_dport"], six["idiag_sport"]) == (2001, 2001, 2002)
    assert (bound["dst_ifindex"], connected["dst_ifindex"]) == (None, socket.if_nametoindex("lo"))
    assert (bound["v6only"], six["v6only"]) == (None, 0)
    assert not any(name.startswith("tcpi_") for name in records.values)


def of_proc(table: str) -> set[tuple[object, ...]]:
    """The rows of a file of /proc/net: addresses and ports as text, state, queues, uid, inode."""
    rows = [line.split() for line in Path(f"/proc/thread-self/net/{table}").read_text().splitlines()[1:]]
    return {(one[1], one[2], int(one[3], 16), one[4], int(one[7]), int(one[9])) for one in rows}


def as_in_proc(records: Records, family: int) -> set[tuple[object, ...]]:
    def end(word: str, port: str, at: int) -> str:
        words = records.values[word][at][: 1 if family == socket.AF_INET else 4]
        return "".join(f"{one:08X}" for one in words) + f":{records.values[port][at]:04X}"

    def queues(at: int) -> str:
        # tcp_get4_sock() shows a listener's limit nowhere, and 0 as its send queue
        listens = records.values["idiag_state"][at] == LISTEN
        return f"{0 if listens else records.values['idiag_wqueue'][at]:08X}:{records.values['idiag_rqueue'][at]:08X}"

    return {
        (
            end("idiag_src", "idiag_sport", at),
            end("idiag_dst", "idiag_dport", at),
            int(records.values["idiag_state"][at]),
            queues(at),
            int(records.values["idiag_uid"][at]),
            int(records.values["idiag_inode"][at]),
        )
        for at in np.flatnonzero(records.values["idiag_family"] == family).tolist()
    }


@needs_bpf
@pytest.mark.parametrize(("table", "family"), [("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)])
def test_tcp_rows_are_those_of_proc(space: Space, table: str, family: int) -> None:
    shown, said = at_rest(lambda: of_proc(table), lambda: as_in_proc(space.tcp(), family))
    assert said == shown


@needs_bpf
@pytest.mark.parametrize(("table", "family"), [("udp", socket.AF_INET), ("udp6", socket.AF_INET6)])
def test_udp_rows_are_those_of_proc(space: Space, table: str, family: int) -> None:
    shown, said = at_rest(lambda: of_proc(table), lambda: as_in_proc(space.udp(), family))
    assert said == shown


#: What ss calls a member, and how it writes the number.
IN_SS: dict[str, tuple[str, Callable[[str], float]]] = {
    "cwnd": ("tcpi_snd_cwnd", int),
    "mss": ("tcpi_snd_mss", int),
    "rcvmss": ("tcpi_rcv_mss", int),
    "advmss": ("tcpi_advmss", int),
    "pmtu": ("tcpi_pmtu", int),
    "bytes_acked": ("tcpi_bytes_acked", int),
    "bytes_received": ("tcpi_bytes_received", int),
    "bytes_sent": ("tcpi_bytes_sent", int),
    "segs_out": ("tcpi_segs_out", int),
    "segs_in": ("tcpi_segs_in", int),
    "delivered": ("tcpi_delivered", int),
    "rcv_space": ("tcpi_rcv_space", int),
    "rcv_ssthresh": ("tcpi_rcv_ssthresh", int),
    "minrtt": ("tcpi_min_rtt", lambda text: round(float(text) * 1000)),
    "ino": ("idiag_inode", int),
}


def in_ss() -> dict[int, dict[str, float]]:
    """What ss shows of each socket, by cookie."""
    lines = subprocess.run(["ss", "-tanieOH"], check=True, capture_output=True, text=True).stdout.splitlines()
    shown = {}
    for line in lines:
        found = dict(re.findall(r"\b(\w+):(\S+)", line))
        shown[int(found["sk"], 16)] = {word: read(found[word]) for word, (_, read) in IN_SS.items() if word in found}
    return shown


@needs_bpf
@pytest.mark.skipif(not shutil.which("ss"), reason="needs ss")
def test_the_sockets_are_those_of_ss(space: Space) -> None:
    shown, records = at_rest(in_ss, space.tcp)
    assert len(shown) == records.rows
    for number, words in shown.items():
        said = row(records, number)
        assert words == {word: said[IN_SS[word][0]] for word in words}


@needs_bpf
def test_holders_are_the_open_descriptors(space: Space) -> None:
    records = parse_holders(space.kernel.read_holders())
    mine = records.values["pid"] == os.getpid()
    found = set(zip(records.values["fd"][mine].tolist(), records.values["inode"][mine].tolist(), strict=True))
    ours = [one for one in space.crowd.sockets.values() if one.fileno() >= 0]
    assert found >= {(one.fileno(), os.fstat(one.fileno()).st_ino) for one in ours}
    with socket.socket(socket.AF_UNIX) as other:
        again = parse_holders(space.kernel.read_holders())
    assert os.getpid() in again.values["pid"]
    assert not any(again.values["fd"][again.values["pid"] == os.getpid()] == other.fileno())


IN_A_PID_NAMESPACE = """
import os, socket
from fleutan.linux.iterators import SocketIterators, parse_holders
held = socket.socket()
with SocketIterators() as kernel:
    records = parse_holders(kernel.read_holders())
found = zip(records.values["pid"].tolist(), records.values["fd"].tolist())
print(os.getpid(), (os.getpid(), held.fileno()) in found, set(records.values["pid"].tolist()))
"""


@needs_bpf
@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare")
def test_holders_have_the_numbers_of_the_readers_pid_namespace() -> None:
    child = ["unshare", "--pid", "--fork", sys.executable, "-c", IN_A_PID_NAMESPACE]
    said = subprocess.run(child, check=True, capture_output=True, text=True).stdout
    assert said == "1 True {1}\n"


@needs_bpf
def test_one_object_reads_each_threads_own_namespace(space: Space) -> None:
    counts: list[int] = []

    def elsewhere() -> None:
        if not ctypes.CDLL(None).unshare(CLONE_NEWNET):
            counts.append(len(space.kernel.read_tcp()))

    thread = Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert counts == [0]
    assert len(space.kernel.read_tcp()) > 0


def test_reading_imports_no_numpy() -> None:
    check = "import sys, fleutan.linux.iterators as i; print('numpy' in sys.modules, i.ticks_per_second() > 0)"
    assert subprocess.run([sys.executable, "-c", check], check=True, capture_output=True).stdout == b"False True\n"


# -- reading bytes


def test_reading_grows_with_what_comes() -> None:
    source, sink = os.pipe()
    sent = os.urandom(40_000)
    os.write(sink, sent)
    os.close(sink)
    assert read_to_end(source, room=4096) == sent


def test_reading_goes_on_where_the_kernel_says_again() -> None:
    source, sink = os.pipe()
    os.set_blocking(source, False)
    found: list[memoryview] = []
    reader = Thread(target=lambda: found.append(read_to_end(source, room=4096)))
    reader.start()
    os.write(sink, b"x" * 10)
    os.close(sink)
    reader.join(timeout=10)
    assert found[0] == b"x" * 10


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FleutanError, match="sockets: reading the kernel's iterator failed: Is a directory"):
        read_to_end(os.open(tmp_path, os.O_RDONLY))
    with pytest.raises(FleutanError, match="Bad file descriptor"):
        read_to_end(-1)


# -- recorded bytes


@pytest.fixture(scope="module")
def recorded() -> bytes:
    return (DATA / "tcp.bin").read_bytes()


def test_recorded_tcp_sockets(recorded: bytes) -> None:
    records = parse_tcp(recorded)
    assert records.rows == 19
    states = records.values["idiag_state"].tolist()
    expected = {LISTEN: 4, ESTABLISHED: 11, TIME_WAIT: 1, FIN_WAIT2: 1, CLOSE_WAIT: 1, SYN_RECV: 1}
    assert {state: states.count(state) for state in expected} == expected
    assert len(set(records.values["idiag_cookie"].tolist())) == records.rows
    assert all(values.dtype == np.int64 for name, values in records.values.items() if values.dtype.kind == "i")
    assert records.values["idiag_src"].shape == (19, 4)
    assert records.values["cong"].dtype == "S16"


def test_a_name_that_no_record_has_is_absent_and_one_that_some_have_is_masked(recorded: bytes) -> None:
    records = parse_tcp(recorded)
    assert "ulp" not in records.values
    assert "idiag_src" not in records.known
    assert set(records.known["tcpi_rtt"].tolist()) == {True, False}
    alone = parse_tcp(recorded[480 * int(np.flatnonzero(records.values["idiag_state"] == SYN_RECV)[0]) :][:480])
    assert not any(name.startswith("tcpi_") for name in alone.values)
    assert alone.known == {}


def test_only_the_names_asked_for(recorded: bytes) -> None:
    some = parse_tcp(recorded, {"cong", "tcpi_rtt", "idiag_dst", "ulp", "no such name"})
    every = parse_tcp(recorded)
    assert list(some.values) == ["idiag_dst", "tcpi_rtt", "cong"]
    for name, values in some.values.items():
        assert np.array_equal(values, every.values[name])


def test_recorded_udp_sockets_and_holders() -> None:
    sockets = parse_udp((DATA / "udp.bin").read_bytes())
    holders = parse_holders((DATA / "holders.bin").read_bytes())
    assert sorted(sockets.values["idiag_sport"].tolist())[:2] == [2001, 2002]
    assert set(sockets.values["idiag_inode"].tolist()) <= set(holders.values["inode"].tolist())
    assert list(holders.values) == ["pid", "fd", "inode"]


@pytest.mark.parametrize("parse", [parse_tcp, parse_udp, parse_holders])
def test_nothing_read_is_no_rows(parse: Callable[[bytes], Records]) -> None:
    assert parse(b"") == Records(0, {}, {})


def test_truncation_anywhere_is_told_or_leaves_whole_records(recorded: bytes) -> None:
    for length in range(1000):
        if length % 480:
            with pytest.raises(FleutanError, match=f"{length % 480} bytes are left over after {length // 480} records"):
                parse_tcp(recorded[:length])
        else:
            assert parse_tcp(recorded[:length]).rows == length // 480


@given(st.binary(min_size=152, max_size=152))
def test_any_bytes_are_a_socket(noise: bytes) -> None:
    records = parse_udp(noise)
    assert records.rows == 1
    assert all(len(values) == 1 for values in records.values.values())
    assert records.known == {}
