# SPDX-License-Identifier: Apache-2.0
"""The catalogue of fields: every field once, with its meaning.

Column types, filter names, JSON keys, table headings and the reference page derive from it.
A row carries meaning only; how the kernel, a protocol or a screen spells the field is the
business of that edge.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from fleutan.errors import UsageError

Kind = Literal["key", "label", "gauge", "counter"]
Type = Literal["int", "float", "bool", "text", "address", "ints", "octets"]

#: The words of ``proto`` by the number that IP has for it (IPPROTO_*, include/uapi/linux/in.h).
PROTOS = {
    1: "icmp",
    2: "igmp",
    4: "ipip",
    6: "tcp",
    17: "udp",
    33: "dccp",
    41: "sit",
    47: "gre",
    50: "esp",
    51: "ah",
    46: "rsvp",
    58: "icmpv6",
    88: "eigrp",
    89: "ospf",
    103: "pim",
    112: "vrrp",
    115: "l2tp",
    132: "sctp",
    136: "udplite",
    255: "raw",
    262: "mptcp",
}
#: Units that a machine-readable key carries as its suffix.
SUFFIXED = ("us", "ms", "ns", "bps", "pps")


@dataclass(frozen=True, slots=True)
class Field:
    """One field: ``key`` is its machine-readable name, ``name`` what people type."""

    name: str
    kind: Kind
    type: Type
    unit: str
    help: str
    source: str
    aliases: tuple[str, ...] = ()
    of_owner: bool = False

    @property
    def key(self) -> str:
        """The JSON key, SQL column and CSV heading: the name with the unit where it has one."""
        return f"{self.name}_{self.unit}" if self.unit in SUFFIXED else self.name

    @property
    def of_flows(self) -> bool:
        """Whether flows have it; a field of other tables names them in its source."""
        return not self.source.startswith("table")


_TCP = "tcp_info"
_DIAG = "inet_diag_msg"

# fmt: off
#: name, kind, type, unit, help, where it comes from, other names that a filter takes.
FIELDS: tuple[Field, ...] = (
    # -- which flow
    Field("proto", "key", "text", "", "transport protocol: tcp, udp, udplite, mptcp, sctp, dccp, raw", _DIAG),
    Field("family", "label", "text", "", "ipv4 or ipv6, by the addresses: an IPv4-mapped socket is ipv4", _DIAG),
    Field("state", "label", "text", "", "socket state in the words of ss: established, listen, time-wait ...", _DIAG),
    Field("src", "key", "address", "", "local address", _DIAG, ("saddr", "local")),
    Field("sport", "key", "int", "", "local port; of a raw socket the number of its protocol, as in ss", _DIAG),
    Field("dst", "key", "address", "", "remote address", _DIAG, ("daddr", "remote", "peer")),
    Field("dport", "key", "int", "", "remote port", _DIAG),
    Field("service", "label", "int", "", "the port served: the local one where a socket waits for others at that address, else the remote one", "computed"),
    Field("dev", "label", "text", "", "interface that the flow leaves by (or is bound to)", "sk_dst_cache, sk_bound_dev_if", ("device", "interface")),
    Field("method", "label", "text", "", "how a path was traced: flow, syn, udp or icmp", "table paths"),
    Field("hop_count", "gauge", "int", "", "how many hops away the destination is", "table paths"),
    Field("path_loss", "gauge", "float", "", "share of probes for the destination that had no answer, 0 to 1", "table paths"),
    Field("path_end", "label", "text", "", "how its trace ended: reached, refused, silent, loop, last, unsent or closed", "table paths"),
    Field("via", "label", "text", "", "who answered on the way, hop by hop; * for nobody", "table paths"),
    Field("via_rtt", "label", "text", "", "least round-trip time to each of them in ms; * for nobody", "table paths"),
    Field("path", "label", "text", "", "path that the flow takes: p0, p1 ...", "table flows of fleutan paths: traced"),
    Field("netns", "key", "text", "", "network namespace: its name in /run/netns, 'host' for that of process 1, else its inode", "/proc/PID/ns/net"),
    Field("netns_inode", "key", "int", "", "inode of the network namespace", "/proc/PID/ns/net"),
    Field("cookie", "key", "int", "", "socket cookie: unique on this host until it restarts", "sk_cookie"),
    Field("inode", "label", "int", "", "inode of the socket; 0 where no process holds it", "SOCK_INODE"),
    # -- whose flow
    Field("uid", "label", "int", "", "user id that owns the socket", "sk_uid"),
    Field("user", "label", "text", "", "name of that user", "passwd"),
    Field("owner", "label", "int", "", "number of the set of processes that hold the socket: key into the owners relation", "computed"),
    Field("pids", "label", "ints", "", "every process that holds the socket", "iter/task_file or /proc/PID/fd"),
    Field("pid", "label", "int", "", "first process that holds the socket (lowest id)", "iter/task_file or /proc/PID/fd", of_owner=True),
    Field("proc", "label", "text", "", "that process as command(pid)", "/proc/PID/comm", ("process",), of_owner=True),
    Field("comm", "label", "text", "", "its command name", "/proc/PID/comm", ("command",), of_owner=True),
    Field("exe", "label", "text", "", "its executable", "/proc/PID/exe", of_owner=True),
    Field("cmdline", "label", "text", "", "its command line", "/proc/PID/cmdline", of_owner=True),
    Field("cgroup", "label", "text", "", "its control group's path", "/proc/PID/cgroup", of_owner=True),
    Field("unit", "label", "text", "", "its systemd unit, from the control group", "/proc/PID/cgroup", of_owner=True),
    Field("container", "label", "text", "", "its container's id (12 digits), from the control group", "/proc/PID/cgroup", of_owner=True),
    Field("runtime", "label", "text", "", "what runs the container: docker, containerd, podman, cri-o ...", "/proc/PID/cgroup", of_owner=True),
    Field("pod", "label", "text", "", "its Kubernetes pod's uid, from the control group", "/proc/PID/cgroup", of_owner=True),
    Field("cgroup_id", "label", "int", "", "id of the control group that the socket was made in", "INET_DIAG_CGROUP_ID"),
    # -- the socket
    Field("mark", "label", "int", "", "fwmark", "sk_mark"),
    Field("priority", "label", "int", "", "socket priority", "sk_priority"),
    Field("tos", "label", "int", "", "IPv4 type of service byte", "INET_DIAG_TOS"),
    Field("flow_label", "label", "int", "", "IPv6 flow label of the packets of a TCP connection", "sk_txhash, ip6_make_flowlabel"),
    Field("tclass", "label", "int", "", "IPv6 traffic class", "INET_DIAG_TCLASS"),
    Field("v6only", "label", "bool", "", "IPv6 socket that takes no IPv4", "INET_DIAG_SKV6ONLY"),
    Field("ulp", "label", "text", "", "upper layer protocol: tls, mptcp ...", "INET_DIAG_ULP_INFO"),
    Field("rqueue", "gauge", "int", "bytes", "bytes that wait for the process to read (listener: connections that wait)", _DIAG, ("recvq",)),
    Field("wqueue", "gauge", "int", "bytes", "bytes not yet acknowledged (listener: the backlog's limit)", _DIAG, ("sendq",)),
    Field("timer", "label", "text", "", "running timer: on (retransmit), keepalive, timewait, persist", _DIAG),
    Field("timer_expires", "gauge", "int", "ms", "time until that timer expires", _DIAG),
    Field("backoff", "gauge", "int", "", "retransmissions or probes without an answer", "idiag_retrans"),
    Field("rmem", "gauge", "int", "bytes", "memory held by received data", "SK_MEMINFO_RMEM_ALLOC"),
    Field("rcvbuf", "gauge", "int", "bytes", "receive buffer limit", "SK_MEMINFO_RCVBUF"),
    Field("wmem", "gauge", "int", "bytes", "memory held by data in transmission", "SK_MEMINFO_WMEM_ALLOC"),
    Field("sndbuf", "gauge", "int", "bytes", "send buffer limit", "SK_MEMINFO_SNDBUF"),
    Field("wmem_queued", "gauge", "int", "bytes", "memory held by the send queue", "SK_MEMINFO_WMEM_QUEUED"),
    Field("fwd_alloc", "gauge", "int", "bytes", "memory allocated ahead", "SK_MEMINFO_FWD_ALLOC"),
    Field("optmem", "gauge", "int", "bytes", "memory held by options", "SK_MEMINFO_OPTMEM"),
    Field("backlog", "gauge", "int", "bytes", "memory held by packets not yet processed", "SK_MEMINFO_BACKLOG"),
    Field("drops", "counter", "int", "packets", "packets dropped at the socket", "SK_MEMINFO_DROPS"),
    # -- where it is handled (BPF only)
    Field("cpu", "label", "int", "", "CPU that last received for the socket", "sk_incoming_cpu"),
    Field("rx_queue", "label", "int", "", "device queue that last received for it", "sk_rx_queue_mapping"),
    Field("tx_queue", "label", "int", "", "device queue that it transmits by", "sk_tx_queue_mapping"),
    Field("snd_una", "gauge", "int", "", "first unacknowledged sequence number", "tcp_sock.snd_una"),
    Field("snd_nxt", "gauge", "int", "", "next sequence number to send", "tcp_sock.snd_nxt"),
    Field("rcv_nxt", "gauge", "int", "", "next sequence number expected", "tcp_sock.rcv_nxt"),
    # -- latency
    Field("rtt", "gauge", "int", "us", "smoothed round-trip time", _TCP + ".tcpi_rtt"),
    Field("rtt_var", "gauge", "int", "us", "its mean deviation", _TCP + ".tcpi_rttvar"),
    Field("min_rtt", "gauge", "int", "us", "least round-trip time of late", _TCP + ".tcpi_min_rtt"),
    Field("rcv_rtt", "gauge", "int", "us", "round-trip time as the receiver estimates it", _TCP + ".tcpi_rcv_rtt"),
    Field("rto", "gauge", "int", "us", "retransmission timeout", _TCP + ".tcpi_rto"),
    Field("ato", "gauge", "int", "us", "delayed acknowledgement timeout", _TCP + ".tcpi_ato"),
    # -- congestion and windows
    Field("cong", "label", "text", "", "congestion control algorithm", "INET_DIAG_CONG"),
    Field("ca_state", "label", "text", "", "congestion state: open, disorder, cwr, recovery, loss", _TCP + ".tcpi_ca_state"),
    Field("cwnd", "gauge", "int", "segments", "congestion window", _TCP + ".tcpi_snd_cwnd"),
    Field("ssthresh", "gauge", "int", "segments", "slow start threshold; unknown while it was never set", _TCP + ".tcpi_snd_ssthresh"),
    Field("mss", "gauge", "int", "bytes", "segment size sent", _TCP + ".tcpi_snd_mss"),
    Field("rcv_mss", "gauge", "int", "bytes", "segment size received", _TCP + ".tcpi_rcv_mss"),
    Field("advmss", "gauge", "int", "bytes", "segment size advertised", _TCP + ".tcpi_advmss"),
    Field("pmtu", "gauge", "int", "bytes", "path MTU", _TCP + ".tcpi_pmtu"),
    Field("snd_wnd", "gauge", "int", "bytes", "the peer's receive window", _TCP + ".tcpi_snd_wnd"),
    Field("rcv_wnd", "gauge", "int", "bytes", "own receive window", _TCP + ".tcpi_rcv_wnd"),
    Field("snd_wscale", "gauge", "int", "", "the peer's window scale", _TCP + ".tcpi_snd_wscale"),
    Field("rcv_wscale", "gauge", "int", "", "own window scale", _TCP + ".tcpi_rcv_wscale"),
    Field("rcv_ssthresh", "gauge", "int", "bytes", "limit of the window to be advertised", _TCP + ".tcpi_rcv_ssthresh"),
    Field("rcv_space", "gauge", "int", "bytes", "receive buffer auto-tuning's estimate", _TCP + ".tcpi_rcv_space"),
    Field("unacked", "gauge", "int", "segments", "in flight, not acknowledged", _TCP + ".tcpi_unacked"),
    Field("sacked", "gauge", "int", "segments", "acknowledged selectively", _TCP + ".tcpi_sacked"),
    Field("lost", "gauge", "int", "segments", "deemed lost now", _TCP + ".tcpi_lost"),
    Field("retrans_out", "gauge", "int", "segments", "retransmitted and not yet acknowledged", _TCP + ".tcpi_retrans"),
    Field("notsent", "gauge", "int", "bytes", "written by the process, not yet sent", _TCP + ".tcpi_notsent_bytes"),
    Field("reordering", "gauge", "int", "segments", "reordering that is tolerated", _TCP + ".tcpi_reordering"),
    Field("options", "label", "text", "", "options agreed: ts sack wscale ecn ecnseen fastopen ...", _TCP + ".tcpi_options"),
    # -- volume
    Field("bytes_sent", "counter", "int", "bytes", "sent, retransmissions included", _TCP + ".tcpi_bytes_sent", ("tx",)),
    Field("bytes_acked", "counter", "int", "bytes", "sent and acknowledged", _TCP + ".tcpi_bytes_acked"),
    Field("bytes_received", "counter", "int", "bytes", "received and acknowledged", _TCP + ".tcpi_bytes_received", ("rx",)),
    Field("bytes_retrans", "counter", "int", "bytes", "retransmitted", _TCP + ".tcpi_bytes_retrans"),
    Field("segs_out", "counter", "int", "segments", "sent", _TCP + ".tcpi_segs_out"),
    Field("segs_in", "counter", "int", "segments", "received", _TCP + ".tcpi_segs_in"),
    Field("data_segs_out", "counter", "int", "segments", "sent with data", _TCP + ".tcpi_data_segs_out"),
    Field("data_segs_in", "counter", "int", "segments", "received with data", _TCP + ".tcpi_data_segs_in"),
    Field("retrans", "counter", "int", "segments", "retransmitted since the start", _TCP + ".tcpi_total_retrans"),
    Field("delivered", "counter", "int", "segments", "delivered", _TCP + ".tcpi_delivered"),
    Field("delivered_ce", "counter", "int", "segments", "delivered and marked with congestion experienced", _TCP + ".tcpi_delivered_ce"),
    Field("dsack_dups", "counter", "int", "segments", "reported as duplicates by DSACK", _TCP + ".tcpi_dsack_dups"),
    Field("reord_seen", "counter", "int", "", "reordering events seen", _TCP + ".tcpi_reord_seen"),
    Field("rcv_ooopack", "counter", "int", "segments", "received out of order", _TCP + ".tcpi_rcv_ooopack"),
    Field("rehash", "counter", "int", "", "times the flow label was changed to try another path", _TCP + ".tcpi_rehash"),
    Field("total_rto", "counter", "int", "", "retransmission timeouts", _TCP + ".tcpi_total_rto"),
    # -- speed
    Field("delivery_rate", "gauge", "int", "bps", "latest rate of delivery", _TCP + ".tcpi_delivery_rate"),
    Field("pacing_rate", "gauge", "int", "bps", "rate the sender paces to; unknown where it does not", _TCP + ".tcpi_pacing_rate"),
    Field("max_pacing_rate", "gauge", "int", "bps", "limit set by the process; unknown where none is", _TCP + ".tcpi_max_pacing_rate"),
    Field("app_limited", "label", "bool", "", "that rate was limited by the application", _TCP + ".tcpi_delivery_rate_app_limited"),
    Field("busy", "counter", "int", "us", "time with data to send", _TCP + ".tcpi_busy_time"),
    Field("rwnd_limited", "counter", "int", "us", "of that, held up by the peer's receive window", _TCP + ".tcpi_rwnd_limited"),
    Field("sndbuf_limited", "counter", "int", "us", "of that, held up by the own send buffer", _TCP + ".tcpi_sndbuf_limited"),
    Field("last_data_sent", "gauge", "int", "ms", "since data was last sent", _TCP + ".tcpi_last_data_sent", ("lastsnd",)),
    Field("last_data_recv", "gauge", "int", "ms", "since data was last received", _TCP + ".tcpi_last_data_recv", ("lastrcv",)),
    Field("last_ack_recv", "gauge", "int", "ms", "since an acknowledgement was last received", _TCP + ".tcpi_last_ack_recv", ("lastack",)),
    # -- what the congestion control says of itself
    Field("bbr_bw", "gauge", "int", "bps", "BBR: bottleneck bandwidth", "tcp_bbr_info"),
    Field("bbr_min_rtt", "gauge", "int", "us", "BBR: round-trip propagation time", "tcp_bbr_info"),
    Field("bbr_pacing_gain", "gauge", "float", "", "BBR: pacing gain", "tcp_bbr_info"),
    Field("bbr_cwnd_gain", "gauge", "float", "", "BBR: window gain", "tcp_bbr_info"),
    Field("vegas_rtt", "gauge", "int", "us", "Vegas: round-trip time", "tcpvegas_info"),
    Field("vegas_min_rtt", "gauge", "int", "us", "Vegas: propagation time", "tcpvegas_info"),
    Field("dctcp_alpha", "gauge", "float", "", "DCTCP: share of marked bytes, 0 to 1", "tcp_dctcp_info"),
    Field("mptcp_subflows", "gauge", "int", "", "MPTCP: subflows beside the first", "mptcp_info"),
    Field("mptcp_token", "label", "int", "", "MPTCP: token of the connection", "mptcp_info"),
    # -- computed
    Field("cwnd_bytes", "gauge", "int", "bytes", "bandwidth-delay product of the window: cwnd x mss", "computed"),
    Field("cwnd_rate", "gauge", "int", "bps", "the most that this window allows: cwnd x mss / rtt", "computed"),
    Field("bdp", "gauge", "int", "bytes", "bandwidth-delay product measured: delivery_rate x min_rtt", "computed"),
    Field("retrans_share", "gauge", "float", "", "bytes retransmitted of bytes sent, 0 to 1", "computed"),
    Field("limit", "label", "text", "", "what limits the flow: app, rwnd, sndbuf, cwnd, loss, pacing, idle", "computed"),
    Field("evidence", "label", "text", "", "the figures behind that verdict", "computed"),
    Field("hint", "label", "text", "", "what could be done about it", "computed"),
    # -- over an interval
    Field("change", "label", "text", "", "appeared or vanished inside the interval; brief: both (where packets are counted)", "computed"),
    Field("tx_rate", "gauge", "int", "bps", "sent in the interval, retransmissions included", "computed"),
    Field("acked_rate", "gauge", "int", "bps", "acknowledged in the interval", "computed"),
    Field("rx_rate", "gauge", "int", "bps", "received in the interval", "computed"),
    Field("segs_out_rate", "gauge", "float", "pps", "segments sent in the interval, a second", "computed"),
    Field("segs_in_rate", "gauge", "float", "pps", "segments received in the interval, a second", "computed"),
    Field("retrans_rate", "gauge", "float", "pps", "segments retransmitted in the interval, a second", "computed"),
    # -- packets counted in an interval: of a flow, and in tables cpus and runs of a CPU
    Field("tx_bytes", "counter", "int", "bytes", "bytes sent in the interval, as on the wire: with link-layer header, the headers of each segment and the VLAN tag", "traffic, counted by BPF over an interval: net_dev_start_xmit"),
    Field("rx_bytes", "counter", "int", "bytes", "bytes received in the interval, as on the wire: with link-layer header, the headers of each segment and the VLAN tag", "traffic, counted by BPF over an interval: netif_receive_skb"),
    Field("tx_packets", "counter", "int", "packets", "packets sent, as the kernel handles them: one may hold several segments", "traffic, counted by BPF over an interval: net_dev_start_xmit"),
    Field("rx_packets", "counter", "int", "packets", "packets received, as the kernel handles them: one may hold several segments", "traffic, counted by BPF over an interval: netif_receive_skb"),
    Field("tx_segments", "counter", "int", "segments", "packets sent, as on the wire", "traffic, counted by BPF over an interval: net_dev_start_xmit"),
    Field("rx_segments", "counter", "int", "segments", "packets received, as on the wire", "traffic, counted by BPF over an interval: netif_receive_skb"),
    Field("tx_skb_bytes", "counter", "int", "bytes", "bytes sent as the kernel's packets hold them, which software devices count", "traffic, counted by BPF over an interval: net_dev_start_xmit"),
    Field("rx_skb_bytes", "counter", "int", "bytes", "bytes received as the kernel's packets hold them, which software devices count", "traffic, counted by BPF over an interval: netif_receive_skb"),
    # -- queues of devices and their queueing disciplines (tables queues and qdiscs)
    Field("direction", "key", "text", "", "which way: rx (received) or tx (sent)", "tables traffic, queues and drops"),
    Field("queue", "key", "int", "", "number of the device's queue in that direction", "tables traffic and queues: queue_mapping, /sys/class/net/DEV/queues"),
    Field("qdisc", "label", "text", "", "kind of the queueing discipline: mq, htb, fq_codel ...", "tables queues and qdiscs: TCA_KIND"),
    Field("layer", "label", "text", "", "what the row is: qdisc or class", "table qdiscs: RTM_NEWQDISC, RTM_NEWTCLASS"),
    Field("handle", "key", "text", "", "handle of the queueing discipline (8001:) or of the class (1:10)", "tables queues and qdiscs: tcm_handle"),
    Field("parent", "label", "text", "", "what it hangs from: root, ingress, clsact, or a class", "table qdiscs: tcm_parent"),
    Field("qdisc_options", "label", "text", "", "its settings in words: rate 500Mbit burst 64Kb ...", "table qdiscs: TCA_OPTIONS"),
    Field("qdisc_bytes", "counter", "int", "bytes", "bytes that it let out", "tables queues and qdiscs: TCA_STATS_BASIC"),
    Field("qdisc_packets", "counter", "int", "packets", "packets that it let out", "tables queues and qdiscs: TCA_STATS_BASIC, TCA_STATS_PKT64"),
    Field("qdisc_drops", "counter", "int", "packets", "packets that it dropped", "tables queues and qdiscs: TCA_STATS_QUEUE"),
    Field("overlimits", "counter", "int", "", "times that a limit held it up", "tables queues and qdiscs: TCA_STATS_QUEUE"),
    Field("requeues", "counter", "int", "packets", "packets that the device did not take at once", "tables queues and qdiscs: TCA_STATS_QUEUE"),
    Field("backlog_bytes", "gauge", "int", "bytes", "bytes that wait in it", "tables queues and qdiscs: TCA_STATS_QUEUE"),
    Field("backlog_packets", "gauge", "int", "packets", "packets that wait in it", "tables queues and qdiscs: TCA_STATS_QUEUE"),
    Field("bql_limit", "gauge", "int", "bytes", "byte queue limit: how much may wait in the device's ring now", "table queues: byte_queue_limits/limit"),
    Field("bql_limit_min", "gauge", "int", "bytes", "least byte queue limit allowed", "table queues: byte_queue_limits/limit_min"),
    Field("bql_limit_max", "gauge", "int", "bytes", "greatest byte queue limit allowed", "table queues: byte_queue_limits/limit_max"),
    Field("bql_inflight", "gauge", "int", "bytes", "bytes that wait in the device's ring", "table queues: byte_queue_limits/inflight"),
    Field("xps_cpus", "label", "text", "", "CPUs that send by this queue (XPS); empty: not set", "table queues: xps_cpus"),
    Field("xps_rxqs", "label", "text", "", "rx queues whose flows are sent by this queue (XPS); empty: not set", "table queues: xps_rxqs"),
    Field("rps_cpus", "label", "text", "", "CPUs that packets of this queue are spread over (RPS); empty: not set", "table queues: rps_cpus"),
    Field("rps_flow_cnt", "gauge", "int", "", "flows that RFS keeps for this queue; 0: off", "table queues: rps_flow_cnt"),
    Field("irqs", "label", "ints", "", "interrupts of the queue", "table queues: /proc/interrupts, msi_irqs"),
    Field("irq_cpus", "label", "text", "", "CPUs that may take its interrupts", "table queues: /proc/irq/N/smp_affinity_list"),
    Field("irq_effective_cpus", "label", "text", "", "CPUs that do take its interrupts", "table queues: /proc/irq/N/effective_affinity_list"),
    Field("interrupts", "counter", "int", "", "interrupts of the queue taken", "table queues: /proc/interrupts"),
    Field("channels", "label", "text", "", "what 'ethtool -L' calls such queues: combined, rx or tx", "table queues: ETHTOOL_GCHANNELS"),
    Field("channels_max", "gauge", "int", "", "how many of them the device can have", "table queues: ETHTOOL_GCHANNELS"),
    Field("numa_node", "label", "int", "", "NUMA node of the device or of the CPU; unknown where it has none", "tables queues, cpus and runs: /sys"),
    Field("errors", "counter", "int", "packets", "packets that the device received broken, or could not send", "table queues: IFLA_STATS64 rx_errors, tx_errors"),
    Field("dropped", "counter", "int", "packets", "packets that the device dropped, or had no room for", "table queues: IFLA_STATS64 rx_dropped, rx_missed_errors, tx_dropped"),
    # -- CPUs (tables cpus and runs)
    Field("net_rx", "counter", "int", "", "softirqs that received packets", "table cpus: /proc/softirqs NET_RX"),
    Field("net_tx", "counter", "int", "", "softirqs that sent packets", "table cpus: /proc/softirqs NET_TX"),
    Field("softnet_processed", "counter", "int", "packets", "packets that the CPU handed up to the protocols; those that GRO joined count as one", "table cpus: /proc/net/softnet_stat"),
    Field("softnet_dropped", "counter", "int", "packets", "packets dropped because its backlog was full", "table cpus: /proc/net/softnet_stat"),
    Field("time_squeeze", "counter", "int", "", "times that it stopped with packets left, out of budget", "table cpus: /proc/net/softnet_stat"),
    Field("received_rps", "counter", "int", "", "times that another CPU woke it for packets (RPS)", "table cpus: /proc/net/softnet_stat"),
    Field("flow_limited", "counter", "int", "packets", "packets dropped by the limit of one flow", "table cpus: /proc/net/softnet_stat"),
    Field("cpu_busy", "counter", "int", "us", "time that the CPU was not idle", "table cpus: /proc/stat"),
    Field("cpu_irq", "counter", "int", "us", "of that, in interrupts", "table cpus: /proc/stat"),
    Field("cpu_softirq", "counter", "int", "us", "of that, in softirqs", "table cpus: /proc/stat"),
    Field("cpu_idle", "counter", "int", "us", "time that the CPU was idle or waited for disks", "table cpus: /proc/stat"),
    Field("serves", "label", "text", "", "rx queues whose packets come to this CPU: by interrupt or by RPS", "table cpus: computed"),
    Field("rx_bdp", "gauge", "int", "bytes", "bandwidth-delay product of the flows, by their share of bytes received on the CPU", "table cpus: sums of table traffic"),
    Field("tx_bdp", "gauge", "int", "bytes", "bandwidth-delay product of the flows, by their share of bytes sent on the CPU", "table cpus: sums of table traffic"),
    Field("cross_cpu", "gauge", "float", "", "share of a process's packets received on a CPU where it did not run, 0 to 1", "table crossings: computed"),
    Field("cross_numa", "gauge", "float", "", "share of a process's packets received on a NUMA node where it did not run, 0 to 1", "table crossings: computed"),
    Field("run_time", "counter", "int", "us", "time that the process's threads ran on the CPU", "table runs: /proc/PID/task/TID/sched, stat"),
    Field("run_time_estimated", "counter", "int", "us", "of that, the time of threads that changed CPU, parted evenly", "table runs: se.nr_migrations"),
    Field("advice", "label", "text", "", "what is worth a change, and why", "table advice: computed"),
    Field("remedy", "label", "text", "", "root's command that would change it; it is never run by itself", "table advice: computed"),
    # -- lives of connections (table lifecycle)
    Field("role", "label", "text", "", "client (it connected), server (it was accepted) or listener", "table lifecycle"),
    Field("outcome", "label", "text", "", "open, or how it ended: closed, refused, reset, aborted, timed out, unreachable, given up", "table lifecycle: sk_err and the state before CLOSE"),
    Field("closed_by", "label", "text", "", "which end closed it first: local, remote, or both at once", "table lifecycle: the state before CLOSE"),
    Field("error", "label", "text", "", "error that it ended with: ECONNREFUSED ...", "table lifecycle: sk_err"),
    Field("began", "label", "int", "ns", "when connect() or listen() was called, or the connection to be accepted was established (UTC)", "table lifecycle: inet_sock_set_state"),
    Field("established", "label", "int", "ns", "when the connection was established (UTC)", "table lifecycle: inet_sock_set_state"),
    Field("ended", "label", "int", "ns", "when it ended (UTC)", "table lifecycle: inet_sock_set_state"),
    Field("connect_time", "gauge", "int", "us", "from connect() to the established connection", "table lifecycle"),
    Field("duration", "gauge", "int", "us", "from its beginning to its end, or until now", "table lifecycle"),
    Field("owner_by", "label", "text", "", "how the owner is known: by connect, listen or close (it made that call), holder (it holds the socket), listener (it holds the socket that accepted)", "tables lifecycle and drops"),
    Field("connections", "counter", "int", "", "how many connections the row stands for: 1, of outcome 'other' all that found no room", "table lifecycle"),
    # -- drops, retransmissions and resets (table drops)
    Field("event", "label", "text", "", "drop, retransmit, reset-sent or reset-received", "table drops: kfree_skb, tcp_retransmit_skb, tcp_send_reset, tcp_receive_reset"),
    Field("reason", "label", "text", "", "the kernel's name of the reason: NO_SOCKET, NETFILTER_DROP, TCP_CSUM ...; of retransmissions SYN, SYNACK, FAST, TIMEOUT, TLP", "table drops: enum skb_drop_reason, enum sk_rst_reason"),
    Field("meaning", "label", "text", "", "what that reason means", "table drops"),
    Field("function", "label", "text", "", "function of the kernel that dropped it", "table drops: /proc/kallsyms"),
    Field("packets", "counter", "int", "packets", "packets, as the kernel handles them: one may hold several segments", "tables traffic and drops"),
    Field("segments", "counter", "int", "segments", "packets as on the wire", "tables traffic and drops"),
    Field("bytes", "counter", "int", "bytes", "of traffic as on the wire: with link-layer header, the headers of each segment and the VLAN tag, without preamble and checksum; of drops as the kernel counts a packet", "tables traffic and drops"),
    # -- packets counted by flow, device, queue and CPU (table traffic)
    Field("skb_bytes", "counter", "int", "bytes", "bytes as the kernel's packets hold them, which software devices count: one that stands for many segments has its headers once", "table traffic: skb.len"),
    Field("first_seen", "label", "int", "ns", "when the first packet of the interval was counted (UTC)", "table traffic: bpf_ktime_get_ns"),
    Field("last_seen", "label", "int", "ns", "when the last packet of the interval was counted, to the tick (UTC)", "table traffic: jiffies"),
    Field("forwarded", "label", "bool", "", "neither sent by this namespace nor for it: src and dst are the packet's own", "table traffic: RTM_GETADDR"),
    Field("counted_above", "label", "bool", "", "its packets were counted at a device above as well (bridge, bond, VLAN)", "table traffic: RTM_GETLINK"),
    Field("icmp_type", "label", "int", "", "ICMP or ICMPv6 type; of echoes the identifier stands as the port of the end that asks", "table traffic"),
    Field("icmp_code", "label", "int", "", "ICMP or ICMPv6 code", "table traffic"),
    Field("ethertype", "label", "int", "", "EtherType of what is not IP", "table traffic: skb.protocol"),
    # -- flow records, packet samples and discards that exporters send (table records)
    Field("record", "label", "text", "", "what an exporter sent: flow (a flow record), sample (one packet of many), discard (a packet that it dropped)", "table records"),
    Field("exporter", "key", "address", "", "address that the datagram came from", "table records: IP header"),
    Field("agent", "label", "address", "", "address by which the sFlow agent names itself", "table records: sFlow agent_address"),
    Field("protocol", "label", "text", "", "how it was exported: sflow-5, netflow-5, netflow-9, ipfix ...", "table records"),
    Field("domain", "key", "int", "", "observation domain, source id, engine or sub-agent", "table records: observationDomainId, sub_agent_id"),
    Field("received", "label", "int", "ns", "when the datagram was received (UTC)", "table records: SO_TIMESTAMPNS, or the capture file"),
    Field("start", "label", "int", "ns", "when the flow's first packet was seen (UTC)", "table records: FIRST_SWITCHED, flowStart*"),
    Field("end", "label", "int", "ns", "when its last packet was seen (UTC); of a sample when it was taken, if that is told", "table records: LAST_SWITCHED, flowEnd*, sFlow timestamp"),
    Field("sampling_rate", "label", "int", "", "one packet of so many was looked at; counts are not multiplied by it", "table records: sampling_interval, sFlow sampling_rate"),
    Field("in_if", "key", "int", "", "interface that it came in by (ifIndex)", "table records: ingressInterface, sFlow input"),
    Field("out_if", "key", "int", "", "interface that it went out by (ifIndex)", "table records: egressInterface, sFlow output"),
    Field("tcp_flags", "label", "int", "", "TCP flags seen, as bits: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32", "table records: tcpControlBits"),
    Field("ttl", "label", "int", "", "hop limit", "table records"),
    Field("src_mac", "label", "text", "", "source address of the link", "table records"),
    Field("dst_mac", "label", "text", "", "destination address of the link", "table records"),
    Field("vlan", "label", "int", "", "VLAN that it came in by", "table records: vlanId, 802.1Q"),
    Field("out_vlan", "label", "int", "", "VLAN that it went out by", "table records: postVlanId, sFlow dst_vlan"),
    Field("mpls_label", "label", "int", "", "top MPLS label", "table records"),
    Field("next_hop", "label", "address", "", "next router", "table records: ipNextHopIPv4Address, sFlow extended_router"),
    Field("src_mask", "label", "int", "", "length of the route's prefix towards the source", "table records"),
    Field("dst_mask", "label", "int", "", "length of the route's prefix towards the destination", "table records"),
    Field("src_as", "label", "int", "", "autonomous system of the source", "table records: bgpSourceAsNumber, sFlow extended_gateway"),
    Field("dst_as", "label", "int", "", "autonomous system of the destination", "table records: bgpDestinationAsNumber, sFlow extended_gateway"),
    Field("post_src", "label", "address", "", "source after translation (NAT)", "table records: postNATSourceIPv4Address"),
    Field("post_dst", "label", "address", "", "destination after translation (NAT)", "table records: postNATDestinationIPv4Address"),
    Field("post_sport", "label", "int", "", "source port after translation (NAT)", "table records: postNAPTSourceTransportPort"),
    Field("post_dport", "label", "int", "", "destination port after translation (NAT)", "table records: postNAPTDestinationTransportPort"),
    Field("reverse_packets", "counter", "int", "packets", "packets of the way back, where one record tells both", "table records: RFC 5103"),
    Field("reverse_bytes", "counter", "int", "bytes", "bytes of the way back", "table records: RFC 5103"),
    Field("tunnel", "label", "text", "", "how an inner packet is carried: gre, vxlan, geneve, ip-in-ip, gtp-u ...", "table records: sampled header"),
    Field("tunnel_id", "label", "int", "", "VNI, TEID or key of the tunnel", "table records: sampled header, sFlow extended_vni_ingress"),
    Field("inner_proto", "label", "text", "", "protocol inside the tunnel", "table records: sampled header"),
    Field("inner_src", "label", "address", "", "source inside the tunnel", "table records: sampled header"),
    Field("inner_sport", "label", "int", "", "source port inside the tunnel", "table records: sampled header"),
    Field("inner_dst", "label", "address", "", "destination inside the tunnel", "table records: sampled header"),
    Field("inner_dport", "label", "int", "", "destination port inside the tunnel", "table records: sampled header"),
    Field("ds_class", "label", "int", "", "class of the data source: 0 interface, 2 host, 3 entity", "table records: sFlow source_id"),
    Field("ds_index", "label", "int", "", "index of the data source", "table records: sFlow source_id"),
    Field("sample_pool", "counter", "int", "packets", "packets that could have been sampled, since the agent began", "table records: sFlow sample_pool"),
    # -- who sends (table exporters)
    Field("datagrams", "counter", "int", "", "datagrams received", "table exporters"),
    Field("octets", "counter", "int", "bytes", "their payloads as sent", "table exporters"),
    Field("flow_records", "counter", "int", "", "flow records", "table exporters: NetFlow, IPFIX"),
    Field("packet_samples", "counter", "int", "", "packet samples", "table exporters: sFlow flow_sample"),
    Field("counter_samples", "counter", "int", "", "counter samples", "table exporters: sFlow counters_sample"),
    Field("discards", "counter", "int", "", "discarded packets told", "table exporters: sFlow discarded_packet"),
    Field("option_records", "counter", "int", "", "option records", "table exporters: NetFlow 9, IPFIX"),
    Field("templates", "counter", "int", "", "templates received, those sent again too", "table exporters: NetFlow 9, IPFIX"),
    Field("unread_sets", "counter", "int", "", "sets of records without a template", "table exporters: NetFlow 9, IPFIX"),
    Field("rejected", "counter", "int", "", "datagrams that could not be read, or not wholly", "table exporters"),
    Field("missing", "counter", "int", "", "what sequence numbers say was sent and never came: datagrams of sFlow and NetFlow 9, records of the others", "table exporters: sequence numbers"),
    Field("late", "counter", "int", "", "datagrams that came after later ones", "table exporters: sequence numbers"),
    Field("repeated", "counter", "int", "", "datagrams that came again", "table exporters: sequence numbers"),
    Field("restarts", "counter", "int", "", "times that the exporter began anew", "table exporters: sequence numbers"),
    Field("rates", "label", "ints", "", "sampling rates seen, at most eight", "table exporters"),
    Field("sampler_drops", "counter", "int", "", "samples that the agent dropped", "table records: sFlow drops"),
    Field("src_entity", "label", "int", "", "data source 3:N of the unit or container that sent it", "table records: sFlow extended_entities"),
    Field("dst_entity", "label", "int", "", "data source 3:N of the unit or container that it went to", "table records: sFlow extended_entities"),
    Field("since_sample", "gauge", "int", "us", "time since the sample before of the same connection", "table records: fleutan's sFlow tcp_deltas"),
    Field("segs_out_since", "gauge", "int", "segments", "sent since that sample", "table records: fleutan's sFlow tcp_deltas"),
    Field("retrans_since", "gauge", "int", "segments", "sent again since that sample", "table records: fleutan's sFlow tcp_deltas"),
    Field("rtt_change", "gauge", "int", "us", "by how much the round-trip time grew since that sample", "table records: fleutan's sFlow tcp_deltas"),
    # -- the past (tables of the lake, and answers of modules)
    Field("time", "label", "int", "ns", "when the row's interval began, or when it happened (UTC)", "tables of the lake"),
    Field("interval", "gauge", "int", "us", "how long the row's interval was", "tables of the lake"),
    Field("node", "key", "text", "", "host that recorded it", "tables of the lake"),
    Field("header", "label", "octets", "", "first octets of the packet, from the link's header on", "table samples: sampled header"),
    Field("link_type", "label", "int", "", "what the header begins with, as capture files number it: 1 Ethernet, 101 IP", "table samples: sampled header"),
    Field("flows", "counter", "int", "", "flows: flow records, or what is told apart by its ends and protocol", "tables of modules"),
    Field("kind", "key", "text", "", "kind of the rows that were added up: records, samples, flows", "tables of the lake: rollups"),
    Field("side", "key", "text", "", "what was ranked: src, dst, sport or dport", "tables of the lake: rollups"),
    Field("structure", "key", "text", "", "structure of counters: if_counters, host_cpu ...", "table counters: sFlow"),
    Field("counter", "key", "text", "", "name of the counter in its structure", "table counters: sFlow"),
    Field("count", "counter", "int", "", "its value, where it is a whole number", "table counters: sFlow"),
    Field("gauge", "gauge", "float", "", "its value, where it is none", "table counters: sFlow"),
    Field("rank", "label", "int", "", "place in the order, from 1", "tables of modules"),
    Field("address", "key", "address", "", "address of either end", "tables of modules"),
    Field("port", "key", "int", "", "port of either end", "tables of modules"),
)
# fmt: on

#: The fields of a flow that are known where its packets are counted.
TRAFFIC = tuple(field.name for field in FIELDS if field.source.startswith("traffic"))
BY_NAME: dict[str, Field] = {field.name: field for field in FIELDS}
_SPELLINGS: dict[str, Field] = {
    spelling: field for field in reversed(FIELDS) for spelling in (*field.aliases, field.key, field.name)
}


def find(spelling: str) -> Field | None:
    """The field by name, key or alias, in any case; None where there is none."""
    return _SPELLINGS.get(spelling.lower().replace("-", "_"))


def nearest(spelling: str, among: Iterable[str] = ()) -> str | None:
    """The known name most like ``spelling``, one of ``among`` before all others, or None where nothing is near."""
    for known in ([*among], [*_SPELLINGS]):
        if found := difflib.get_close_matches(spelling.lower(), known, n=1, cutoff=0.6):
            return found[0]
    return None


def require(spelling: str) -> Field:
    """The field by name, key or alias.  Raises UsageError that names the nearest known one."""
    field = find(spelling)
    if field is None:
        near = nearest(spelling)
        hint = f"did you mean {near}?" if near else "'fleutan fields' lists all"
        raise UsageError(f"no field is called {spelling!r}; {hint}")
    return field
