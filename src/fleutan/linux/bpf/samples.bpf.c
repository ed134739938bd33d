// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Packets of one network namespace's devices, taken by lot: their first octets, and the state of their
 * socket, through a ring buffer.
 *
 * A program stands at tc where a device hands a packet up and one where it is handed a packet, before
 * all others there, and leaves the packet to them as it was.  What the drawing counts are packets as
 * they are on the wire: one that stands for many segments (GSO, GRO) is as many of them, and a
 * sample of it is of one segment, or of several.  A sample by segment tells how many packets there
 * were, as a switch beside the host would, and its error goes with their number; one by socket
 * buffer would be forty times rarer, and of 64 kB each.
 *
 * Each CPU has a cell for each device and direction.  It holds how many packets are still to be let by
 * until the next that is taken, which is drawn from a geometric distribution: each packet is
 * taken with the same chance whatever came before it, and no lot is drawn for those that are not.
 * The reader sets the rate in the cells, and reads there what was counted.  The layout is read in
 * ../packets/records.py.
 */
#include "packet.h"
#include "tc.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* include/uapi/linux/bpf.h */
enum { ARRAY = 2, MMAPABLE = 1 << 10 };

/* include/net/tcp_states.h, beside those in kernel.h */
enum { TCP_ESTABLISHED = 1 };

enum { IN, OUT };

/* Bits of a device's flags: its packets begin with an Ethernet header. */
enum { ETHERNET = 1 };

/* Devices are found by the last bits of their index, or in one of the places behind. */
#define PLACES 4096
#define TRIES 4

/* More segments than the largest packet has (GSO_MAX_SIZE by the smallest MSS that is in use). */
#define MOST_HITS 1024
#define BY_FRAGMENTS 0xffff /* GSO_BY_FRAGS */

#define THIS_HOST 0x3fffffff /* sFlow Version 5, section 5: the device itself */
/* Octets of both addresses, behind which a VLAN tag stands. */
#define ADDRESSES 12
#define TAGGED (ADDRESSES + 4)
#define SMALL 128
#define LARGE 256

/* Set by the loader: how many CPUs can ever be, and how many octets of a packet are kept at most. */
const volatile __u32 cpus = 1, most_octets = SMALL;

struct device {
	__u32 ifindex, number, flags, padding;
};

struct {
	__uint(type, ARRAY);
	__uint(map_flags, MMAPABLE);
	__uint(max_entries, PLACES + TRIES);
	__type(key, __u32);
	__type(value, struct device);
} devices SEC(".maps");

/* A line of the cache each.  The reader writes `scale`, then `one_in`; all others are written by the
 * CPU that it is for, which runs the program for one packet of a device and direction at a time. */
struct cell {
	__u64 packets, samples, lost, skip, scale;
	__u32 one_in, drawn_for;
	__u64 padding[2];
};

struct {
	__uint(type, ARRAY);
	__uint(map_flags, MMAPABLE);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct cell);
} cells SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} records SEC(".maps");

/* Bits of `known`. */
enum { HAS_SOCKET = 1, HAS_OWNER = 2, HAS_TCP = 4, HAS_CGROUP = 8, LAST_SEGMENT = 16 };
enum { UNKNOWN_WAY, RECEIVED, SENT };

struct sample {
	__u64 at_ns, packets, cookie, cgroup_id, bytes_sent, bytes_received, bytes_retrans;
	__u32 ifindex, one_in, cpu, hits, segments, length, last_length, kept, input, output, known;
	__u32 netns, inode, uid;
	__u32 snd_mss, rcv_mss, unacked, lost, retrans, pmtu, rtt, rttvar, snd_cwnd, reordering, min_rtt;
	__u32 segs_out, segs_in;
	__be16 protocol, vlan_proto;
	__u16 vlan_tci;
	__u8 direction, ethernet, network, way, state, padding[9];
	__u8 header[];
};

/* -- the lot */

/* -log2 of an evenly drawn number between 0 and 1, in units of 2^-16.  Without branches in the loop, each
 * of which would have the verifier walk the rest of it once more. */
