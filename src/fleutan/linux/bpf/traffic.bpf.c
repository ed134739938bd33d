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

/* A power of two, of cells per direction and CPU. */
#define CELLS 128

struct cell {
	struct flow_key key;
	struct counts counts;
	__u64 padding[2];
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
	__uint(max_entries, 2 * CELLS);
	__type(key, __u32);
	__type(value, struct cell);
} cells_0 SEC(".maps"), cells_1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct table);
} tables SEC(".maps") = {
	.values = { [FLOWS] = &flows_0, [OTHERS] = &others_0 },
};

/* Which cells are in use.  Not through a map of maps: all arrays in one would have to be of a size
 * that is known when this is compiled. */
volatile __u32 generation = 0;

/* -- sizes */

static __noinline __u32 inner_headers(struct sk_buff___counted *skb, unsigned char *start, __u32 gso_type)
{
	unsigned char *inner = skb->head + skb->inner_transport_header;
	__u8 offset = 0;

	if (gso_type & SKB_GSO_UDP_L4)
		return inner - start + 8;
	bpf_probe_read_kernel(&offset, sizeof(offset), inner + 12);
	return inner - start + (offset >> 4) * 4;
}

struct shared {
	__u32 gso_type;
	__u16 gso_size, gso_segs;
};

static __always_inline struct shared read_shared(unsigned char *at)
{
	struct skb_shared_info___counted *info = (void *)at;
	struct shared shared = {};

	if (bpf_rdonly_cast) {
		info = bpf_rdonly_cast(at, bpf_core_type_id_kernel(struct skb_shared_info___counted));
		shared.gso_size = info->gso_size;
		if (shared.gso_size) {
			shared.gso_segs = info->gso_segs;
			shared.gso_type = info->gso_type;
		}
		return shared;
	}
	bpf_core_read(&shared.gso_size, sizeof(shared.gso_size), &info->gso_size);
	if (shared.gso_size) {
		bpf_core_read(&shared.gso_segs, sizeof(shared.gso_segs), &info->gso_segs);
		bpf_core_read(&shared.gso_type, sizeof(shared.gso_type), &info->gso_type);
	}
	return shared;
}

/* A packet that stands for many: of the second and the further ones only the headers are not in
 * its length.  From qdisc_pkt_len_init(). */
static __always_inline void sizes(struct counts *c, struct sk_buff___counted *skb, unsigned char *start, __u32 headers)
{
	struct shared shared = read_shared(skb->head + skb->end);
	__u32 length = skb->len + (skb->data - start), segments = 1;
	bool tagged;

	if (shared.gso_size) {
		if (BPF_CORE_READ_BITFIELD(skb, encapsulation))
			headers = inner_headers(skb, start, shared.gso_type);
		if (shared.gso_segs && !(shared.gso_type & SKB_GSO_DODGY))
			segments = shared.gso_segs;
		else if (length > headers)
			segments = (length - headers + shared.gso_size - 1) / shared.gso_size;
	}
	if (bpf_core_field_exists(skb->vlan_all))
		tagged = skb->vlan_all;
	else
		tagged = BPF_CORE_READ_BITFIELD(skb, vlan_present);
	c->packets = 1;
	c->bytes = length;
	c->wire_bytes = length + (segments - 1) * headers + (tagged ? 4 * segments : 0);
	c->segments = segments;
	c->first_ns = 0;
	c->first_tick = c->last_tick = bpf_jiffies64();
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

/* A key as words, to compare and to spread over the cells. */
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

static __always_inline __u32 spread(const struct flow_key *key)
{
	const __u64 *words = (const void *)key;
	__u64 odd = 0x9e3779b97f4a7c15, mixed = 0;

#pragma unroll
	for (int i = 0; i < (int)WORDS; i++) {
		mixed ^= words[i] * odd;
		odd = odd * 0xd1342543de82ef95 + 2;
	}
	return (mixed ^ mixed >> 32) * 0x9e3779b97f4a7c15 >> 32;
}

/* A program does not interrupt itself on its CPU, so a cell, which is for one direction and CPU,
 * has one writer.  A flow that is busy keeps its cell: others go past it to the table. */
static __always_inline int count(struct flow_key *key, struct counts *c)
{
	__u32 index = (key->cpu * 2 + key->direction) * CELLS + (spread(key) & (CELLS - 1));
	struct cell *cell = generation ? bpf_map_lookup_elem(&cells_1, &index) : bpf_map_lookup_elem(&cells_0, &index);

	if (cell && same(&cell->key, key)) {
		sum(&cell->counts, c);
		return 0;
	}
	if (!cell || cell->counts.last_tick == c->last_tick)
		return settle(key, c);
	if (cell->counts.packets)
		settle(&cell->key, &cell->counts);
	cell->key = *key;
	cell->counts = *c;
	cell->counts.first_ns = bpf_ktime_get_ns();
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
static __always_inline __u64 cookie(struct sock *sk)
{
	struct socket *socket;
	struct sock *same;
	__u64 number;
	__u8 state;

	if (!sk)
		return 0;
	number = sk->__sk_common.skc_cookie.counter;
	state = sk->__sk_common.skc_state;
	if (number || state == TCP_TIME_WAIT || state == TCP_NEW_SYN_RECV)
		return number;
	socket = sk->sk_socket;
	if (!socket)
		return 0;
	same = socket->sk;
	number = bpf_get_socket_cookie(same);
	return same == sk ? number : 0;
}

/* skb_record_rx_queue() adds one to the queue.  What a device that is only software hands up still
 * has the queue that it was sent by, save that of tun, which records its own. */
static __always_inline __u16 rx_queue(struct net_device___counted *dev, __u16 recorded)
{
	char kind[sizeof(struct block)] = {};

	if (!recorded || recorded > dev->real_num_rx_queues)
		return NO_QUEUE;
	if (!dev->dev.parent) {
		if (!dev->rtnl_link_ops)
			return NO_QUEUE;
		read_block(kind, dev->rtnl_link_ops->kind);
		if (kind[0] != 't' || kind[1] != 'u' || kind[2] != 'n' || kind[3])
			return NO_QUEUE;
	}
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
	struct counts c;
	__u32 length;

	/* Of a tagged packet the network header is the tag or what follows it, by who made it. */
	if ((is_tag(p.protocol) || p.at < start || p.at >= end) &&
	    (dev->type == ARPHRD_ETHER || dev->type == ARPHRD_LOOPBACK)) {
		p.at = start + 12;
		untag(&p);
	}
	p.left = end - p.at;
	length = headers(&key, &p);
	device(&key, dev);
	key.queue = skb->queue_mapping;
	if (key.kind == IP)
		key.cookie = cookie(skb->sk);
	sizes(&c, skb, start, p.at - start + length);
	return count(&key, &c);
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
	struct counts c;
	__u32 length;

	if (mac != UNSET && skb->head + mac < data)
		start = skb->head + mac;
	if (is_tag(p.protocol)) {
		p.at -= 2;
		untag(&p);
	}
	p.left = data + (skb->len - skb->data_len) - p.at;
	length = headers(&key, &p);
	device(&key, dev);
	key.queue = rx_queue(dev, skb->queue_mapping);
	sizes(&c, skb, start, p.at - start + length);
	return count(&key, &c);
}
