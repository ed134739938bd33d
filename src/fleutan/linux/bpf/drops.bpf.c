// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Packets that the kernel drops, TCP's retransmissions, and its resets: counted by flow, reason,
 * device, network namespace and place in the kernel.
 *
 * Nothing is written per event.  Counts lie in one of two generations of maps, which the reader
 * exchanges (an update of `current_flows` returns when no program uses the old one any more), so
 * that what it then reads and empties is exact.  Where the map of flows is full, the event is counted
 * in the map `rest` by all but the flow, and where that is full too, in `lost`.  The layout is
 * read in ../drops.py; what a reason means is not known here.
 */
#include "kernel.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define IFNAMSIZ 16
#define IP_OFFSET 0x1fff
#define EXTENSIONS 6 /* IPv6 extension headers that are followed */
#define PORTED(proto) ((proto) == 6 || (proto) == 17 || (proto) == 33 || (proto) == 132 || (proto) == 136)
/* Inodes of namespaces are above (PROC_DYNAMIC_FIRST, MNT_NS_INIT_INO and its like). */
#define LEAST_NAMESPACE 0xefffff00

enum { DROP, RETRANSMIT, RESET_SENT, RESET_RECEIVED };
enum { DIRECTION_UNKNOWN, RECEIVED, SENT };
/* Why a segment was sent again. */
enum { BY_SYN, BY_SYNACK, BY_TIMEOUT, BY_RECOVERY, BY_PROBE, BY_OTHER };
/* include/uapi/linux/tcp.h, include/net/tcp_states.h */
enum { TCP_CA_RECOVERY = 3, TCP_CA_LOSS = 4, TCP_SYN_SENT = 2 };

struct drop_key {
	__u64 cookie, location;
	__be32 local[4], remote[4];
	__u32 reason, netns, ifindex;
	__u16 sport, dport, ethertype;
	__u8 event, direction, family, proto, padding[2];
};

struct drop_count {
	__u64 packets, segments, bytes; /* segments: as on the wire, where one packet holds several */
	char device[IFNAMSIZ];
};

struct flows {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct drop_key);
	__type(value, struct drop_count);
} flows_0 SEC(".maps"), flows_1 SEC(".maps");

/* By CPU, since all CPUs may meet in few rows. */
struct rest {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct drop_key);
	__type(value, struct drop_count);
} rest_0 SEC(".maps"), rest_1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct flows);
} current_flows SEC(".maps") = { .values = { &flows_0 } };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct rest);
} current_rest SEC(".maps") = { .values = { &rest_0 } };

/* What found no room at all; then the tick in which the map of flows was found full. */
struct {
	__u64 packets, segments, bytes, full;
} lost;

/* -- counting */

static __always_inline bool add(void *outer, struct drop_key *key, struct drop_count *more, const void *name)
{
	__u32 only = 0;
	void *map = bpf_map_lookup_elem(outer, &only);
	struct drop_count *count;

	if (!map)
		return false;
	count = bpf_map_lookup_elem(map, key);
	if (!count) {
		/* In a full map the search for a free place would cost more than all the rest. */
		if (outer == &current_flows && lost.full == bpf_jiffies64())
			return false;
		if (name)
			bpf_probe_read_kernel_str(more->device, sizeof(more->device), name);
		if (!bpf_map_update_elem(map, key, more, BPF_NOEXIST))
			return true;
		count = bpf_map_lookup_elem(map, key); /* another CPU may have been first */
		if (!count) {
			lost.full = bpf_jiffies64();
			return false;
		}
	}
	__sync_fetch_and_add(&count->packets, more->packets);
	__sync_fetch_and_add(&count->segments, more->segments);
	__sync_fetch_and_add(&count->bytes, more->bytes);
	return true;
}

static __noinline int count_rest(struct drop_key *key, struct drop_count *more, const void *name)
{
	key->cookie = 0;
	__builtin_memset(key->local, 0, sizeof(key->local));
	__builtin_memset(key->remote, 0, sizeof(key->remote));
	key->sport = key->dport = 0;
	if (add(&current_rest, key, more, name))
		return 0;
	__sync_fetch_and_add(&lost.packets, more->packets);
	__sync_fetch_and_add(&lost.segments, more->segments);
	__sync_fetch_and_add(&lost.bytes, more->bytes);
	return 0;
}

