// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Packets, bytes and segments per flow, direction, device, queue and CPU.
 *
 * Counted where a device is handed a packet (net_dev_start_xmit) and where the stack takes one
 * from it (netif_receive_skb), for every device of every network namespace.  The CPU is part of
 * the key, so that a value has one writer, and memory is needed only for what was seen where.
 *
 * Each CPU has a few cells per direction for the flows that are busy just now, found without a
 * call; what a cell held goes into the table of flows when another flow takes it over.  Where that
 * is full, a small one has a row per device, direction and CPU, and where that is full too, the
 * reader has put a row per direction and CPU there.  There is all of it twice: the reader has the
 * programs change over, waits until none uses the one any more, and reads that, so that nothing
 * is counted twice or lost between.
 * A flow may stand in a cell and in the table: they add up.  The layout is read in ../traffic.py.
 *
 * Packets keep their own source and destination.  ICMP has no ports: the identifier of an echo
 * request stands as its source port and that of the answer as its destination port, which are
 * the ports of the socket that pings.  Fragments after the first have ports 0.
 */
#include "packet.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* include/uapi/linux/bpf.h */
enum { HASH = 1, ARRAY = 2, MMAPABLE = 1 << 10 };

/* include/linux/skbuff.h */
enum { SKB_GSO_DODGY = 1 << 1, SKB_GSO_UDP_L4 = 1 << 17 };

#define NO_QUEUE 0xffff
#define UNSET 0xffff /* of a header's offset in struct sk_buff */

enum { FLOWS, OTHERS };

/* The time is asked for once a row, for that costs a third of all the rest; after that, ticks. */
struct counts {
	__u64 packets, bytes, wire_bytes, segments, first_ns;
	__u32 first_tick, last_tick;
};

/* Cells per direction and CPU in each of the two, a power of two.  Those of the one and of the other
 * take turns, so many each, so that a flow's two cells are in one page. */
#define CELLS 128
#define TURN 16

/* `moved` says in the first one that the other is in use.  It lies beside the counts, for it costs a
 * sixth of all to fetch it from elsewhere. */
struct cell {
	struct flow_key key;
	struct counts counts;
	volatile __u32 moved;
	__u32 padding[3];
};

struct table {
	__uint(type, HASH);
	__uint(max_entries, 65536);
	__type(key, struct flow_key);
	__type(value, struct counts);
} flows_0 SEC(".maps"), flows_1 SEC(".maps"), others_0 SEC(".maps"), others_1 SEC(".maps");

struct {
	__uint(type, ARRAY);
	__uint(map_flags, MMAPABLE);
	__uint(max_entries, 4 * CELLS);
	__type(key, __u32);
	__type(value, struct cell);
} cells SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct table);
} tables SEC(".maps") = {
	.values = { [FLOWS] = &flows_0, [OTHERS] = &others_0 },
};

/* -- sizes */

struct size {
	__u32 bytes, segments;
	__u64 wire_bytes;
};

static __noinline __u32 inner_headers(struct sk_buff___counted *skb, unsigned char *start, __u32 gso_type)
{
	unsigned char *inner = skb->head + skb->inner_transport_header;
	__u8 offset = 0;

	if (gso_type & SKB_GSO_UDP_L4)
		return inner - start + 8;
	bpf_probe_read_kernel(&offset, sizeof(offset), inner + 12);
	return inner - start + (offset >> 4) * 4;
}

/* A member of struct skb_shared_info, which skb->end points to. */
#define SHARED(info, member) ({ \
	typeof((info)->member) value; \
	if (bpf_rdonly_cast) \
		value = ((typeof(info))bpf_rdonly_cast(info, bpf_core_type_id_kernel(*(info))))->member; \
	else \
		value = BPF_CORE_READ(info, member); \
	value; \
})

/* A packet that stands for many: of the second and the further ones only the headers are not in
 * its length.  From qdisc_pkt_len_init(). */
static __always_inline struct size sizes(struct sk_buff___counted *skb, unsigned char *start, const struct flow_key *key,
					 const struct place *p)
{
	struct skb_shared_info___counted *info = (void *)(skb->head + skb->end);
	__u32 gso_size = SHARED(info, gso_size), gso_segs, gso_type;
	struct size s = { .bytes = skb->len + (skb->data - start), .segments = 1 };
	__u32 headers = 0;
	bool tagged;

	if (gso_size) {
		gso_segs = SHARED(info, gso_segs);
		gso_type = SHARED(info, gso_type);
		if (BPF_CORE_READ_BITFIELD(skb, encapsulation))
			headers = inner_headers(skb, start, gso_type);
		else
			headers = p->at - start + transport_length(key, p);
		if (gso_segs && !(gso_type & SKB_GSO_DODGY))
			s.segments = gso_segs;
		else if (s.bytes > headers)
			s.segments = (s.bytes - headers + gso_size - 1) / gso_size;
	}
	if (bpf_core_field_exists(skb->vlan_all))
		tagged = skb->vlan_all;
	else
		tagged = BPF_CORE_READ_BITFIELD(skb, vlan_present);
	s.wire_bytes = s.bytes + (s.segments - 1) * headers + (tagged ? 4 * s.segments : 0);
	return s;
}

