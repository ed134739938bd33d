# SPDX-License-Identifier: Apache-2.0
"""Sampled packets as columns: what every way of sampling gives, and how BPF's records become it.

Whose they are is said in ``owning``, how their connections fared in ``deltas``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fleutan.linux.packets import records as kernel
from fleutan.protocols.spans import Ints, Spans, number
from fleutan.records import Known, Records, kinds, take
from fleutan.sources.packets.segments import Segments, segments

#: Where a packet comes from, or goes to, that is this host's own (sFlow Version 5, section 5.3).
INTERNAL = 0x3FFF_FFFF
#: sFlow's header_protocol.
ETHERNET, IPV4, IPV6, MPLS = 1, 11, 12, 13
#: Octets that a frame had on the wire and has no more in the kernel: the check sequence.
FCS = 4
#: What packets begin with that have no Ethernet header, by their EtherType.
_BEGINNINGS = ((0x0800, IPV4), (0x86DD, IPV6), (0x8847, MPLS))
_TAGS = (0x8100, 0x88A8)
_ADDRESSES = 12
#: minmax_reset() begins with it: no round trip was measured.
_NEVER = 0xFFFF_FFFF

#: The kernel's words and ours, of what is taken as it is.
_TAKEN = {
    "at_ns": "at_ns",
    "ifindex": "ifindex",
    "one_in": "rate",
    "input": "input",
    "output": "output",
    "segments": "segments",
    "cookie": "cookie",
    "netns_inode": "netns",
    "idiag_inode": "inode",
    "idiag_uid": "uid",
    "cgroup_id": "cgroup_id",
    "tcpi_snd_mss": "snd_mss",
    "tcpi_rcv_mss": "rcv_mss",
    "tcpi_unacked": "unacked",
    "tcpi_lost": "lost",
    "tcpi_total_retrans": "retrans",
    "tcpi_pmtu": "pmtu",
    "tcpi_rtt": "rtt_us",
    "tcpi_rttvar": "rttvar_us",
    "tcpi_snd_cwnd": "snd_cwnd",
    "tcpi_reordering": "reordering",
    "tcpi_min_rtt": "min_rtt_us",
    "tcpi_segs_out": "segs_out",
    "tcpi_segs_in": "segs_in",
    "tcpi_bytes_sent": "bytes_sent",
    "tcpi_bytes_received": "bytes_received",
    "tcpi_bytes_retrans": "bytes_retrans",
}


class Tap(NamedTuple):
    """A sampler: what a device sends (``egress``), or what it receives."""

    ifindex: int
    egress: bool


class Totals(NamedTuple):
    """What a sampler counted so far: the packets it saw, and the samples it lost for want of room."""

    pool: int
    drops: int


@dataclass(frozen=True)
class Packets:
    """Sampled packets in order, a row each.

    ``columns`` are ``(n,)`` int64, or bool, under these names; a name that is absent is unknown in all rows.

    - ``at_ns`` UTC; ``ifindex`` of the device that sampled, its data source; ``egress`` bool; ``rate`` one in so
      many, in force; ``pool`` packets on the wire that this sampler saw so far, ``drops`` its samples that were
      lost so far, both counts of the kernel where ``notes`` of the way of sampling do not say otherwise
    - ``input``, ``output`` ifIndexes, 0 unknown, INTERNAL this host
    - ``protocol`` sFlow's header_protocol; ``length`` octets of this packet on the wire, ``stripped`` of them
      were taken off before; ``segments`` of the kernel's packet that it was one of
    - ``in_vlan``, ``in_priority``, ``out_vlan``, ``out_priority`` of the tag that it has at its device
    - ``cookie``, ``netns`` and ``inode`` of its socket, ``uid`` and ``cgroup_id`` (of cgroup2) of who made that;
      ``is_own`` bool, whether there is a socket of this host
    - structure 2209, of its socket's TCP: ``direction`` (1 received, 2 sent, by the socket), ``snd_mss``, ``rcv_mss``,
      ``unacked``, ``lost``, ``retrans`` (in all), ``pmtu``, ``rtt_us``, ``rttvar_us``, ``snd_cwnd``,
      ``reordering``, ``min_rtt_us``; beside them ``segs_out``, ``segs_in``, ``bytes_sent``, ``bytes_received`` and
      ``bytes_retrans`` since it began

    ``header`` are the first octets.
    """

    columns: Records
    header: Spans

    @property
    def rows(self) -> int:
        """How many packets."""
        return self.columns.rows

    def known(self, name: str) -> Known:
        """Which rows know a column, which may be absent."""
        if name not in self.columns.values:
            return np.zeros(self.rows, np.bool_)
        known = self.columns.known.get(name)
        return np.ones(self.rows, np.bool_) if known is None else known

    def take(self, rows: Ints | Known) -> Packets:
        """These rows, by number or mask."""
        return Packets(take(self.columns, rows), self.header.take(rows))


def of_records(records: Records, octets: np.ndarray, totals: Mapping[Tap, Totals]) -> tuple[Packets, int]:
    """What ``linux.packets.records`` read of ``octets``, which are written to; and how many samples cannot be told.

    Those are of devices without an Ethernet header, and begin with what sFlow has no number for.  ``totals`` are
    those of each sampler.
    """
    found = segments(records, octets)
    values = found.records.values
    columns, known = _taken(found.records)
    columns["egress"] = values["egress"] != 0
    ethernet = values["ethernet"] != 0
    fcs = np.where(ethernet, FCS, 0)
    columns["protocol"] = beginnings(ethernet, values["protocol"])
    columns["length"], columns["stripped"] = found.length + fcs, fcs
    columns["pool"], columns["drops"] = _totals(values["ifindex"], values["egress"], totals)
    header = Spans(found.octets, values["header_at"], values["kept"])
    _sockets(columns, known, found)
    told = columns["protocol"] != 0
    packets = Packets(Records(len(told), columns, known), header)
    vlan_tags(packets.columns, header, ethernet)
    return (packets, 0) if told.all() else (packets.take(told), int(np.count_nonzero(~told)))


def _taken(records: Records) -> tuple[dict[str, np.ndarray], dict[str, Known]]:
    columns = {ours: records.values[name] for name, ours in _TAKEN.items()}
    return columns, {_TAKEN[name]: known for name, known in records.known.items() if name in _TAKEN}


def beginnings(ethernet: Known, ethertype: Ints) -> Ints:
    """sFlow's header_protocol, 0 where there is none."""
    found = np.where(ethernet, ETHERNET, 0)
    for number_of, kind in _BEGINNINGS:
        found[~ethernet & (ethertype == number_of)] = kind
    return found


