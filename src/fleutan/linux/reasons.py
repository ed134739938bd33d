# SPDX-License-Identifier: Apache-2.0
"""Why the kernel drops a packet or sends a reset: the running kernel's own names, and sentences.

The numbers differ from kernel to kernel, so names are looked up in its BTF, of which only the
enums asked for are read (Documentation/bpf/btf.rst).  What happened to which packet is not known
here.
"""

from __future__ import annotations

import sys
from functools import cache
from struct import iter_unpack, unpack_from

BTF_FOLDER = "/sys/kernel/btf"

#: enum, its prefix that says nothing, and the modules that add enums of their own to it.
_DROPS = ("skb_drop_reason", "SKB_DROP_REASON_", {"mac80211": "mac80211_drop_reason", "openvswitch": "ovs_drop_reason"})
_RESETS: tuple[str, str, dict[str, str]] = ("sk_rst_reason", "SK_RST_REASON_", {})
#: Prefixes of what modules add.
_OTHER_PREFIXES = ("RX_DROP_U_", "RX_DROP_")

_MAGIC = 0xEB9F
_KIND_ENUM = 6
_ORDER = "<" if sys.byteorder == "little" else ">"


@cache
def drop_reasons(folder: str = BTF_FOLDER) -> dict[int, str]:
    """Names of drop reasons by number, without prefix; empty where the kernel does not tell."""
    return _named(folder, *_DROPS)


@cache
def reset_reasons(folder: str = BTF_FOLDER) -> dict[int, str]:
    """Names of the reasons for resets (since Linux 6.10); empty where the kernel does not tell."""
    return _named(folder, *_RESETS)


def drop_sentence(name: str) -> str | None:
    """What a reason for a drop means, in words; None for one that is not in the table."""
    return DROPS.get(name)


def reset_sentence(name: str) -> str | None:
    """What a reason for a reset means, in words; None for one that is not in the table."""
    return RESETS.get(name)


def _named(folder: str, enum: str, prefix: str, modules: dict[str, str]) -> dict[int, str]:
    kernel = read_btf(f"{folder}/vmlinux")
    if kernel is None:
        return {}
    found = kernel.enum(enum)
    for module, added in modules.items():
        btf = read_btf(f"{folder}/{module}", kernel)
        if btf is not None:
            found |= btf.enum(added)
    return {number: _without_prefix(name, (prefix, *_OTHER_PREFIXES)) for number, name in found.items()}


def _without_prefix(name: str, prefixes: tuple[str, ...]) -> str:
    return next((name.removeprefix(prefix) for prefix in prefixes if name.startswith(prefix)), name)


