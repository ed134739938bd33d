// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the sockets of each control group of v2 receive and send: IP packets and their octets.
 *
 * Seen at the root of the hierarchy, where every socket's packets pass (cgroup_skb), in whatever
 * network namespace.  A packet that stands for many counts as those: all but the first have their
 * headers again.  A group has one row for all CPUs; where there are too many groups, those whose
 * sockets were silent for longest make room, and begin at 0 when they speak again.  The layout is
 * read in ../unittraffic.py.
 */
#include "kernel.h"

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { LRU_HASH = 9 }; /* include/uapi/linux/bpf.h */
enum { PASS = 1, TCP = 6 };

/* include/uapi/linux/bpf.h: an ABI, as far as it is read. */
struct __sk_buff {
	__u32 len, before[40], gso_segs;
	__u64 sk;
	__u32 gso_size;
};

struct moved {
	__u64 rx_bytes, rx_packets, tx_bytes, tx_packets;
};

struct {
	__uint(type, LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, __u64);
	__type(value, struct moved);
} units SEC(".maps");

/* Of IP and of TCP or UDP, as every segment has them; IPv6's extension headers are taken for data. */
static __always_inline __u32 headers(struct __sk_buff *skb)
{
	__u8 first = 0, proto = 0, offset = 0;
	__u32 length;

	if (bpf_skb_load_bytes(skb, 0, &first, 1))
		return 0;
	length = first >> 4 == 6 ? 40 : (first & 15) * 4;
	if (bpf_skb_load_bytes(skb, first >> 4 == 6 ? 6 : 9, &proto, 1))
		return length;
	if (proto != TCP)
		return length + 8;
	if (bpf_skb_load_bytes(skb, length + 12, &offset, 1))
		return length;
	return length + (offset >> 4) * 4;
}

static __always_inline struct moved *row(__u64 id)
{
	struct moved none = {}, *found = bpf_map_lookup_elem(&units, &id);

	if (found)
		return found;
	bpf_map_update_elem(&units, &id, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&units, &id);
}

static __always_inline __u32 segments(struct __sk_buff *skb, __u32 again)
{
	if (skb->gso_segs)
		return skb->gso_segs;
	return skb->len > again ? (skb->len - again + skb->gso_size - 1) / skb->gso_size : 1;
}

static __always_inline int count(struct __sk_buff *skb, bool sent)
{
	struct moved *moved = row(bpf_skb_cgroup_id(skb));
	__u64 bytes = skb->len, packets = 1;
	__u32 again;

	if (!moved)
		return PASS;
	if (skb->gso_size) {
		again = headers(skb);
		packets = segments(skb, again);
		bytes += (packets - 1) * again;
	}
	__sync_fetch_and_add(sent ? &moved->tx_bytes : &moved->rx_bytes, bytes);
	__sync_fetch_and_add(sent ? &moved->tx_packets : &moved->rx_packets, packets);
	return PASS;
}

SEC("cgroup_skb/ingress")
int received(struct __sk_buff *skb)
{
	return count(skb, false);
}

SEC("cgroup_skb/egress")
int sent(struct __sk_buff *skb)
{
	return count(skb, true);
}