__noinline __u32 minus_log2(void)
{
	__u64 drawn = (__u64)bpf_get_prandom_u32() + 1, mantissa;
	__u32 whole = 0, part = 0, bit;

#pragma unroll
	for (int step = 32; step; step >>= 1) {
		if (drawn >> (whole + step))
			whole += step;
	}
	mantissa = drawn << 31 >> whole;
	for (int i = 0; i < 16; i++) {
		mantissa = mantissa * mantissa >> 31;
		bit = mantissa >> 32;
		mantissa >>= bit & 1;
		part = part << 1 | bit;
	}
	return (32 << 16) - (whole << 16 | part);
}

/* How many packets on the next one is that is taken, 1 or more: `scale` is -1 / log2(1 - 1/N), in units of 2^-16. */
static __always_inline __u64 drawn(__u64 scale)
{
	return (minus_log2() * scale >> 32) + 1;
}

/* How many of so many segments are taken; with the highest bit where the last of them is. */
#define THE_LAST (1u << 31)

__noinline __u32 draw(struct cell *cell, __u32 segments)
{
	__u32 number = 0, last = 0;
	__u64 at, scale;

	if (!cell)
		return 0;
	at = cell->skip;
	scale = cell->scale;
	if (segments == 1 || cell->drawn_for == 1) {
		cell->skip = drawn(scale);
		return segments | THE_LAST;
	}
	for (int i = 0; i < MOST_HITS && at <= segments; i++) {
		number++;
		last = at == segments ? THE_LAST : 0;
		at += drawn(scale);
	}
	cell->skip = at > segments ? at - segments : 1;
	return number | last;
}

/* -- what the packet is, read from its bytes wherever they lie.  Functions that are not static are verified by
 * themselves and once: 6.1 takes too long over all of it together. */

struct frame {
	__u32 network, transport; /* where these headers begin; 0 where there is none to be read */
	__be32 src[4], dst[4];
	__be16 protocol, sport, dport;
	__u8 proto, tos;
	bool syn;
};

static __always_inline bool is_ip(const struct frame *f)
{
	return f->protocol == __builtin_bswap16(ETH_P_IP) || f->protocol == __builtin_bswap16(ETH_P_IPV6);
}

static __always_inline void behind_tags(struct __sk_buff *skb, struct frame *f)
{
	f->network = 14;
	if (bpf_skb_load_bytes(skb, 12, &f->protocol, sizeof(f->protocol)))
		f->protocol = 0;
#pragma unroll
	for (int i = 0; i < VLAN_TAGS && is_tag(f->protocol); i++) {
		if (bpf_skb_load_bytes(skb, f->network + 2, &f->protocol, sizeof(f->protocol)))
			f->protocol = 0;
		f->network += 4;
	}
}

static __always_inline void ipv4_frame(struct __sk_buff *skb, struct frame *f)
{
	struct {
		__u8 version, tos;
		__be16 length, id, fragment;
		__u8 ttl, proto;
		__be16 checksum;
		__be32 src, dst;
	} ip;

	if (bpf_skb_load_bytes(skb, f->network, &ip, sizeof(ip)) || ip.version >> 4 != 4)
		return;
	f->src[0] = ip.src;
	f->dst[0] = ip.dst;
	f->proto = ip.proto;
	f->tos = ip.tos;
	if (!(ip.fragment & __builtin_bswap16(0x1fff)))
		f->transport = f->network + (ip.version & 15) * 4;
}

static __always_inline void ipv6_frame(struct __sk_buff *skb, struct frame *f)
{
	struct {
		__be32 first;
		__be16 length;
		__u8 next, hops;
		__be32 src[4], dst[4];
	} ip;
	struct extension e;
	__u32 at = f->network + sizeof(ip);

	if (bpf_skb_load_bytes(skb, f->network, &ip, sizeof(ip)) || (__builtin_bswap32(ip.first) >> 28) != 6)
		return;
	__builtin_memcpy(f->src, ip.src, sizeof(f->src));
	__builtin_memcpy(f->dst, ip.dst, sizeof(f->dst));
	f->proto = ip.next;
	f->tos = __builtin_bswap32(ip.first) >> 20;
	for (int i = 0; i < EXTENSION_HEADERS && is_extension(f->proto); i++) {
		if (bpf_skb_load_bytes(skb, at, &e, sizeof(e)))
			return;
		if (f->proto == FRAGMENT && e.frag_off & __builtin_bswap16(0xfff8)) {
			f->proto = e.nexthdr;
			return;
		}
		at += f->proto == FRAGMENT ? 8 : f->proto == AUTHENTICATION ? (e.length + 2) * 4 : (e.length + 1) * 8;
		f->proto = e.nexthdr;
	}
	f->transport = at;
}