def read_btf(path: str, base: Btf | None = None) -> Btf | None:
    """The types that a file describes; None where there is none, or it is not BTF."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return None
    if len(data) < 24 or unpack_from(_ORDER + "H", data)[0] != _MAGIC:
        return None
    return Btf(data, base)


class Btf:
    """Type information of the kernel, or of a module (``base`` is then that of the kernel).

    Types have no index and different sizes, and there are a hundred thousand: instead of walking
    over them, the one is searched for that has the wanted name.
    """

    def __init__(self, data: bytes, base: Btf | None = None) -> None:
        head, types, types_size, strings, strings_size = unpack_from(_ORDER + "5I", data, 4)
        self._types = memoryview(data)[head + types : head + types + types_size]
        self._strings = data[head + strings : head + strings + strings_size]
        self._base = base
        self._first: int = 0 if base is None else base._last
        self._last: int = self._first + len(self._strings)

    def enum(self, name: str) -> dict[int, str]:
        """The names of an enum by their numbers; empty where there is no such enum."""
        at = self._strings.find(b"\0" + name.encode() + b"\0")
        if at < 0:
            return {}
        wanted = (self._first + at + 1).to_bytes(4, sys.byteorder)
        types = bytes(self._types)
        place = types.find(wanted)
        while place >= 0:
            if place % 4 == 0 and place + 12 <= len(types):
                facts, size = unpack_from(_ORDER + "2I", types, place + 4)
                if facts >> 24 & 0x1F == _KIND_ENUM and size == 4:
                    members = types[place + 12 :][: 8 * (facts & 0xFFFF)]
                    whole = members[: len(members) // 8 * 8]
                    return {number: self._text(offset) for offset, number in iter_unpack(_ORDER + "2I", whole)}
            place = types.find(wanted, place + 1)
        return {}

    def _text(self, offset: int) -> str:
        if offset < self._first and self._base is not None:
            return self._base._text(offset)
        start = offset - self._first
        return self._strings[start : self._strings.find(b"\0", start)].decode("utf-8", "replace")


#: What a drop means, by the reason's name (include/net/dropreason-core.h, net/mac80211/drop.h,
#: net/openvswitch/drop.h).
DROPS = {
    "SKB_NOT_DROPPED_YET": "no reason was set",
    "SKB_CONSUMED": "used up as it should be: not a loss",
    "NOT_SPECIFIED": "the kernel gives no reason here",
    # sockets
    "NO_SOCKET": "nothing listens or is connected at this address and port",
    "SOCKET_CLOSE": "the process closed the socket before it read this",
    "SOCKET_FILTER": "a filter that the process put on its socket refused it",
    "SOCKET_RCVBUFF": "the socket's receive buffer is full: the process reads too slowly",
    "SOCKET_BACKLOG": "the socket's backlog is full: packets came faster than it was served",
    "PROTO_MEM": "the protocol's memory limit is reached (net.ipv4.tcp_mem, udp_mem)",
    "UNIX_DISCONNECT": "a local socket was closed or connected anew with data unread",
    "UNIX_SKIP_OOB": "urgent data of a local socket was passed over",
    "PACKET_SOCK_ERROR": "a packet socket could not take it",
    # headers, checksums, sizes
    "PKT_TOO_SMALL": "shorter than its headers say",
    "PKT_TOO_BIG": "larger than the MTU, and may not be fragmented",
    "HDR_TRUNC": "its headers are cut off",
    "TCP_CSUM": "wrong TCP checksum: damaged on the way",
    "UDP_CSUM": "wrong UDP checksum: damaged on the way",
    "ICMP_CSUM": "wrong ICMP checksum: damaged on the way",
    "IP_CSUM": "wrong IP header checksum: damaged on the way",
    "SKB_CSUM": "its checksum could not be computed or is wrong",
    "IP_INHDR": "malformed IP header, or its time to live ended while it was forwarded",
    "IP_NOPROTO": "no one here speaks the protocol inside",
    "INVALID_PROTO": "the protocol does not fit the packet",
    "UNHANDLED_PROTO": "no one here takes this kind of frame",
    "IPV6_BAD_EXTHDR": "malformed IPv6 extension header",
    # where to
    "OTHERHOST": "meant for another host, seen in promiscuous mode",
    "UNICAST_IN_L2_MULTICAST": "one host's IP packet in a frame to many",
    "IP_RPFILTER": "reverse path filter: its source is not reached by that interface",
    "IP_OUTNOROUTES": "no route to the destination",
    "IP_INNOROUTES": "came in, and there is no route to its destination",
    "IP_INADDRERRORS": "its destination is not accepted here (often: forwarding is off)",
    "IP_LOCAL_SOURCE": "came from outside with an address of this host",
    "IP_INVALID_SOURCE": "its source address is none (multicast or broadcast)",
    "IP_LOCALNET": "came from outside with a loopback address",
    "IP_INVALID_DEST": "its destination address is none",
    "IPV6DISABLED": "IPv6 is off on the interface",
    "LOCAL_MAC": "came from outside with this host's own MAC address",
    "MAC_INVALID_SOURCE": "its source MAC address is none",
    "MAC_IEEE_MAC_CONTROL": "to a reserved MAC address that a bridge does not pass on",
    "NO_TX_TARGET": "there is no port to send it by",
    "BRIDGE_INGRESS_STP_STATE": "the bridge's port is blocked by spanning tree",
    "ARP_PVLAN_DISABLE": "ARP from a private VLAN, which is off",
    # neighbours
    "NEIGH_CREATEFAIL": "the neighbour table is full",
    "NEIGH_FAILED": "no answer to ARP or neighbour discovery: the next hop is not reachable",
    "NEIGH_QUEUEFULL": "too many packets wait for the next hop's MAC address",
    "NEIGH_DEAD": "the neighbour's entry is being removed",
    "NEIGH_HH_FILLFAIL": "the link-layer header could not be made",
    "IPV6_NDISC_FRAG": "neighbour discovery in fragments",
    "IPV6_NDISC_HOP_LIMIT": "neighbour discovery from beyond the link",
    "IPV6_NDISC_BAD_CODE": "neighbour discovery with a wrong code",
    "IPV6_NDISC_BAD_OPTIONS": "neighbour discovery with malformed options",
    "IPV6_NDISC_NS_OTHERHOST": "neighbour solicitation for another host",
    # policy
    "NETFILTER_DROP": "a firewall rule dropped it (nftables, iptables)",
    "XFRM_POLICY": "an IPsec policy does not allow it",
    "BPF_CGROUP_EGRESS": "a BPF program on the control group refused to send it",
    "SECURITY_HOOK": "a security module refused it (SELinux, AppArmor ...)",
    "XDP": "an XDP program dropped it",
    "TC_INGRESS": "a tc filter dropped it on its way in",
    "TC_EGRESS": "a tc filter dropped it on its way out",
    "TC_COOKIE_ERROR": "tc could not continue a chain of filters",
    "TC_CHAIN_NOTFOUND": "a tc filter went to a chain that does not exist",
    "TC_RECLASSIFY_LOOP": "tc filters sent it around in a circle",
    "TAP_FILTER": "the tap device's filter refused it",
    "TAP_TXFILTER": "the tap device's transmit filter refused it",
    "PSP_INPUT": "received without the encryption that its connection asks for (PSP)",
    "PSP_OUTPUT": "sent without the encryption that its connection asks for (PSP)",
    # queues and devices
    "QDISC_DROP": "the queueing discipline dropped it (often: its queue is full)",
    "QDISC_OVERLIMIT": "the queueing discipline's limit is reached",
    "QDISC_CONGESTED": "dropped early by the queueing discipline to signal congestion",
    "CAKE_FLOOD": "cake: a flow that does not slow down",
    "FQ_BAND_LIMIT": "fq: too many packets of its priority wait",
    "FQ_HORIZON_LIMIT": "fq: to be sent too far in the future",
    "FQ_FLOW_LIMIT": "fq: too many packets of its flow wait",
    "DUALPI2_STEP_DROP": "dualpi2: over the step threshold and without ECN",
    "CPU_BACKLOG": "the CPU's receive backlog is full (net.core.netdev_max_backlog)",
    "FULL_RING": "the device's ring is full",
    "DEV_HDR": "the device could not make its header",
    "DEV_READY": "the device is not up",
    "NOMEM": "no memory",
    "PFMEMALLOC": "from the emergency memory, which is not for this socket",
    "SKB_GSO_SEG": "could not be cut into segments",
    "SKB_UCOPY_FAULT": "could not be copied from the process's memory",
    "QUEUE_PURGE": "the queue that it waited in was emptied (socket closed, device down)",
    "RECURSION_LIMIT": "went through devices in a circle",
    # TCP
    "TCP_AUTH_HDR": "malformed or double authentication option (TCP MD5, TCP-AO)",
    "TCP_MD5NOTFOUND": "signed by TCP MD5 expected, came without",
    "TCP_MD5UNEXPECTED": "signed by TCP MD5, not expected",
    "TCP_MD5FAILURE": "wrong TCP MD5 signature",
    "TCP_AONOTFOUND": "TCP-AO expected, came without",
    "TCP_AOUNEXPECTED": "TCP-AO, not expected",
    "TCP_AOKEYNOTFOUND": "TCP-AO key is not known",
    "TCP_AOFAILURE": "wrong TCP-AO signature",
    "TCP_FLAGS": "TCP flags that do not fit the connection's state",
    "TCP_ABORT_ON_DATA": "data for a connection that the process has already closed",
    "TCP_ZEROWINDOW": "data although the receive window was closed",
    "TCP_OLD_DATA": "data that was here already: a retransmission that was not needed",
    "TCP_OVERWINDOW": "data beyond the receive window",
    "TCP_OFOMERGE": "data that another out-of-order segment holds already",
    "TCP_RFC7323_PAWS": "timestamp too old: a delayed duplicate (PAWS)",
    "TCP_RFC7323_PAWS_ACK": "acknowledgement with an old timestamp (PAWS)",
    "TCP_RFC7323_TW_PAWS": "timestamp too old for a connection in TIME-WAIT (PAWS)",
    "TCP_RFC7323_TSECR": "echoes a timestamp that was never sent",
    "TCP_LISTEN_OVERFLOW": "the listener's queue is full: the process accepts too slowly",
    "TCP_OLD_SEQUENCE": "old sequence number, outside of the window",
    "TCP_INVALID_SEQUENCE": "sequence number outside of the window",
    "TCP_INVALID_END_SEQUENCE": "its end lies outside of the window",
    "TCP_INVALID_ACK_SEQUENCE": "acknowledges what does not fit the handshake",
    "TCP_RESET": "a reset ended the connection",
    "TCP_INVALID_SYN": "a SYN inside an established connection",
    "TCP_CLOSE": "for a connection that is closed",
    "TCP_FASTOPEN": "the SYN's data does not fit Fast Open",
    "TCP_OLD_ACK": "acknowledges again what is acknowledged already",
    "TCP_TOO_OLD_ACK": "acknowledgement from too long ago",
    "TCP_ACK_UNSENT_DATA": "acknowledges data that was never sent",
    "TCP_OFO_QUEUE_PRUNE": "out-of-order data given up for lack of receive buffer",
    "TCP_OFO_DROP": "out-of-order data for which there is no receive buffer",
    "TCP_MINTTL": "came over more hops than the socket allows (IP_MINTTL)",
    # fragments, tunnels
    "DUP_FRAG": "a fragment that came twice or overlaps another",
    "FRAG_REASM_TIMEOUT": "a fragment whose others did not come in time",
    "FRAG_TOO_FAR": "a fragment of a packet far behind the others of its sender",
    "VXLAN_INVALID_HDR": "malformed VXLAN header",
    "VXLAN_VNI_NOT_FOUND": "no VXLAN device has this network identifier",
    "VXLAN_ENTRY_EXISTS": "VXLAN: the sender's address belongs elsewhere",
    "IP_TUNNEL_ECN": "the tunnel's ECN marks contradict the packet's",
    "TUNNEL_TXINFO": "the tunnel is not told where to send it",
    # CAN
    "CAN_RX_INVALID_FRAME": "malformed CAN frame",
    "CANFD_RX_INVALID_FRAME": "malformed CAN FD frame",
    "CANXL_RX_INVALID_FRAME": "malformed CAN XL frame",
    # Open vSwitch
    "OVS_DROP_LAST_ACTION": "Open vSwitch: its last action drops it",
    "OVS_DROP_ACTION_ERROR": "Open vSwitch: an action failed",
    "OVS_DROP_EXPLICIT": "Open vSwitch: an action that drops",
    "OVS_DROP_EXPLICIT_WITH_ERROR": "Open vSwitch: an action that drops after an error",
    "OVS_DROP_METER": "Open vSwitch: over a meter's rate",
    "OVS_DROP_RECURSION_LIMIT": "Open vSwitch: actions went in a circle",
    "OVS_DROP_DEFERRED_LIMIT": "Open vSwitch: too many actions wait",
    "OVS_DROP_FRAG_L2_TOO_LONG": "Open vSwitch: header too long for fragments",
    "OVS_DROP_FRAG_INVALID_PROTO": "Open vSwitch: protocol that cannot be fragmented",
    "OVS_DROP_CONNTRACK": "Open vSwitch: connection tracking refused it",
    "OVS_DROP_IP_TTL": "Open vSwitch: its time to live is over",
}

#: What a reset that was sent means, by the reason's name (include/net/rstreason.h).
RESETS = {
    "NOT_SPECIFIED": "the kernel gives no reason here",
    "NO_SOCKET": "someone wants a port where nothing listens, or a connection that is gone",
    "TCP_INVALID_ACK_SEQUENCE": "the acknowledgement does not fit the handshake",
    "TCP_RFC7323_PAWS": "timestamp too old (PAWS)",
    "TCP_TOO_OLD_ACK": "acknowledgement from too long ago",
    "TCP_ACK_UNSENT_DATA": "acknowledges data that was never sent",
    "TCP_FLAGS": "TCP flags that do not fit the connection's state",
    "TCP_OLD_ACK": "acknowledges again what is acknowledged already",
    "TCP_ABORT_ON_DATA": "data came for a connection that the process has already closed",
    "TCP_TIMEWAIT_SOCKET": "a segment that does not fit a connection in TIME-WAIT",
    "INVALID_SYN": "a SYN inside an established connection",
    "TCP_ABORT_ON_CLOSE": "the process closed the connection with data unread",
    "TCP_ABORT_ON_LINGER": "the process closed the connection at once (SO_LINGER 0)",
    "TCP_ABORT_ON_MEMORY": "no memory is left for connections that no process holds any more",
    "TCP_STATE": "the connection was ended in a state that asks for a reset",
    "TCP_KEEPALIVE_TIMEOUT": "no answer to keepalive probes",
    "TCP_DISCONNECT_WITH_DATA": "the process disconnected with data unsent",
    "MPTCP_RST_EUNSPEC": "MPTCP: not specified",
    "MPTCP_RST_EMPTCP": "MPTCP: protocol error",
    "MPTCP_RST_ERESOURCE": "MPTCP: no resources for another subflow",
    "MPTCP_RST_EPROHIBIT": "MPTCP: another subflow is not allowed",
    "MPTCP_RST_EWQ2BIG": "MPTCP: too much data waits on the subflow",
    "MPTCP_RST_EBADPERF": "MPTCP: the subflow is too slow",
    "MPTCP_RST_EMIDDLEBOX": "MPTCP: a device on the path spoils it",
    "ERROR": "an error in the kernel",
}