/* -- sums */

static __always_inline void sum(struct counts *total, const struct counts *c)
{
	total->packets += c->packets;
	total->bytes += c->bytes;
	total->wire_bytes += c->wire_bytes;
	total->segments += c->segments;
	total->last_tick = c->last_tick;
}

static __noinline int fold(const struct flow_key *key, const struct counts *c)
{
	struct flow_key other = {
		.netns = key->netns,
		.ifindex = key->ifindex,
		.cpu = key->cpu,
		.queue = NO_QUEUE,
		.kind = OVERFLOW,
		.direction = key->direction,
	};
	__u32 slot = OTHERS;
	void *table = bpf_map_lookup_elem(&tables, &slot);
	struct counts *total;

	if (!table)
		return 0;
	total = bpf_map_lookup_elem(table, &other);
	if (!total) {
		if (!bpf_map_update_elem(table, &other, c, BPF_NOEXIST))
			return 0;
		other.netns = other.ifindex = 0;
		total = bpf_map_lookup_elem(table, &other);
	}
	if (!total)
		return 0;
	if (!total->packets) {
		total->first_ns = c->first_ns;
		total->first_tick = c->first_tick;
	}
	sum(total, c);
	return 0;
}

static __noinline int settle(const struct flow_key *key, struct counts *c)
{
	__u32 slot = FLOWS;
	void *table = bpf_map_lookup_elem(&tables, &slot);
	struct counts *total;

	if (!table)
		return 0;
	total = bpf_map_lookup_elem(table, key);
	if (total) {
		sum(total, c);
		return 0;
	}
	if (!c->first_ns)
		c->first_ns = bpf_ktime_get_ns();
	if (bpf_map_update_elem(table, key, c, BPF_NOEXIST))
		fold(key, c);
	return 0;
}

/* A key as words, to compare. */
#define WORDS (sizeof(struct flow_key) / sizeof(__u64))

static __always_inline bool same(const struct flow_key *a, const struct flow_key *b)
{
	const __u64 *one = (const void *)a, *other = (const void *)b;
	__u64 difference = 0;

#pragma unroll
	for (int i = 0; i < (int)WORDS; i++)
		difference |= one[i] ^ other[i];
	return !difference;
}

/* The first of two cells of a flow, by bits of a sum of products: of what is at hand before the
 * namespace is, and read as it was written, so that the cell is fetched early. */
static __always_inline __u32 place_of(const struct flow_key *key)
{
	__u32 mixed = (key->src[3] * 0x9e3779b97f4a7c15 + key->dst[3] * 0xd1342543de82ef95 +
		       ((__u32)key->sport << 16 | key->dport) * 0xaef17502108ef2d9 + key->ifindex * 0xf1357aea2e62a9c5) >> 32;

	return (key->cpu * 2 + key->direction) * 2 * CELLS + (mixed & (2 * CELLS - 1) & ~TURN);
}

static __always_inline struct cell *cell_at(__u32 place)
{
	struct cell *cell = bpf_map_lookup_elem(&cells, &place);

	if (cell && cell->moved) {
		place += TURN;
		cell = bpf_map_lookup_elem(&cells, &place);
	}
	return cell;
}

/* A flow that is busy keeps its cell: others go past it to the table. */
static __noinline int take_over(const struct flow_key *key, __u32 bytes, __u32 segments, __u64 wire_bytes)
{
	__u32 tick = bpf_jiffies64();
	struct counts c = { 1, bytes, wire_bytes, segments, 0, tick, tick };
	struct cell *cell = cell_at(place_of(key));

	if (!cell || cell->counts.last_tick == tick)
		return settle(key, &c);
	if (cell->counts.packets)
		settle(&cell->key, &cell->counts);
	cell->key = *key;
	cell->counts = c;
	cell->counts.first_ns = bpf_ktime_get_ns();
	return 0;
}

/* A program does not interrupt itself on its CPU, so a cell, which is for one direction and CPU,
 * has one writer. */
