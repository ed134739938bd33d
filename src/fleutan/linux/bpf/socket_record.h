/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What every socket has, TCP or UDP: its record, and how it is filled from struct inet_sock.
 *
 * The bits of `known` and the units that all records share stand here as well.  Nothing is
 * written from here, and what only TCP has is in tcp_info.h and sockets.bpf.c.
 */
#ifndef FLEUTAN_SOCKET_RECORD_H
#define FLEUTAN_SOCKET_RECORD_H

#include "kernel.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* Ticks per second, set by the loader: no program can ask for it. */
const volatile __u32 hz = 0;

#define NO_QUEUE 0xffff /* NO_QUEUE_MAPPING, include/net/sock.h */
#define USEC 1000000ULL

/* Bits of `known`: a group of members that this record has. */
enum {
	HAS_UID = 1 << 0,
	HAS_SOCKET = 1 << 1, /* a full socket, not TIME-WAIT or a request */
	HAS_TCLASS = 1 << 2,
	HAS_V6ONLY = 1 << 3,
	HAS_CGROUP = 1 << 4,
	HAS_CPU = 1 << 5,
	HAS_RX_QUEUE = 1 << 6,
	HAS_TX_QUEUE = 1 << 7,
	HAS_DST = 1 << 8,
	HAS_TCP = 1 << 9, /* tcp_info */
	HAS_SEQUENCE = 1 << 10,
	HAS_CONG = 1 << 11,
	HAS_ULP = 1 << 12,
	HAS_TOTAL_RTO = 1 << 13,
	HAS_ACCECN = 1 << 14,
};

struct socket_record {
	__u64 idiag_cookie, cgroup_id;
	__be32 idiag_src[4], idiag_dst[4];
	__u32 known, idiag_if, idiag_expires, idiag_rqueue, idiag_wqueue, idiag_uid, idiag_inode;
	__u32 mark, netns, priority, dst_ifindex, incoming_cpu;
	__u32 rmem_alloc, rcvbuf, wmem_alloc, sndbuf, fwd_alloc, wmem_queued, optmem, backlog, drops;
	__u16 idiag_sport, idiag_dport, rx_queue, tx_queue;
	__u8 proto, idiag_family, idiag_state, idiag_timer, idiag_retrans, tos, tclass, v6only;
	__u8 shutdown, flow_label[3]; /* of TCP over IPv6, in network order */
};

/* -- units: jiffies_to_usecs(), jiffies_to_msecs(), jiffies_delta_to_msecs(); for a tick that is
 * a whole number of them the verifier, knowing hz, leaves only the multiplication. */

static __always_inline __u32 usecs(__u32 ticks)
{
	if (USEC % hz == 0)
		return ticks * (__u32)(USEC / hz);
	return ticks * USEC / hz;
}

static __always_inline __u32 msecs(__u32 ticks)
{
	if (1000 % hz == 0)
		return ticks * (1000 / hz);
	return (ticks * 1000ULL + hz - 1) / hz;
}

static __always_inline __u32 msecs_until(unsigned long expires)
{
	__s64 left = expires - bpf_jiffies64();

	return left > 0 ? msecs(left) : 0;
}

static __always_inline __u32 at_least_zero(__s32 value)
{
	return value > 0 ? value : 0;
}

/* -- every socket, and what is left of one */

static __always_inline void endpoints(struct socket_record *r, struct sock_common *skc)
{
	r->idiag_family = skc->skc_family;
	r->idiag_state = skc->skc_state;
	r->idiag_sport = skc->skc_num;
	r->idiag_dport = __builtin_bswap16(skc->skc_dport);
	if (skc->skc_family == AF_INET6) {
#pragma unroll
		for (int word = 0; word < 4; word++) {
			r->idiag_src[word] = skc->skc_v6_rcv_saddr.in6_u.u6_addr32[word];
			r->idiag_dst[word] = skc->skc_v6_daddr.in6_u.u6_addr32[word];
		}
	} else {
		r->idiag_src[0] = skc->skc_rcv_saddr;
		r->idiag_dst[0] = skc->skc_daddr;
	}
	r->idiag_if = skc->skc_bound_dev_if;
	r->netns = skc->skc_net.net->ns.inum;
	r->idiag_cookie = skc->skc_cookie.counter;
	if (!r->idiag_cookie)
		r->idiag_cookie = bpf_get_socket_cookie(skc);
}

static __always_inline __u32 inode(struct sock *sk)
{
	unsigned long number = 0;

	if (bpf_core_field_exists(sk->sk_ino))
		return sk->sk_ino;
	if (sk->sk_socket)
		bpf_core_read(&number, sizeof(number), &((struct socket_alloc *)sk->sk_socket)->vfs_inode.i_ino);
	return number;
}

static __always_inline void memory(struct socket_record *r, struct sock *sk)
{
	r->rmem_alloc = at_least_zero(sk->sk_backlog.rmem_alloc.counter);
	r->rcvbuf = sk->sk_rcvbuf;
	r->wmem_alloc = at_least_zero(sk->sk_wmem_alloc.refs.counter - 1);
	r->sndbuf = sk->sk_sndbuf;
	r->fwd_alloc = at_least_zero(sk->sk_forward_alloc);
	r->wmem_queued = at_least_zero(sk->sk_wmem_queued);
	r->optmem = sk->sk_omem_alloc.counter;
	r->backlog = sk->sk_backlog.len;
	r->drops = sk->sk_drops.counter;
}

static __always_inline void placement(struct socket_record *r, struct sock *sk)
{
	struct dst_entry *dst = sk->sk_dst_cache;

	r->incoming_cpu = sk->__sk_common.skc_incoming_cpu;
	if (r->incoming_cpu != (__u32)-1)
		r->known |= HAS_CPU;
	r->tx_queue = sk->__sk_common.skc_tx_queue_mapping;
	if (r->tx_queue != NO_QUEUE)
		r->known |= HAS_TX_QUEUE;
	if (bpf_core_field_exists(sk->__sk_common.skc_rx_queue_mapping)) {
		r->rx_queue = sk->__sk_common.skc_rx_queue_mapping;
		if (r->rx_queue != NO_QUEUE)
			r->known |= HAS_RX_QUEUE;
	}
	if (dst)
		r->dst_ifindex = (bpf_core_field_exists(dst->dev) ? dst->dev : dst->dev_rcu)->ifindex;
	if (r->dst_ifindex)
		r->known |= HAS_DST;
}

static __always_inline void full_socket(struct socket_record *r, struct inet_sock *inet, __u32 uid)
{
	struct sock *sk = &inet->sk;

	endpoints(r, &sk->__sk_common);
	r->known = HAS_SOCKET | HAS_UID;
	r->proto = sk->sk_protocol;
	r->idiag_uid = uid;
	r->idiag_inode = inode(sk);
	r->mark = sk->sk_mark;
	r->priority = sk->sk_priority;
	r->tos = inet->tos;
	r->shutdown = sk->sk_shutdown;
	if (r->idiag_family == AF_INET6) {
		r->tclass = inet->pinet6->tclass;
		r->known |= HAS_TCLASS;
		if (r->idiag_state == TCP_LISTEN || r->idiag_state == TCP_CLOSE) {
			r->v6only = BPF_CORE_READ_BITFIELD(sk, __sk_common.skc_ipv6only);
			r->known |= HAS_V6ONLY;
		}
	}
	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup)) {
		r->cgroup_id = sk->sk_cgrp_data.cgroup->kn->id;
		if (r->cgroup_id)
			r->known |= HAS_CGROUP;
	}
	memory(r, sk);
	placement(r, sk);
}

#endif
