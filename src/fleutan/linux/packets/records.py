# SPDX-License-Identifier: Apache-2.0
"""The records of bpf/samples.bpf.c, whose layout stands here a second time, as columns under the kernel's names.

Which packets a record stands for, and what it means, is not decided here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fleutan.errors import FleutanError
from fleutan.records import Records

#: Octets of a packet that a record has room for: the first that suffices.
ROOMS = (128, 256)
#: Bits of ``known``.
SOCKET, OWNER, TCP, CGROUP, LAST = 1, 2, 4, 8, 16
#: struct sample: numpy type, bits without which a record lacks them, members in order.
_LAYOUT = (
    ("i8", 0, "at_ns packets"),
    ("i8", SOCKET, "cookie"),
    ("i8", CGROUP, "cgroup_id"),
    ("i8", TCP, "tcpi_bytes_sent tcpi_bytes_received tcpi_bytes_retrans"),
    ("u4", 0, "ifindex one_in cpu hits segments length last_length kept input output known"),
    ("u4", SOCKET, "netns_inode"),
    ("u4", OWNER, "idiag_inode idiag_uid"),
    ("u4", TCP, "tcpi_snd_mss tcpi_rcv_mss tcpi_unacked tcpi_lost tcpi_total_retrans tcpi_pmtu tcpi_rtt tcpi_rttvar"),
    ("u4", TCP, "tcpi_snd_cwnd tcpi_reordering tcpi_min_rtt tcpi_segs_out tcpi_segs_in"),
    (">u2", 0, "protocol vlan_tpid"),
    ("u2", 0, "vlan_tci"),
    ("u1", 0, "egress ethernet network way"),
    ("u1", SOCKET, "idiag_state"),
    ("V9", -1, "padding"),
)
#: Before each record in the ring.
_HEAD = ("head", "V8")


def room_for(octets: int) -> int:
    """The room of a record for so many octets of a packet."""
    return next(room for room in ROOMS if octets <= room)


def record(room: int) -> np.dtype[np.void]:
    """A record in the ring, behind its head, with room for so many octets."""
    members = [(name, kind) for kind, _, names in _LAYOUT for name in names.split()]
    return np.dtype([_HEAD, *members, ("header", f"V{room}")])


def _blocks(room: int) -> tuple[np.dtype[np.void], list[list[str]]]:
    """A record in which members of one type that stand in a row are one, and their names; so they are read at once."""
    kinds: list[tuple[str, list[str]]] = []
    for kind, bits, names in _LAYOUT:
        if bits >= 0 and kinds and kinds[-1][0] == kind:
            kinds[-1][1].extend(names.split())
        elif bits >= 0:
            kinds.append((kind, names.split()))
    blocks = [(str(place), kind, len(names)) for place, (kind, names) in enumerate(kinds)]
    return np.dtype([_HEAD, *blocks, ("rest", f"V{9 + room}")]), [names for _, names in kinds]


_BLOCKS = {room: _blocks(room) for room in ROOMS}
#: Names by the bits without which they are unknown.
_BITS = [(bits, names.split()) for _, bits, names in _LAYOUT if bits > 0]


def parse(octets: NDArray[np.uint8], room: int, wall_ns: int) -> Records:
    """Whole entries of a ring as columns, int64.

    ``at_ns`` is UTC (``wall_ns`` is how far that is ahead of CLOCK_MONOTONIC), ``header_at`` where in
    ``octets`` the packet's first octets begin, of which there are ``kept``; ``known`` has the bits as they are.
    ``packets`` are those that this CPU saw so far, ``hits`` how many of the record's ``segments`` are samples: each
    of them has ``length`` octets, the last one ``last_length``.  Raises FleutanError for what are no whole records.
    """
    kind, names = _BLOCKS[room]
    rows, rest = divmod(len(octets), kind.itemsize)
    if rest:
        raise FleutanError(f"samples: {rest} octets are left over after {rows} records of {kind.itemsize}")
    table = octets.view(kind)
    values: dict[str, NDArray[np.int64]] = {}
    for place, block in enumerate(names):
        values.update(zip(block, table[str(place)].T.astype(np.int64, order="C"), strict=True))
    masks = {bits: values["known"] & bits != 0 for bits in (SOCKET, OWNER, TCP, CGROUP)}
    known = {name: masks[bits] for bits, block in _BITS for name in block}
    values["at_ns"] += wall_ns
    values["header_at"] = np.arange(rows) * kind.itemsize + kind.itemsize - room
    return Records(rows, values, known)