/* `name` is that of the device, read only where there is a row to be made; or NULL. */
static __always_inline void count(struct drop_key *key, struct drop_count *more, const void *name)
{
	if (!add(&current_flows, key, more, name))
		count_rest(key, more, name);
}

/* -- which flow */

/* Any socket, whole or not; read without trust, as it may be NULL on kernels that do not say so. */
static __always_inline bool of_socket(struct drop_key *key, struct sock *sk)
{
	struct sock_common *skc = &sk->__sk_common;
	__u16 family = 0;

	if (!sk)
		return false;
	family = BPF_CORE_READ(skc, skc_family);
	if (family != AF_INET && family != AF_INET6)
		return false;
	key->family = family;
	key->cookie = BPF_CORE_READ(skc, skc_cookie.counter);
	if (!key->netns)
		key->netns = BPF_CORE_READ(skc, skc_net.net, ns.inum);
	return true;
}

static __always_inline void ends_of_socket(struct drop_key *key, struct sock *sk)
{
	struct sock_common *skc = &sk->__sk_common;

	key->sport = BPF_CORE_READ(skc, skc_num);
	/* A socket that is closed has given its number back; the copy stays. */
	if (!key->sport && BPF_CORE_READ(skc, skc_state) == TCP_CLOSE)
		key->sport = __builtin_bswap16(BPF_CORE_READ((struct inet_sock___ended *)sk, inet_sport));
	key->dport = __builtin_bswap16(BPF_CORE_READ(skc, skc_dport));
	if (key->family == AF_INET6) {
		BPF_CORE_READ_INTO(&key->local, skc, skc_v6_rcv_saddr.in6_u.u6_addr32);
		BPF_CORE_READ_INTO(&key->remote, skc, skc_v6_daddr.in6_u.u6_addr32);
	} else {
		key->local[0] = BPF_CORE_READ(skc, skc_rcv_saddr);
		key->remote[0] = BPF_CORE_READ(skc, skc_daddr);
	}
}

static __always_inline bool bytes_at(struct sk_buff___dropped *skb, __u32 offset, void *into, __u32 size)
{
	if (offset + size > skb->tail)
		return false;
	return !bpf_probe_read_kernel(into, size, skb->head + offset);
}

static __always_inline void ports(struct drop_key *key, const __be16 both[2])
{
	key->sport = __builtin_bswap16(both[0]);
	key->dport = __builtin_bswap16(both[1]);
}

static __always_inline void ports_at(struct drop_key *key, struct sk_buff___dropped *skb, __u32 offset)
{
	__be16 both[2];

	if (PORTED(key->proto) && bytes_at(skb, offset, both, sizeof(both)))
		ports(key, both);
}

/* Both headers with the ports that mostly follow: one read is cheaper than two. */
struct ipv4_header {
	__u8 ihl : 4, version : 4, tos;
	__be16 tot_len, id, frag_off;
	__u8 ttl, protocol;
	__be16 check;
	__be32 saddr, daddr;
	__be16 ports[2];
};

struct ipv6_header {
	__be32 version_class_label;
	__be16 payload_len;
	__u8 nexthdr, hop_limit;
	__be32 saddr[4], daddr[4];
	__be16 ports[2];
};

#define WITHOUT_PORTS(ip) (sizeof(ip) - sizeof(ip.ports))

static __always_inline bool of_ipv4(struct drop_key *key, struct sk_buff___dropped *skb, __u32 offset)
{
	struct ipv4_header ip;
	bool whole = bytes_at(skb, offset, &ip, sizeof(ip));

	if ((!whole && !bytes_at(skb, offset, &ip, WITHOUT_PORTS(ip))) || ip.version != 4)
		return false;
	key->family = AF_INET;
	key->proto = ip.protocol;
	key->local[0] = ip.saddr;
	key->remote[0] = ip.daddr;
	if (ip.frag_off & __builtin_bswap16(IP_OFFSET))
		return true;
	if (whole && ip.ihl * 4 == WITHOUT_PORTS(ip) && PORTED(ip.protocol))
		ports(key, ip.ports);
	else
		ports_at(key, skb, offset + ip.ihl * 4);
	return true;
}

