# SPDX-License-Identifier: Apache-2.0
"""The kernel's structs about one connection, member by member: tcp_info, mptcp_info and what
congestion controls tell.

Layouts only: nothing here reads bytes.  A struct grows at its end from kernel to kernel, so a
member is there when the struct that came is long enough for it.

Sources: include/uapi/linux/tcp.h, mptcp.h, inet_diag.h.
"""

from __future__ import annotations

from typing import NamedTuple

#: One number in two words, the low one first.
PAIR = "2u4"
#: Text to the end of the attribute, perhaps with a NUL.
TEXT = "S"
#: All other formats, in numpy's letters; ``4u4`` is an address.
FORMATS = ("u1", "u2", ">u2", "u4", "u8", PAIR, "4u4")


class Member(NamedTuple):
    """A member of a struct: ``offset`` in bytes, ``format`` one of FORMATS or TEXT.

    ``bits`` (first, width) counts from the least significant, on little-endian machines.
    ``since`` is the length from which on a struct has the member, where that is more than its
    own end: what was padding in shorter structs reads as 0.
    """

    name: str
    offset: int
    format: str
    bits: tuple[int, int] | None = None
    since: int = 0


# tcpi_ecn_mode and its neighbours at 276 are left out: Linux 6.18 has two u16 there, later
# kernels bit fields, and the length is the same.
TCP_INFO = (
    Member("tcpi_state", 0, "u1"),
    Member("tcpi_ca_state", 1, "u1"),
    Member("tcpi_retransmits", 2, "u1"),
    Member("tcpi_probes", 3, "u1"),
    Member("tcpi_backoff", 4, "u1"),
    Member("tcpi_options", 5, "u1"),
    Member("tcpi_snd_wscale", 6, "u1", (0, 4)),
    Member("tcpi_rcv_wscale", 6, "u1", (4, 4)),
    Member("tcpi_delivery_rate_app_limited", 7, "u1", (0, 1), 168),  # Linux 4.9
    Member("tcpi_fastopen_client_fail", 7, "u1", (1, 2), 232),  # Linux 5.5
    Member("tcpi_rto", 8, "u4"),
    Member("tcpi_ato", 12, "u4"),
    Member("tcpi_snd_mss", 16, "u4"),
    Member("tcpi_rcv_mss", 20, "u4"),
    Member("tcpi_unacked", 24, "u4"),
    Member("tcpi_sacked", 28, "u4"),
    Member("tcpi_lost", 32, "u4"),
    Member("tcpi_retrans", 36, "u4"),
    Member("tcpi_fackets", 40, "u4"),
    Member("tcpi_last_data_sent", 44, "u4"),
    Member("tcpi_last_ack_sent", 48, "u4"),
    Member("tcpi_last_data_recv", 52, "u4"),
    Member("tcpi_last_ack_recv", 56, "u4"),
    Member("tcpi_pmtu", 60, "u4"),
    Member("tcpi_rcv_ssthresh", 64, "u4"),
    Member("tcpi_rtt", 68, "u4"),
    Member("tcpi_rttvar", 72, "u4"),
    Member("tcpi_snd_ssthresh", 76, "u4"),
    Member("tcpi_snd_cwnd", 80, "u4"),
    Member("tcpi_advmss", 84, "u4"),
    Member("tcpi_reordering", 88, "u4"),
    Member("tcpi_rcv_rtt", 92, "u4"),
    Member("tcpi_rcv_space", 96, "u4"),
    Member("tcpi_total_retrans", 100, "u4"),
    Member("tcpi_pacing_rate", 104, "u8"),
    Member("tcpi_max_pacing_rate", 112, "u8"),
    Member("tcpi_bytes_acked", 120, "u8"),
    Member("tcpi_bytes_received", 128, "u8"),
    Member("tcpi_segs_out", 136, "u4"),
    Member("tcpi_segs_in", 140, "u4"),
    Member("tcpi_notsent_bytes", 144, "u4"),
    Member("tcpi_min_rtt", 148, "u4"),
    Member("tcpi_data_segs_in", 152, "u4"),
    Member("tcpi_data_segs_out", 156, "u4"),
    Member("tcpi_delivery_rate", 160, "u8"),
    Member("tcpi_busy_time", 168, "u8"),
    Member("tcpi_rwnd_limited", 176, "u8"),
    Member("tcpi_sndbuf_limited", 184, "u8"),
    Member("tcpi_delivered", 192, "u4"),
    Member("tcpi_delivered_ce", 196, "u4"),
    Member("tcpi_bytes_sent", 200, "u8"),
    Member("tcpi_bytes_retrans", 208, "u8"),
    Member("tcpi_dsack_dups", 216, "u4"),
    Member("tcpi_reord_seen", 220, "u4"),
    Member("tcpi_rcv_ooopack", 224, "u4"),
    Member("tcpi_snd_wnd", 228, "u4"),
    Member("tcpi_rcv_wnd", 232, "u4"),
    Member("tcpi_rehash", 236, "u4"),
    Member("tcpi_total_rto", 240, "u2"),
    Member("tcpi_total_rto_recoveries", 242, "u2"),
    Member("tcpi_total_rto_time", 244, "u4"),
    Member("tcpi_received_ce", 248, "u4"),
    Member("tcpi_delivered_e1_bytes", 252, "u4"),
    Member("tcpi_delivered_e0_bytes", 256, "u4"),
    Member("tcpi_delivered_ce_bytes", 260, "u4"),
    Member("tcpi_received_e1_bytes", 264, "u4"),
    Member("tcpi_received_e0_bytes", 268, "u4"),
    Member("tcpi_received_ce_bytes", 272, "u4"),
)

