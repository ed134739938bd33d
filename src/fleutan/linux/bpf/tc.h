/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a program at tc is given and asks for (include/uapi/linux/bpf.h): user-space ABI, whose order
 * stands and which is not relocated.
 *
 * No code lives here.
 */
#ifndef FLEUTAN_TC_H
#define FLEUTAN_TC_H

#include "kernel.h"

/* TCX_NEXT and TC_ACT_UNSPEC: whoever comes after decides about the packet, as if nobody had been here. */
enum { NEXT = -1 };

/* include/uapi/linux/if_packet.h */
enum { PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST, PACKET_OTHERHOST };

struct bpf_sock;

struct __sk_buff {
	__u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto;
	__u32 priority, ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid, data, data_end, napi_id;
	__u32 family, remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port, local_port;
	__u32 data_meta;
	__u64 flow_keys __attribute__((aligned(8)));
	__u64 tstamp;
	__u32 wire_len, gso_segs;
	union {
		struct bpf_sock *sk;
		__u64 : 64;
	} __attribute__((aligned(8)));
	__u32 gso_size;
};

struct bpf_sock_tuple {
	union {
		struct {
			__be32 saddr, daddr;
			__be16 sport, dport;
		} ipv4;
		struct {
			__be32 saddr[4], daddr[4];
			__be16 sport, dport;
		} ipv6;
	};
};

enum { CURRENT_NETNS = -1 }; /* BPF_F_CURRENT_NETNS */

struct bpf_fib_lookup {
	__u8 family, l4_protocol;
	__be16 sport, dport;
	__u16 tot_len;
	__u32 ifindex;
	union {
		__u8 tos;
		__be32 flowinfo;
	};
	__be32 src[4], dst[4];
	__be16 h_vlan_proto, h_vlan_tci;
	__u8 smac[6], dmac[6];
};

/* What a look-up of a route says. */
enum { FIB_SUCCESS = 0, FIB_NOT_FORWARDED = 4, FIB_FORWARDING_DISABLED = 5, FIB_NO_NEIGHBOUR = 7, FIB_TOO_LONG = 8 };

#endif