/* Hop-by-hop, routing, fragment, destination options: RFC 8200. */
static __always_inline bool is_extension(__u8 header)
{
	return header == 0 || header == 43 || header == 44 || header == 60;
}

static __always_inline bool of_ipv6(struct drop_key *key, struct sk_buff___dropped *skb, __u32 offset)
{
	struct ipv6_header ip;
	bool whole = bytes_at(skb, offset, &ip, sizeof(ip));
	__u8 header;

	if ((!whole && !bytes_at(skb, offset, &ip, WITHOUT_PORTS(ip))) || (ip.version_class_label & 0xf0) != 0x60)
		return false;
	key->family = AF_INET6;
	__builtin_memcpy(key->local, ip.saddr, sizeof(ip.saddr));
	__builtin_memcpy(key->remote, ip.daddr, sizeof(ip.daddr));
	header = ip.nexthdr;
	if (whole && PORTED(header)) {
		key->proto = header;
		ports(key, ip.ports);
		return true;
	}
	offset += WITHOUT_PORTS(ip);
	for (int extension = 0; extension < EXTENSIONS && is_extension(header); extension++) {
		__u8 head[4];

		if (!bytes_at(skb, offset, head, sizeof(head)))
			break;
		offset += header == 44 ? 8 : (head[1] + 1) * 8;
		if (header == 44 && (head[2] || head[3] & 0xf8)) { /* not the first fragment: no ports */
			key->proto = head[0];
			return true;
		}
		header = head[0];
	}
	key->proto = header;
	ports_at(key, skb, offset);
	return true;
}

static __always_inline bool of_packet(struct drop_key *key, struct sk_buff___dropped *skb)
{
	__u16 ethertype = __builtin_bswap16(skb->protocol);

	key->ethertype = ethertype;
	if (ethertype == ETH_P_IP)
		return of_ipv4(key, skb, skb->network_header);
	if (ethertype == ETH_P_IPV6)
		return of_ipv6(key, skb, skb->network_header);
	return false;
}

/* Local is what the packet is for where it was received, and where it came from where it is sent. */
static __always_inline void turn(struct drop_key *key)
{
	__u16 port = key->sport;

	key->sport = key->dport;
	key->dport = port;
#pragma unroll
	for (int word = 0; word < 4; word++) {
		__be32 address = key->local[word];

		key->local[word] = key->remote[word];
		key->remote[word] = address;
	}
}

/* -- which device */

/* Where a packet waits in a queue or a tree of its socket, other things lie in the place of the
 * pointer; a namespace's inode then tells that there is no device behind it. */
static __always_inline const void *device(struct drop_key *key, struct sk_buff___dropped *skb)
{
	struct net_device___named *dev = (void *)skb->dev;
	__u32 netns = dev ? dev->nd_net.net->ns.inum : 0;

	key->ifindex = skb->skb_iif;
	if (netns < LEAST_NAMESPACE)
		return NULL;
	key->ifindex = dev->ifindex;
	key->netns = netns;
	return &dev->name;
}

static __always_inline const void *device_of_socket(struct drop_key *key, struct sock *sk)
{
	struct dst_entry *dst = BPF_CORE_READ(sk, sk_dst_cache);
	struct net_device___named *dev;

	if (!dst)
		return NULL;
	dev = (void *)(bpf_core_field_exists(dst->dev_rcu) ? BPF_CORE_READ(dst, dev_rcu) : BPF_CORE_READ(dst, dev));
	key->ifindex = BPF_CORE_READ(dev, ifindex);
	return &dev->name;
}

/* -- the events */

static __always_inline __u16 segments(struct sk_buff___dropped *skb)
{
	struct skb_shared_info___dropped *shared = (void *)(skb->head + skb->end);

	return BPF_CORE_READ(shared, gso_segs) ?: 1;
}