__noinline int read_frame(struct __sk_buff *skb, struct frame *f, bool ethernet)
{
	__be16 ports[2];

	if (!f)
		return 0;
	f->protocol = skb->protocol;
	if (ethernet)
		behind_tags(skb, f);
	if (f->protocol == __builtin_bswap16(ETH_P_IP))
		ipv4_frame(skb, f);
	else if (f->protocol == __builtin_bswap16(ETH_P_IPV6))
		ipv6_frame(skb, f);
	if (!f->transport || !has_ports(f->proto))
		return 0;
	if (bpf_skb_load_bytes(skb, f->transport, ports, sizeof(ports)))
		return 0;
	f->sport = ports[0];
	f->dport = ports[1];
	return 0;
}

/* Not in 6.1: the packet as the kernel knows it. */
extern void *bpf_cast_to_kern_ctx(void *) __ksym __weak;

struct sk_buff___sampled {
	__u8 encapsulation : 1;
	__u16 inner_transport_header;
	unsigned char *head, *data;
} __attribute__((preserve_access_index));

/* How long the headers are that each segment has: up to TCP's or UDP's data, in a tunnel that of the packet
 * inside.  Where that cannot be known (6.1) the outer headers are taken, and segments for shorter. */
__noinline __u32 header_length(struct __sk_buff *skb, const struct frame *f)
{
	__u32 transport = f ? f->transport : 0;
	__u8 offset = 0;
	bool tcp = f && f->proto == TCP;

	if (bpf_cast_to_kern_ctx) {
		struct sk_buff___sampled *kernel = bpf_cast_to_kern_ctx(skb);

		if (BPF_CORE_READ_BITFIELD(kernel, encapsulation)) {
			transport = kernel->head + kernel->inner_transport_header - kernel->data;
			tcp = true; /* the one protocol that is cut in tunnels */
		}
	}
	if (!transport)
		return 0;
	if (!tcp)
		return transport + 8;
	if (bpf_skb_load_bytes(skb, transport + 12, &offset, sizeof(offset)))
		return 0;
	return transport + (offset >> 4) * 4;
}

/* Of a packet whose maker did not count them (a virtual machine's). */
__noinline __u32 count_segments(struct __sk_buff *skb, bool ethernet)
{
	struct frame f = {};
	__u32 headers, size = skb->gso_size;

	read_frame(skb, &f, ethernet);
	headers = header_length(skb, &f);
	if (!size || size == BY_FRAGMENTS || skb->len <= headers)
		return 1;
	return (skb->len - headers + size - 1) / size;
}

/* How long a segment is, and the last one. */
static __always_inline void lengths(struct sample *s, struct __sk_buff *skb, const struct frame *f)
{
	__u32 headers, size = skb->gso_size, before;

	s->length = s->last_length = skb->len;
	if (s->segments > 1 && size == BY_FRAGMENTS) {
		s->length = s->last_length = skb->len / s->segments;
	} else if (s->segments > 1) {
		headers = header_length(skb, f);
		before = (s->segments - 1) * size + headers;
		s->length = headers + size;
		s->last_length = skb->len > before ? headers + skb->len - before : headers;
	}
	if (s->ethernet && skb->vlan_present) {
		s->length += 4;
		s->last_length += 4;
	}
}

/* -- where it comes from and goes to */