# dccp_get_info fills these whatever the CCID and leaves the rest of its tcp_info at 0.
_OF_DCCP = ("tcpi_state", "tcpi_retransmits", "tcpi_probes", "tcpi_backoff", "tcpi_pmtu")
DCCP_INFO = tuple(member for member in TCP_INFO if member.name in _OF_DCCP)

# The byte at 81, mptcpi_endp_laminar_max, is left out: it was reserved in structs as long.
MPTCP_INFO = (
    Member("mptcpi_subflows", 0, "u1"),
    Member("mptcpi_add_addr_signal", 1, "u1"),
    Member("mptcpi_add_addr_accepted", 2, "u1"),
    Member("mptcpi_subflows_max", 3, "u1"),
    Member("mptcpi_add_addr_signal_max", 4, "u1"),
    Member("mptcpi_add_addr_accepted_max", 5, "u1"),
    Member("mptcpi_flags", 8, "u4"),
    Member("mptcpi_token", 12, "u4"),
    Member("mptcpi_write_seq", 16, "u8"),
    Member("mptcpi_snd_una", 24, "u8"),
    Member("mptcpi_rcv_nxt", 32, "u8"),
    Member("mptcpi_local_addr_used", 40, "u1"),
    Member("mptcpi_local_addr_max", 41, "u1"),
    Member("mptcpi_csum_enabled", 42, "u1"),
    Member("mptcpi_retransmits", 44, "u4", None, 80),  # Linux 6.5
    Member("mptcpi_bytes_retrans", 48, "u8"),
    Member("mptcpi_bytes_sent", 56, "u8"),
    Member("mptcpi_bytes_received", 64, "u8"),
    Member("mptcpi_bytes_acked", 72, "u8"),
    Member("mptcpi_subflows_total", 80, "u1"),
    Member("mptcpi_last_data_sent", 84, "u4", None, 96),  # Linux 6.10
    Member("mptcpi_last_data_recv", 88, "u4"),
    Member("mptcpi_last_ack_recv", 92, "u4"),
)

TCPVEGAS_INFO = (
    Member("tcpv_enabled", 0, "u4"),
    Member("tcpv_rttcnt", 4, "u4"),
    Member("tcpv_rtt", 8, "u4"),
    Member("tcpv_minrtt", 12, "u4"),
)

TCP_DCTCP_INFO = (
    Member("dctcp_enabled", 0, "u2"),
    Member("dctcp_ce_state", 2, "u2"),
    Member("dctcp_alpha", 4, "u4"),
    Member("dctcp_ab_ecn", 8, "u4"),
    Member("dctcp_ab_tot", 12, "u4"),
)

#: bbr_bw joins bbr_bw_lo and bbr_bw_hi: bytes a second.
TCP_BBR_INFO = (
    Member("bbr_bw", 0, PAIR),
    Member("bbr_min_rtt", 8, "u4"),
    Member("bbr_pacing_gain", 12, "u4"),
    Member("bbr_cwnd_gain", 16, "u4"),
)