static __always_inline int count(struct flow_key *key, const struct size *s)
{
	struct cell *cell = cell_at(place_of(key));

	if (!cell || !same(&cell->key, key))
		return take_over(key, s->bytes, s->segments, s->wire_bytes);
	cell->counts.packets++;
	cell->counts.bytes += s->bytes;
	cell->counts.wire_bytes += s->wire_bytes;
	cell->counts.segments += s->segments;
	cell->counts.last_tick = bpf_jiffies64();
	return 0;
}

static __always_inline void device(struct flow_key *key, struct net_device___counted *dev)
{
	key->ifindex = dev->ifindex;
	key->netns = dev->nd_net.net->ns.inum;
	key->cpu = bpf_get_smp_processor_id();
}

/* Also of a request and of TIME-WAIT, which have the cookie of their connection.  Where nobody has
 * asked for it before, it takes a pointer that may be given to the helper, which skb->sk is not;
 * the socket's own is one.  Before accept() there is none, and the cookie stays unknown. */
static __noinline __u64 new_cookie(struct sk_buff___counted *skb)
{
	struct sock *sk = skb->sk, *same;
	struct socket *socket;
	__u64 number;
	__u8 state;

	if (!sk)
		return 0;
	state = sk->__sk_common.skc_state;
	if (state == TCP_TIME_WAIT || state == TCP_NEW_SYN_RECV)
		return 0;
	socket = sk->sk_socket;
	if (!socket)
		return 0;
	same = socket->sk;
	number = bpf_get_socket_cookie(same);
	return same == sk ? number : 0;
}

static __always_inline __u64 cookie(struct sk_buff___counted *skb)
{
	struct sock *sk = skb->sk;
	__u64 number;

	if (!sk)
		return 0;
	number = sk->__sk_common.skc_cookie.counter;
	return number ? number : new_cookie(skb);
}

/* skb_record_rx_queue() adds one to the queue.  What a device that is only software hands up still
 * has the queue that it was sent by, save that of tun, which records its own. */
static __noinline bool records_queues(struct net_device___counted *dev)
{
	char copy[4];
	const char *kind;

	if (!dev->rtnl_link_ops)
		return false;
	kind = look(dev->rtnl_link_ops->kind, copy, sizeof(copy));
	return kind[0] == 't' && kind[1] == 'u' && kind[2] == 'n' && !kind[3];
}

static __always_inline __u16 rx_queue(struct net_device___counted *dev, __u16 recorded)
{
	if (!recorded || recorded > dev->real_num_rx_queues || (!dev->dev.parent && !records_queues(dev)))
		return NO_QUEUE;
	return recorded - 1;
}

SEC("tp_btf/net_dev_start_xmit")
int sent(__u64 *ctx)
{
	struct sk_buff___counted *skb = (void *)ctx[0];
	struct net_device___counted *dev = (void *)ctx[1];
	struct flow_key key = { .direction = TX };
	unsigned char *start = skb->data, *end = start + (skb->len - skb->data_len);
	struct place p = { .at = skb->head + skb->network_header, .protocol = skb->protocol };
	struct size s;

	device(&key, dev);
	key.queue = skb->queue_mapping;
	/* Of a tagged packet the network header is the tag or what follows it, by who made it. */
	if ((is_tag(p.protocol) || p.at < start || p.at >= end) &&
	    (dev->type == ARPHRD_ETHER || dev->type == ARPHRD_LOOPBACK)) {
		p.at = start + 12;
		untag(&p);
	}
	p.left = end - p.at;
	headers(&key, &p);
	if (key.kind == IP)
		key.cookie = cookie(skb);
	s = sizes(skb, start, &key, &p);
	return count(&key, &s);
}

SEC("tp_btf/netif_receive_skb")
int received(__u64 *ctx)
{
	struct sk_buff___counted *skb = (void *)ctx[0];
	struct net_device___counted *dev = (void *)skb->dev;
	struct flow_key key = { .direction = RX };
	unsigned char *data = skb->data, *start = data;
	struct place p = { .at = data, .protocol = skb->protocol };
	__u16 mac = skb->mac_header;
	struct size s;

	device(&key, dev);
	key.queue = rx_queue(dev, skb->queue_mapping);
	if (mac != UNSET && skb->head + mac < data)
		start = skb->head + mac;
	if (is_tag(p.protocol)) {
		p.at -= 2;
		untag(&p);
	}
	p.left = data + (skb->len - skb->data_len) - p.at;
	headers(&key, &p);
	s = sizes(skb, start, &key, &p);
	return count(&key, &s);
}