SEC("tp_btf/kfree_skb")
int kfree_skb(__u64 *ctx)
{
	struct sk_buff___dropped *skb = (void *)ctx[0];
	struct drop_key key = { .event = DROP, .location = ctx[1] };
	struct drop_count more = { .packets = 1, .segments = segments(skb), .bytes = skb->len };
	const void *name = device(&key, skb);
	struct sock *sk = NULL;
	bool owned, read;

	key.reason = ctx[2];
	if (bpf_core_field_exists(struct trace_event_raw_kfree_skb, rx_sk))
		sk = (void *)ctx[3];
	if (skb->skb_iif || sk)
		key.direction = RECEIVED;
	if (!sk)
		sk = skb->sk;
	owned = of_socket(&key, sk);
	if (owned && !key.direction)
		key.direction = SENT;
	read = of_packet(&key, skb);
	/* What is no packet of a network: netlink's and local sockets' messages. */
	if (!owned && !read && !name)
		return 0;
	if (read && key.direction == RECEIVED)
		turn(&key);
	else if (!read && owned)
		ends_of_socket(&key, sk);
	count(&key, &more, name);
	return 0;
}

static __always_inline void of_tcp(struct drop_key *key, struct sock *sk, __u8 direction)
{
	key->proto = IPPROTO_TCP;
	key->direction = direction;
	if (of_socket(key, sk))
		ends_of_socket(key, sk);
}

/* From tcp_write_timer_handler(), tcp_retransmit_timer() and tcp_fastretrans_alert(): a probe of
 * the tail is sent with its timer still pending, a timeout enters the state of loss first. */
static __always_inline __u32 cause(struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	__u8 state = sk->__sk_common.skc_state, congestion;

	if (!tp)
		return BY_OTHER;
	congestion = BPF_CORE_READ_BITFIELD(&tp->inet_conn, icsk_ca_state);
	if (state == TCP_SYN_SENT)
		return BY_SYN;
	if (state == TCP_SYN_RECV)
		return BY_SYNACK;
	if (congestion == TCP_CA_LOSS)
		return BY_TIMEOUT;
	if (congestion == TCP_CA_RECOVERY)
		return BY_RECOVERY;
	return tp->inet_conn.icsk_pending == ICSK_TIME_LOSS_PROBE ? BY_PROBE : BY_OTHER;
}

SEC("tp_btf/tcp_retransmit_skb")
int tcp_retransmit_skb(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct sk_buff___dropped *skb = (void *)ctx[1];
	struct drop_key key = { .event = RETRANSMIT };
	struct drop_count more = { .packets = 1, .bytes = skb->len };

	if (bpf_core_field_exists(struct trace_event_raw_tcp_retransmit_skb, err) && (int)ctx[2])
		return 0;
	more.segments = BPF_CORE_READ((struct tcp_skb_cb *)&skb->cb, tcp_gso_segs);
	key.reason = cause(sk);
	of_tcp(&key, sk, SENT);
	count(&key, &more, device_of_socket(&key, sk));
	return 0;
}

SEC("tp_btf/tcp_retransmit_synack")
int tcp_retransmit_synack(__u64 *ctx)
{
	struct drop_key key = { .event = RETRANSMIT, .reason = BY_SYNACK };
	struct drop_count more = { .packets = 1, .segments = 1 };

	of_tcp(&key, (void *)ctx[1], SENT);
	count(&key, &more, NULL);
	return 0;
}

SEC("tp_btf/tcp_send_reset")
int tcp_send_reset(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct sk_buff___dropped *answered = (void *)ctx[1];
	struct drop_key key = { .event = RESET_SENT };
	struct drop_count more = { .packets = 1, .segments = 1 };
	const void *name = NULL;

	if (bpf_core_field_exists(struct trace_event_raw_tcp_send_reset, reason))
		key.reason = ctx[2];
	of_tcp(&key, sk, SENT);
	/* Of a port without a socket there is only what came in. */
	if (!sk && answered && of_packet(&key, answered)) {
		name = device(&key, answered);
		turn(&key);
	}
	count(&key, &more, name);
	return 0;
}

SEC("tp_btf/tcp_receive_reset")
int tcp_receive_reset(__u64 *ctx)
{
	struct drop_key key = { .event = RESET_RECEIVED };
	struct drop_count more = { .packets = 1, .segments = 1 };

	of_tcp(&key, (void *)ctx[0], RECEIVED);
	count(&key, &more, NULL);
	return 0;
}
