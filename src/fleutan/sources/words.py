# SPDX-License-Identifier: Apache-2.0
"""The kernel's words for a socket, and how each becomes a field of the catalogue.

The one place that knows both ``tcpi_rtt`` and ``rtt``: a table of rules, and how each kind of
rule reads a column.  Fields that take more than one word are made in ``flows``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.column import Column
from fleutan.fields import require
from fleutan.records import Known, Values

#: IPPROTO_* (include/uapi/linux/in.h) in our words.
PROTOCOLS = {6: "tcp", 17: "udp", 33: "dccp", 132: "sctp", 136: "udplite", 255: "raw", 262: "mptcp"}
#: TCP_* states (include/net/tcp_states.h) in the words of ss.
STATES = {
    1: "established",
    2: "syn-sent",
    3: "syn-recv",
    4: "fin-wait-1",
    5: "fin-wait-2",
    6: "time-wait",
    7: "close",
    8: "close-wait",
    9: "last-ack",
    10: "listen",
    11: "closing",
    12: "syn-recv",
}
#: idiag_timer (inet_csk_diag_fill in net/ipv4/inet_diag.c); 0 is no timer.
TIMERS = {1: "on", 2: "keepalive", 3: "timewait", 4: "persist"}
#: enum tcp_ca_state (include/uapi/linux/tcp.h).
CA_STATES = {0: "open", 1: "disorder", 2: "cwr", 3: "recovery", 4: "loss"}
#: TCPI_OPT_* (include/uapi/linux/tcp.h).
OPTIONS = {1: "ts", 2: "sack", 4: "wscale", 8: "ecn", 16: "ecnseen", 32: "fastopen", 64: "usec_ts", 128: "tfo_child"}


_UNSET_SSTHRESH = 0x7FFF_FFFF  # TCP_INFINITE_SSTHRESH
_UNSET_MIN_RTT = 0xFFFF_FFFF  # minmax_reset(~0U)
_UNLIMITED = -1  # ~0UL: no pacing


class Whole(NamedTuple):
    """A number: its factor to the catalogue's unit, and the value that means "unknown"."""

    word: str
    factor: int = 1
    unknown: int | None = None

    def read(self, values: Values, known: Known | None) -> Column:
        """int64; a product that would not fit is unknown."""
        if self.unknown is not None:
            known = both(known, values != self.unknown)
        if self.factor == 1:
            return Column(values, known)
        known = both(known, (values >= 0) & (values <= (1 << 62) // self.factor))
        return Column(values * self.factor, known)


class Ratio(NamedTuple):
    """A fixed-point number by its divisor."""

    word: str
    divisor: int

    def read(self, values: Values, known: Known | None) -> Column:
        """float64."""
        return Column(values / self.divisor, known)


class Octets(NamedTuple):
    """A number in several octets, in network order."""

    word: str

    def read(self, values: Values, known: Known | None) -> Column:
        """int64."""
        number = np.zeros(len(values), np.int64)
        for octet in values.T:
            number = number << 8 | octet
        return Column(number, known)


class Flag(NamedTuple):
    """A bit."""

    word: str

    def read(self, values: Values, known: Known | None) -> Column:
        """bool."""
        return Column(values != 0, known)


class Coded(NamedTuple):
    """A number that stands for a word; one without a word is unknown."""

    word: str
    words: Mapping[int, str]

    def read(self, values: Values, known: Known | None) -> Column:
        """int32 codes of the words."""
        distinct = tuple(dict.fromkeys(self.words.values()))
        codes = np.full(len(values), -1, np.int32)
        for number in np.unique(values).tolist():
            if number in self.words:
                codes[values == number] = distinct.index(self.words[number])
        if known is not None:
            codes[~known] = -1
        return Column(codes, None, distinct)


class Looked:
    """As ``Coded``, for what is read batch after batch: small numbers, which are looked up in a table."""

    def __init__(self, words: Mapping[int, str]) -> None:
        self._distinct = tuple(dict.fromkeys(words.values()))
        self._codes = np.full(max(words) + 2, -1, np.int32)  # the last is of all others
        self._codes[list(words)] = [self._distinct.index(word) for word in words.values()]

    def read(self, values: Values, known: Known | None) -> Column:
        """int32 codes of the words."""
        codes = self._codes.take(np.where(values < 0, len(self._codes), values), mode="clip")
        if known is not None:
            codes[~known] = -1
        return Column(codes, None, self._distinct)


class Named(NamedTuple):
    """A name of at most 16 bytes, padded with NUL; an empty one is unknown."""

    word: str

    def read(self, values: Values, known: Known | None) -> Column:
        """int32 codes of the names."""
        codes = np.full(len(values), -1, np.int32)
        left = values != b""
        if known is not None:
            left &= known
        names: list[str] = []
        while len(rest := np.flatnonzero(left)):
            same = left & (values == values[rest[0]])
            codes[same] = len(names)
            names.append(values[rest[0]].decode("utf-8", "replace"))
            left &= ~same
        return Column(codes, None, tuple(names))


Rule = Whole | Ratio | Octets | Flag | Coded | Named


def both(known: Known | None, also: NDArray[np.bool_]) -> Known:
    """The rows that are known and also meet a condition."""
    return also if known is None else known & also


def unknown(name: str, rows: int) -> Column:
    """A column of the field that nothing is known of."""
    type_ = require(name).type
    if type_ in ("text", "ints", "octets"):
        return Column(np.full(rows, -1, np.int32), None, ())
    shape = (rows, 2) if type_ == "address" else (rows,)
    dtype: Any = {"float": np.float64, "bool": np.bool_}.get(type_, np.int64)
    return Column(np.zeros(shape, dtype), np.zeros(rows, np.bool_))


def _options() -> dict[int, str]:
    return {bits: " ".join(word for bit, word in OPTIONS.items() if bits & bit) for bits in range(1, 256)}


#: Catalogue field -> the kernel's word for it and how to read it.
RULES: dict[str, Rule] = {
    "proto": Coded("proto", PROTOCOLS),
    "state": Coded("idiag_state", STATES),
    "sport": Whole("idiag_sport"),
    "dport": Whole("idiag_dport"),
    "netns_inode": Whole("netns_inode"),
    "cookie": Whole("idiag_cookie", unknown=0),
    "inode": Whole("idiag_inode"),
    "uid": Whole("idiag_uid"),
    "cgroup_id": Whole("cgroup_id", unknown=0),
    "mark": Whole("mark"),
    "priority": Whole("sk_priority"),
    "tos": Whole("tos"),
    "tclass": Whole("tclass"),
    "flow_label": Octets("flow_label"),
    "v6only": Flag("v6only"),
    "ulp": Named("ulp"),
    "rqueue": Whole("idiag_rqueue"),
    "wqueue": Whole("idiag_wqueue"),
    "timer": Coded("idiag_timer", TIMERS),
    "timer_expires": Whole("idiag_expires"),
    "backoff": Whole("idiag_retrans"),
    "rmem": Whole("rmem_alloc"),
    "rcvbuf": Whole("rcvbuf"),
    "wmem": Whole("wmem_alloc"),
    "sndbuf": Whole("sndbuf"),
    "wmem_queued": Whole("wmem_queued"),
    "fwd_alloc": Whole("fwd_alloc"),
    "optmem": Whole("optmem"),
    "backlog": Whole("backlog"),
    "drops": Whole("drops"),
    "cpu": Whole("sk_incoming_cpu"),
    "rx_queue": Whole("sk_rx_queue"),
    "tx_queue": Whole("sk_tx_queue"),
    "snd_una": Whole("snd_una"),
    "snd_nxt": Whole("snd_nxt"),
    "rcv_nxt": Whole("rcv_nxt"),
    "rtt": Whole("tcpi_rtt", unknown=0),
    "rtt_var": Whole("tcpi_rttvar"),
    "min_rtt": Whole("tcpi_min_rtt", unknown=_UNSET_MIN_RTT),
    "rcv_rtt": Whole("tcpi_rcv_rtt", unknown=0),
    "rto": Whole("tcpi_rto"),
    "ato": Whole("tcpi_ato"),
    "cong": Named("cong"),
    "options": Coded("tcpi_options", _options()),
    "ca_state": Coded("tcpi_ca_state", CA_STATES),
    "cwnd": Whole("tcpi_snd_cwnd"),
    "ssthresh": Whole("tcpi_snd_ssthresh", unknown=_UNSET_SSTHRESH),
    "mss": Whole("tcpi_snd_mss"),
    "rcv_mss": Whole("tcpi_rcv_mss"),
    "advmss": Whole("tcpi_advmss"),
    "pmtu": Whole("tcpi_pmtu"),
    "snd_wnd": Whole("tcpi_snd_wnd"),
    "rcv_wnd": Whole("tcpi_rcv_wnd"),
    "snd_wscale": Whole("tcpi_snd_wscale"),
    "rcv_wscale": Whole("tcpi_rcv_wscale"),
    "rcv_ssthresh": Whole("tcpi_rcv_ssthresh"),
    "rcv_space": Whole("tcpi_rcv_space"),
    "unacked": Whole("tcpi_unacked"),
    "sacked": Whole("tcpi_sacked"),
    "lost": Whole("tcpi_lost"),
    "retrans_out": Whole("tcpi_retrans"),
    "notsent": Whole("tcpi_notsent_bytes"),
    "reordering": Whole("tcpi_reordering"),
    "bytes_sent": Whole("tcpi_bytes_sent"),
    "bytes_acked": Whole("tcpi_bytes_acked"),
    "bytes_received": Whole("tcpi_bytes_received"),
    "bytes_retrans": Whole("tcpi_bytes_retrans"),
    "segs_out": Whole("tcpi_segs_out"),
    "segs_in": Whole("tcpi_segs_in"),
    "data_segs_out": Whole("tcpi_data_segs_out"),
    "data_segs_in": Whole("tcpi_data_segs_in"),
    "retrans": Whole("tcpi_total_retrans"),
    "delivered": Whole("tcpi_delivered"),
    "delivered_ce": Whole("tcpi_delivered_ce"),
    "dsack_dups": Whole("tcpi_dsack_dups"),
    "reord_seen": Whole("tcpi_reord_seen"),
    "rcv_ooopack": Whole("tcpi_rcv_ooopack"),
    "rehash": Whole("tcpi_rehash"),
    "total_rto": Whole("tcpi_total_rto"),
    "delivery_rate": Whole("tcpi_delivery_rate", factor=8, unknown=0),
    "pacing_rate": Whole("tcpi_pacing_rate", factor=8, unknown=_UNLIMITED),
    "max_pacing_rate": Whole("tcpi_max_pacing_rate", factor=8, unknown=_UNLIMITED),
    "app_limited": Flag("tcpi_delivery_rate_app_limited"),
    "busy": Whole("tcpi_busy_time"),
    "rwnd_limited": Whole("tcpi_rwnd_limited"),
    "sndbuf_limited": Whole("tcpi_sndbuf_limited"),
    "last_data_sent": Whole("tcpi_last_data_sent"),
    "last_data_recv": Whole("tcpi_last_data_recv"),
    "last_ack_recv": Whole("tcpi_last_ack_recv"),
    "bbr_bw": Whole("bbr_bw", factor=8),
    "bbr_min_rtt": Whole("bbr_min_rtt", unknown=_UNSET_MIN_RTT),
    "bbr_pacing_gain": Ratio("bbr_pacing_gain", 256),
    "bbr_cwnd_gain": Ratio("bbr_cwnd_gain", 256),
    "vegas_rtt": Whole("tcpv_rtt"),
    "vegas_min_rtt": Whole("tcpv_minrtt", unknown=_UNSET_SSTHRESH),
    "dctcp_alpha": Ratio("dctcp_alpha", 1024),
    "mptcp_subflows": Whole("mptcpi_subflows"),
    "mptcp_token": Whole("mptcpi_token"),
}
#: Fields that only the BPF reader gives; of the device sock_diag tells where a socket is bound to one.
BPF_ONLY = frozenset({"flow_label", "dev", "priority", "cpu", "rx_queue", "tx_queue", "snd_una", "snd_nxt", "rcv_nxt"})
#: Fields that only sock_diag gives: what a congestion control says of itself.
NETLINK_ONLY = frozenset(name for name in RULES if name.startswith(("bbr_", "vegas_", "dctcp_")))