__noinline __u32 route(struct __sk_buff *skb, const struct frame *f)
{
	struct bpf_fib_lookup asked = {};
	long answer;

	if (!f)
		return 0;
	asked.family = f->protocol == __builtin_bswap16(ETH_P_IP) ? AF_INET : AF_INET6;
	asked.l4_protocol = f->proto;
	asked.sport = f->sport;
	asked.dport = f->dport;
	asked.ifindex = skb->ifindex;
	if (asked.family == AF_INET)
		asked.tos = f->tos;
	__builtin_memcpy(asked.src, f->src, sizeof(asked.src));
	__builtin_memcpy(asked.dst, f->dst, sizeof(asked.dst));
	answer = bpf_fib_lookup(skb, &asked, sizeof(asked), 0);
	if (answer == FIB_SUCCESS || answer == FIB_NO_NEIGHBOUR || answer == FIB_TOO_LONG)
		return asked.ifindex;
	return answer == FIB_NOT_FORWARDED || answer == FIB_FORWARDING_DISABLED ? THIS_HOST : 0;
}

/* What arrived: for a socket of this host; for another host by the address of its frame, which a bridge
 * passes on, nobody knows where to; else by its route. */
static __always_inline __u32 goes_to(struct __sk_buff *skb, struct sample *s, const struct frame *f)
{
	if (s->way == RECEIVED)
		return THIS_HOST;
	if (skb->pkt_type == PACKET_OTHERHOST)
		return 0;
	if (skb->pkt_type != PACKET_HOST || !is_ip(f))
		return THIS_HOST;
	return route(skb, f);
}

/* -- whose socket it is */

/* A socket that a look-up gave may not be read as one of the kernel's own; the number that it is may. */
static __always_inline struct sock *as_number(struct sample *s, void *sk)
{
	*(volatile __u64 *)&s->cookie = (__u64)sk;
	return (struct sock *)*(volatile __u64 *)&s->cookie;
}

static __always_inline bool is_full(__u8 state)
{
	return state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV;
}

static __always_inline __u32 inode_of(struct sock *sk)
{
	struct socket *socket;

	if (bpf_core_field_exists(sk->sk_ino))
		return BPF_CORE_READ(sk, sk_ino);
	socket = BPF_CORE_READ(sk, sk_socket);
	return socket ? BPF_CORE_READ((struct socket_alloc *)socket, vfs_inode.i_ino) : 0;
}

static __always_inline void owner(struct sample *s, struct sock *sk)
{
	s->inode = inode_of(sk);
	s->uid = BPF_CORE_READ((struct sock___ended *)sk, sk_uid.val);
	s->known |= HAS_OWNER;
	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup)) {
		s->cgroup_id = BPF_CORE_READ(sk, sk_cgrp_data.cgroup, kn, id);
		if (s->cgroup_id)
			s->known |= HAS_CGROUP;
	}
}

/* From tcp_get_info() in net/ipv4/tcp.c. */
static __always_inline void tcp_state(struct sample *s, struct tcp_sock *tp)
{
	s->known |= HAS_TCP;
	s->snd_mss = tp->mss_cache;
	s->rcv_mss = tp->inet_conn.icsk_ack.rcv_mss;
	s->unacked = tp->packets_out;
	s->lost = tp->lost_out;
	s->retrans = tp->total_retrans;
	s->pmtu = tp->inet_conn.icsk_pmtu_cookie;
	s->rtt = tp->srtt_us >> 3;
	s->rttvar = tp->mdev_us >> 2;
	s->snd_cwnd = tp->snd_cwnd;
	s->reordering = tp->reordering;
	s->min_rtt = tp->rtt_min.s[0].v;
	s->segs_out = tp->segs_out;
	s->segs_in = tp->segs_in;
	s->bytes_sent = tp->bytes_sent;
	s->bytes_received = tp->bytes_received;
	s->bytes_retrans = tp->bytes_retrans;
}

static __always_inline void socket_of(struct sample *s, void *sk, __u8 way)
{
	struct sock *kernel = as_number(s, sk);
	struct tcp_sock *tp;

	s->cookie = BPF_CORE_READ(kernel, __sk_common.skc_cookie.counter);
	s->netns = BPF_CORE_READ(kernel, __sk_common.skc_net.net, ns.inum);
	s->state = BPF_CORE_READ(kernel, __sk_common.skc_state);
	s->known |= HAS_SOCKET;
	s->way = way;
	if (!is_full(s->state))
		return;
	owner(s, kernel);
	tp = bpf_skc_to_tcp_sock(sk);
	if (tp && s->state != TCP_LISTEN && s->state != TCP_CLOSE)
		tcp_state(s, tp);
}

