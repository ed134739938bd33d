# SPDX-License-Identifier: Apache-2.0
"""Every socket and its holders through BPF iterators: reading bytes, and bytes into Records.

The records are those of bpf/sockets.bpf.c and its headers, whose layout stands here a second
time.  Reading imports no numpy, so that it can run in a thread while the main thread imports it;
parsing needs neither kernel nor privileges.  What a column means is not decided here.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import time
from collections.abc import Collection
from ctypes import c_char_p, c_int, c_size_t, c_void_p
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import TYPE_CHECKING, Any

from fleutan.errors import FleutanError
from fleutan.linux.capabilities import LIBBPF
from fleutan.linux.libbpf import BpfObject

if TYPE_CHECKING:
    from fleutan.records import Known, Records, Values

    Buffer = bytes | bytearray | memoryview
    #: numpy type, bit of ``known`` without which a record lacks them, members in order.
    Layout = tuple[tuple[str, int, str], ...]

_OBJECT = os.path.join(os.path.dirname(__file__), "bpf", "sockets.bpf.o")

#: The bits of ``known``, as in bpf/socket_record.h; every record has what is marked ALWAYS.
ALWAYS = -1
UID, SOCKET, TCLASS, V6ONLY, CGROUP, CPU, RX_QUEUE, TX_QUEUE, DST = range(9)
TCP, SEQUENCE, CONG, ULP, TOTAL_RTO, ACCECN = range(9, 15)
#: Not a column.
HIDDEN = -2

#: struct socket_record, bpf/socket_record.h.
_SOCKET: Layout = (
    ("i8", ALWAYS, "idiag_cookie"),
    ("i8", CGROUP, "cgroup_id"),
    ("4u4", ALWAYS, "idiag_src idiag_dst"),
    ("u4", HIDDEN, "known"),
    ("u4", ALWAYS, "idiag_if idiag_expires idiag_rqueue idiag_wqueue"),
    ("u4", UID, "idiag_uid"),
    ("u4", ALWAYS, "idiag_inode mark netns"),
    ("u4", SOCKET, "sk_priority"),
    ("u4", DST, "dst_ifindex"),
    ("u4", CPU, "sk_incoming_cpu"),
    ("u4", SOCKET, "rmem_alloc rcvbuf wmem_alloc sndbuf fwd_alloc wmem_queued optmem backlog drops"),
    ("u2", ALWAYS, "idiag_sport idiag_dport"),
    ("u2", RX_QUEUE, "sk_rx_queue"),
    ("u2", TX_QUEUE, "sk_tx_queue"),
    ("u1", ALWAYS, "proto idiag_family idiag_state idiag_timer idiag_retrans"),
    ("u1", SOCKET, "tos"),
    ("u1", TCLASS, "tclass"),
    ("u1", V6ONLY, "v6only"),
    ("u1", SOCKET, "shutdown"),
    ("3u1", TCLASS, "flow_label"),
)
#: struct tcp_record, bpf/tcp_info.h, which follows it for every TCP socket.
_TCP: Layout = (
    ("i8", TCP, "tcpi_pacing_rate tcpi_max_pacing_rate tcpi_bytes_acked tcpi_bytes_received tcpi_delivery_rate"),
    ("i8", TCP, "tcpi_busy_time tcpi_rwnd_limited tcpi_sndbuf_limited tcpi_bytes_sent tcpi_bytes_retrans"),
    ("u4", TCP, "tcpi_rto tcpi_ato tcpi_snd_mss tcpi_rcv_mss tcpi_unacked tcpi_sacked tcpi_lost tcpi_retrans"),
    ("u4", TCP, "tcpi_last_data_sent tcpi_last_data_recv tcpi_last_ack_recv tcpi_pmtu tcpi_rcv_ssthresh"),
    ("u4", TCP, "tcpi_rtt tcpi_rttvar tcpi_snd_ssthresh tcpi_snd_cwnd tcpi_advmss tcpi_reordering"),
    ("u4", TCP, "tcpi_rcv_rtt tcpi_rcv_space tcpi_total_retrans tcpi_segs_out tcpi_segs_in tcpi_notsent_bytes"),
    ("u4", TCP, "tcpi_min_rtt tcpi_data_segs_in tcpi_data_segs_out tcpi_delivered tcpi_delivered_ce"),
    ("u4", TCP, "tcpi_dsack_dups tcpi_reord_seen tcpi_rcv_ooopack tcpi_snd_wnd tcpi_rcv_wnd tcpi_rehash"),
    ("u4", TOTAL_RTO, "tcpi_total_rto tcpi_total_rto_recoveries tcpi_total_rto_time"),
    ("u4", ACCECN, "tcpi_received_ce tcpi_delivered_e1_bytes tcpi_delivered_e0_bytes tcpi_delivered_ce_bytes"),
    ("u4", ACCECN, "tcpi_received_e1_bytes tcpi_received_e0_bytes tcpi_received_ce_bytes"),
    ("u4", SEQUENCE, "snd_una snd_nxt rcv_nxt"),
    ("u1", TCP, "tcpi_state tcpi_ca_state tcpi_retransmits tcpi_probes tcpi_backoff tcpi_options"),
    ("u1", TCP, "tcpi_snd_wscale tcpi_rcv_wscale tcpi_delivery_rate_app_limited tcpi_fastopen_client_fail"),
    ("u1", ACCECN, "tcpi_accecn_fail_mode tcpi_accecn_opt_seen"),
    ("V8", HIDDEN, "tcp_padding"),
    ("S16", CONG, "cong"),
    ("S16", ULP, "ulp"),
)
#: struct holder_record, bpf/sockets.bpf.c.
_HOLDER: Layout = (("u4", ALWAYS, "pid fd inode"),)

#: Room to read into at first; no memory stands behind it before it is used.
_ROOM = 64 << 20
_CLOCK_MONOTONIC_COARSE = 6
_IONBF = 2

#: Function, result, arguments.
_STDIO: tuple[tuple[str, Any, tuple[Any, ...]], ...] = (
    ("fdopen", c_void_p, (c_int, c_char_p)),
    ("setvbuf", c_int, (c_void_p, c_void_p, c_int, c_size_t)),
    ("fread", c_size_t, (c_void_p, c_size_t, c_size_t, c_void_p)),
    ("feof", c_int, (c_void_p,)),
    ("clearerr", None, (c_void_p,)),
    ("fclose", c_int, (c_void_p,)),
)


class SocketIterators:
    """The kernel's iterators over sockets and files, loaded while the context lasts.

    Entering raises NotSupported with the reason; it takes root, or CAP_BPF and CAP_PERFMON.
    One object serves every namespace: sockets are read in the network namespace of the calling
    thread, holders in its PID namespace.  Several threads may read at the same time.
    Without ``remnants`` TCP's sockets are those that are full ones: not TIME-WAIT, not SYN-RECV.
    """

    def __init__(self, path: str = _OBJECT, library: str = LIBBPF, remnants: bool = True) -> None:
        self._path = path
        self._library = library
        self._tcp, self._unused = ("tcp", "tcp_full") if remnants else ("tcp_full", "tcp")

    def __enter__(self) -> SocketIterators:
        with open(self._path, "rb") as file:
            elf = file.read()
        ticks = ticks_per_second().to_bytes(4, sys.byteorder)
        self._programs = BpfObject("sockets", elf, constants=ticks, unused=(self._unused,), library=self._library)
        self._programs.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._programs.close()

    def read_tcp(self) -> memoryview:
        """The records of every TCP socket, for parse_tcp."""
        return read_to_end(self._programs.iterate(self._tcp))

    def read_udp(self) -> memoryview:
        """The records of every UDP socket, for parse_udp."""
        return read_to_end(self._programs.iterate("udp"))

    def read_holders(self) -> memoryview:
        """A record for each descriptor of an IPv4 or IPv6 socket in each process, for parse_holders."""
        return read_to_end(self._programs.iterate("task_file"))


def ticks_per_second() -> int:
    """CONFIG_HZ of the running kernel: its coarse clocks advance once a tick."""
    return round(1 / time.clock_getres(_CLOCK_MONOTONIC_COARSE))


def read_to_end(descriptor: int, room: int = _ROOM) -> memoryview:
    """Everything that a descriptor yields; closes it.  Raises FleutanError when reading fails.

    An iterator yields at most 32 KiB a call, so a loop in Python would contend for the GIL a
    thousand times with whoever imports numpy meanwhile; fread loops without it.
    """
    libc = _libc()
    stream = libc.fdopen(descriptor, b"r")
    if not stream:
        raise _failed_reading(ctypes.get_errno())
    try:
        libc.setvbuf(stream, None, _IONBF, 0)
        area = mmap(-1, room, MAP_PRIVATE | MAP_ANONYMOUS)
        filled = 0
        while True:
            start = ctypes.addressof(ctypes.c_char.from_buffer(area))
            filled += libc.fread(start + filled, 1, len(area) - filled, stream)
            if filled == len(area):
                area.resize(2 * len(area))
            elif _is_at_end(libc, stream):
                return memoryview(area)[:filled]
    finally:
        libc.fclose(stream)


def _is_at_end(libc: ctypes.CDLL, stream: int) -> bool:
    """Why fread stopped: the end, or EAGAIN (a million files in a row that are no sockets)."""
    if libc.feof(stream):
        return True
    number = ctypes.get_errno()
    if number not in (errno.EAGAIN, errno.EINTR):
        raise _failed_reading(number)
    libc.clearerr(stream)
    return False


def _failed_reading(number: int) -> FleutanError:
    return FleutanError(f"sockets: reading the kernel's iterator failed: {os.strerror(number)}")


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    for function, result, arguments in _STDIO:
        getattr(libc, function).restype = result
        getattr(libc, function).argtypes = arguments
    return libc


def parse_tcp(data: Buffer, names: Collection[str] | None = None) -> Records:
    """What read_tcp gave, as Records under the names of inet_diag_msg, sock_diag and tcp_info.

    ``names`` restricts the columns.  Beyond netlink: ``sk_incoming_cpu``, ``sk_rx_queue``,
    ``sk_tx_queue``, ``sk_priority``, ``dst_ifindex`` (the device that packets leave by),
    ``snd_una``, ``snd_nxt``, ``rcv_nxt``, ``netns`` (inode of the network namespace).  Of a
    listener tcp_info holds what the kernel fills for it, and 0, as in netlink; TIME-WAIT and
    SYN-RECV have none.  tcpi_fackets and tcpi_last_ack_sent are absent: no kernel fills them.
    Raises FleutanError where the bytes are not whole records.
    """
    return _parse(data, (*_SOCKET, *_TCP), names)


def parse_udp(data: Buffer, names: Collection[str] | None = None) -> Records:
    """What read_udp gave, as Records; ``names`` and errors as for parse_tcp."""
    return _parse(data, _SOCKET, names)


def parse_holders(data: Buffer) -> Records:
    """What read_holders gave, as Records: ``pid`` of the process, ``fd``, ``inode`` of the socket."""
    return _parse(data, _HOLDER, None)


def _parse(data: Buffer, layout: Layout, names: Collection[str] | None) -> Records:
    import numpy as np

    from fleutan.records import Records

    record = np.dtype([(name, kind) for kind, _, members in layout for name in members.split()])
    rows, rest = divmod(memoryview(data).nbytes, record.itemsize)
    if rest:
        raise FleutanError(f"sockets: {rest} bytes are left over after {rows} records of {record.itemsize}")
    if not rows:
        return Records(0, {}, {})
    table = np.frombuffer(data, record)
    masks = _masks(table)
    bits = {
        name: bit
        for _, bit, members in layout
        for name in members.split()
        if bit in masks and (names is None or name in names)
    }
    known = {name: mask for name, bit in bits.items() if (mask := masks[bit]) is not None}
    return Records(rows, _columns(table, list(bits)), known)


def _masks(table: Values) -> dict[int, Known | None]:
    """For each bit that some record has: which ones do, None where all do."""
    masks: dict[int, Known | None] = {ALWAYS: None}
    if "known" not in (table.dtype.names or ()):
        return masks
    import numpy as np

    known = np.ascontiguousarray(table["known"])
    some, every = int(np.bitwise_or.reduce(known)), int(np.bitwise_and.reduce(known))
    for bit in range(some.bit_length()):
        if some >> bit & 1:
            masks[bit] = None if every >> bit & 1 else known >> bit & 1 == 1
    return masks


def _columns(table: Values, names: list[str]) -> dict[str, Values]:
    """The columns, contiguous; integers are the rows of one int64 array, which is one allocation."""
    import numpy as np

    numbers = [name for name in names if table.dtype[name].kind in "iu" and table.dtype[name].shape == ()]
    block = dict(zip(numbers, np.empty((len(numbers), len(table)), np.int64), strict=True))
    for name, column in block.items():
        column[:] = table[name]
    return {name: block[name] if name in block else np.ascontiguousarray(table[name]) for name in names}