def _totals(ifindex: Ints, egress: Ints, totals: Mapping[Tap, Totals]) -> tuple[Ints, Ints]:
    """Pool and drops of each row's sampler."""
    first, place = kinds([ifindex, egress])
    taps = [Tap(index, bool(way)) for index, way in zip(ifindex[first].tolist(), egress[first].tolist(), strict=True)]
    pairs = np.array([totals.get(tap, Totals(0, 0)) for tap in taps], np.int64).reshape(-1, 2)
    pool, drops = pairs[place].T
    return pool, drops


def vlan_tags(records: Records, header: Spans, ethernet: Known) -> None:
    """Adds the first VLAN tag of each packet, on the side where its device is."""
    tagged = ethernet & (header.sizes >= _ADDRESSES + 4)
    ethertype = number(header.octets, header.starts + _ADDRESSES, 2)
    tagged &= (ethertype == _TAGS[0]) | (ethertype == _TAGS[1])
    if not tagged.any():
        return
    tag, egress = number(header.octets, header.starts + _ADDRESSES + 2, 2), records.values["egress"]
    for side, rows in (("in", tagged & ~egress), ("out", tagged & egress)):
        for name, values in ((f"{side}_vlan", tag & 0xFFF), (f"{side}_priority", tag >> 13)):
            records.values[name], records.known[name] = values, rows


def _sockets(columns: dict[str, np.ndarray], known: dict[str, Known], found: Segments) -> None:
    """What is no number of the kernel's in itself, or stands for none."""
    bits = found.records.values["known"]
    columns["is_own"] = bits & kernel.SOCKET != 0
    columns["direction"] = found.records.values["way"]
    known["direction"] = bits & kernel.TCP != 0
    for name in ("cookie", "inode"):
        known[name] = known[name] & (columns[name] != 0)
    for name in ("rtt_us", "rttvar_us"):
        known[name] = known[name] & (columns["rtt_us"] != 0)
    known["min_rtt_us"] = known["min_rtt_us"] & (columns["min_rtt_us"] != _NEVER)