static __always_inline __u32 tuple_of(struct bpf_sock_tuple *tuple, const struct frame *f)
{
	if (f->protocol == __builtin_bswap16(ETH_P_IP)) {
		tuple->ipv4.saddr = f->src[0];
		tuple->ipv4.daddr = f->dst[0];
		tuple->ipv4.sport = f->sport;
		tuple->ipv4.dport = f->dport;
		return sizeof(tuple->ipv4);
	}
	__builtin_memcpy(tuple->ipv6.saddr, f->src, sizeof(f->src));
	__builtin_memcpy(tuple->ipv6.daddr, f->dst, sizeof(f->dst));
	tuple->ipv6.sport = f->sport;
	tuple->ipv6.dport = f->dport;
	return sizeof(tuple->ipv6);
}

/* The socket that will receive it. */
static __always_inline void receiver(struct __sk_buff *skb, struct sample *s, const struct frame *f)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	bool is_ipv4 = tuple_of(&tuple, f) == sizeof(tuple.ipv4);

	if (!f->transport || !f->sport)
		return;
	if (f->proto == TCP && is_ipv4)
		sk = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), CURRENT_NETNS, 0);
	else if (f->proto == TCP)
		sk = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6), CURRENT_NETNS, 0);
	else if (f->proto == UDP && is_ipv4)
		sk = bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv4), CURRENT_NETNS, 0);
	else if (f->proto == UDP)
		sk = bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv6), CURRENT_NETNS, 0);
	else
		return;
	if (!sk)
		return;
	socket_of(s, sk, RECEIVED);
	bpf_sk_release(sk);
}

/* The socket that sent it: what arrives from a device whose other end is in another namespace of this host
 * still has it. */
static __always_inline void sender(struct __sk_buff *skb, struct sample *s)
{
	struct bpf_sock *sk = skb->sk;
	__u64 cookie;

	if (!sk)
		return;
	cookie = bpf_get_socket_cookie(skb);
	socket_of(s, sk, SENT);
	s->cookie = cookie;
}

/* -- samples */

/* The reader looks by itself from time to time; it is woken only where it would come too late. */
static __always_inline __u64 wake(void)
{
	__u64 half = bpf_ringbuf_query(&records, BPF_RB_RING_SIZE) / 2;

	return bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) < half ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP;
}

/* How many octets were copied.  One less is tested, for none is refused by the helper, and 6.1 learns nothing
 * from a test for it.  The compiler must not see what that is, or it would hand over what was not tested. */
static __always_inline __u32 copied(struct __sk_buff *skb, __u32 from, __u8 *to, __u64 size, __u32 room)
{
	size--;
	asm volatile("" : "+r"(size));
	if (size >= room)
		return 0;
	size++;
	return bpf_skb_load_bytes(skb, from, to, size) ? 0 : size;
}

static __always_inline __u32 least(__u32 a, __u32 b)
{
	return a < b ? a : b;
}

/* The first octets as they are on the wire: a tag that stands beside the packet goes where it belongs. */
static __always_inline void octets(struct sample *s, struct __sk_buff *skb, __u32 room)
{
	__u32 most = least(most_octets, room), length = skb->len;

	if (!s->ethernet || !skb->vlan_present || length <= ADDRESSES || most <= TAGGED) {
		s->kept = copied(skb, 0, s->header, least(length, most), room);
		return;
	}
	s->vlan_proto = skb->vlan_proto;
	s->vlan_tci = skb->vlan_tci;
	if (bpf_skb_load_bytes(skb, 0, s->header, ADDRESSES))
		return;
	*(__be16 *)(s->header + ADDRESSES) = s->vlan_proto;
	*(__be16 *)(s->header + ADDRESSES + 2) = __builtin_bswap16(s->vlan_tci);
	s->kept = TAGGED + copied(skb, ADDRESSES, s->header + TAGGED, least(length - ADDRESSES, most - TAGGED), room - TAGGED);
}

static __always_inline int fill(struct __sk_buff *skb, struct sample *s, const struct cell *cell,
				const struct device *device, __u32 hits, __u32 segments, __u8 direction, __u32 room)
{
	struct frame f = {};

	__builtin_memset(s, 0, sizeof(*s));
	s->at_ns = bpf_ktime_get_ns();
	s->packets = cell->packets;
	s->ifindex = device->ifindex;
	s->one_in = cell->drawn_for;
	s->cpu = bpf_get_smp_processor_id();
	s->hits = hits & ~THE_LAST;
	s->segments = segments;
	s->known = hits & THE_LAST ? LAST_SEGMENT : 0;
	s->direction = direction;
	s->ethernet = device->flags & ETHERNET;
	octets(s, skb, room);
	read_frame(skb, &f, s->ethernet);
	s->protocol = f.protocol;
	s->network = f.network + (s->vlan_proto ? 4 : 0);
	lengths(s, skb, &f);
	if (direction == OUT) {
		sender(skb, s);
		s->input = skb->ingress_ifindex ? skb->ingress_ifindex : THIS_HOST;
		s->output = s->ifindex;
	} else {
		receiver(skb, s, &f);
		if (!(s->known & HAS_SOCKET))
			sender(skb, s);
		s->input = s->ifindex;
		s->output = goes_to(skb, s, &f);
	}
	bpf_ringbuf_submit(s, wake());
	return 0;
}

static __noinline int take(struct __sk_buff *skb, struct cell *cell, struct device *device, __u32 segments, __u8 direction)
{
	__u32 hits = draw(cell, segments), number = hits & ~THE_LAST;
	struct sample *s;

	if (!number)
		return 0;
	if (most_octets <= SMALL) {
		s = bpf_ringbuf_reserve(&records, sizeof(*s) + SMALL, 0);
		if (s) {
			cell->samples += number;
			return fill(skb, s, cell, device, hits, segments, direction, SMALL);
		}
	} else {
		s = bpf_ringbuf_reserve(&records, sizeof(*s) + LARGE, 0);
		if (s) {
			cell->samples += number;
			return fill(skb, s, cell, device, hits, segments, direction, LARGE);
		}
	}
	cell->lost += number;
	return 0;
}

/* -- every packet */

static __always_inline struct device *device_of(__u32 ifindex)
{
#pragma unroll
	for (__u32 i = 0; i < TRIES; i++) {
		__u32 place = (ifindex & (PLACES - 1)) + i;
		struct device *device = bpf_map_lookup_elem(&devices, &place);

		if (device && device->ifindex == ifindex)
			return device;
	}
	return NULL;
}

static __always_inline int see(struct __sk_buff *skb, __u8 direction)
{
	struct device *device = device_of(skb->ifindex);
	__u32 place, segments = skb->gso_segs;
	struct cell *cell;

	if (!device)
		return NEXT;
	place = (device->number * 2 + direction) * cpus + bpf_get_smp_processor_id();
	cell = bpf_map_lookup_elem(&cells, &place);
	if (!cell)
		return NEXT;
	if (cell->drawn_for != cell->one_in) {
		cell->drawn_for = cell->one_in;
		cell->skip = drawn(cell->scale);
	}
	if (!cell->drawn_for)
		return NEXT;
	if (!segments)
		segments = skb->gso_size ? count_segments(skb, device->flags & ETHERNET) : 1;
	cell->packets += segments;
	if (cell->skip > segments)
		cell->skip -= segments;
	else
		take(skb, cell, device, segments, direction);
	return NEXT;
}

SEC("tc")
int fleutan_in(struct __sk_buff *skb)
{
	return see(skb, IN);
}

SEC("tc")
int fleutan_out(struct __sk_buff *skb)
{
	return see(skb, OUT);
}

/* -- cookies: what is received finds only a socket that has one already */

SEC("tp_btf/inet_sock_set_state")
int number_new(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	int state = ctx[2];

	if (state == TCP_ESTABLISHED || state == TCP_LISTEN)
		bpf_get_socket_cookie(sk);
	return 0;
}

SEC("iter/tcp")
int number_tcp(struct bpf_iter__tcp *ctx)
{
	if (ctx->sk_common)
		bpf_get_socket_cookie(ctx->sk_common);
	return 0;
}

SEC("iter/udp")
int number_udp(struct bpf_iter__udp *ctx)
{
	if (ctx->udp_sk)
		bpf_get_socket_cookie(ctx->udp_sk);
	return 0;
}
