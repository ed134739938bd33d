// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Packets that the kernel drops: the first octets of each with the reason, through a ring buffer, as
 * far as a quota goes; beyond it they are only counted, by the device that they are of.
 *
 * The quota is a token bucket that holds a second's worth.  It is one number, the time until which
 * tokens are spent (the "virtual scheduling" of ITU-T I.371): while it lies too far ahead it is only read, so
 * that CPUs do not wait for each other in a flood.  CPUs that write it at the same moment may both take
 * the same token.  The layout is read in ../discards.py, which also says which reasons are passed over.
 */
#include "kernel.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define ETH_P_802_3_MIN 0x0600
#define ETHERNET 14 /* octets of its header */
#define VLAN_TAG 4
#define MOST_TAGS 3
#define UNSET 0xffff
#define LONGEST 256
#define SECOND 1000000000ULL
/* Inodes of namespaces are above (PROC_DYNAMIC_FIRST, MNT_NS_INIT_INO and its like). */
#define LEAST_NAMESPACE 0xefffff00

enum { DIRECTION_UNKNOWN, RECEIVED, SENT };
/* How the header begins: sFlow's header_protocol. */
enum { HEADER_NONE = 0, HEADER_ETHERNET = 1, HEADER_IPV4 = 11, HEADER_IPV6 = 12 };

/* Set before the program is loaded. */
const volatile struct {
	__u64 passed_over[4]; /* a bit for each reason below 256 */
	__u64 token_ns;
	__u32 netns; /* whose devices are told apart in `suppressed` */
	__u32 header; /* octets of a packet that are kept, at most LONGEST */
	__u32 hides; /* whether `hidden` has to be looked at */
	__u32 only_own; /* whether other namespaces' packets are passed over */
} settings;

struct discard {
	__u64 at_ns, location, cookie;
	__u32 reason, netns, input, device, length;
	__u16 ethertype, size;
	__u8 protocol, direction, padding[6];
	__u8 header[LONGEST];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} records SEC(".maps");

/* By ifindex, 0 for other namespaces' devices and for what found no row of its own. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u64);
} suppressed SEC(".maps");

/* Places in the kernel whose drops are passed over. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u32);
} hidden SEC(".maps");

/* How often the program was called, whatever for. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} events SEC(".maps");

struct {
	__u64 spent_until;
} quota;

/* Where a packet begins in the kernel's memory, offsets from `head`. */
struct start {
	__u32 at;
	__u8 protocol;
};

static __always_inline void count_event(void)
{
	__u32 only = 0;
	__u64 *count = bpf_map_lookup_elem(&events, &only);

	if (count)
		*count += 1;
}

static __noinline int suppress(__u32 ifindex)
{
	__u64 *count = bpf_map_lookup_elem(&suppressed, &ifindex), none = 0;

	if (!count) {
		bpf_map_update_elem(&suppressed, &ifindex, &none, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&suppressed, &ifindex);
	}
	if (!count) {
		ifindex = 0; /* which has a row from the beginning */
		count = bpf_map_lookup_elem(&suppressed, &ifindex);
	}
	if (count)
		*count += 1;
	return 0;
}

static __always_inline bool is_passed_over(__u32 reason, __u64 location)
{
	__u32 word = reason >> 6;

	asm volatile("" : "+r"(word)); /* see copy() */
	if (word < 4 && settings.passed_over[word] >> (reason & 63) & 1)
		return true;
	return settings.hides && bpf_map_lookup_elem(&hidden, &location);
}

static __always_inline bool within_quota(__u64 now)
{
	__u64 until = quota.spent_until;

	if (until + settings.token_ns > now + SECOND)
		return false;
	quota.spent_until = (until > now ? until : now) + settings.token_ns;
	return true;
}

/* -- whose packet */

/* Any socket, whole or not; read without trust, as it may be NULL on kernels that do not say so. */
static __always_inline bool of_socket(struct sock *sk, __u64 *cookie, __u32 *netns)
{
	struct sock_common *skc;
	__u16 family;

	if (!sk)
		return false;
	/* Its members' places must not be worked out before it is known to be there. */
	asm volatile("" : "+r"(sk));
	skc = &sk->__sk_common;
	family = BPF_CORE_READ(skc, skc_family);
	if (family != AF_INET && family != AF_INET6)
		return false;
	*cookie = BPF_CORE_READ(skc, skc_cookie.counter);
	*netns = BPF_CORE_READ(skc, skc_net.net, ns.inum);
	return true;
}

/* Where a packet waits in a queue or a tree of its socket, other things lie in the place of the
 * pointer; a namespace's inode then tells that there is no device behind it. */
static __always_inline __u32 device(struct sk_buff___discarded *skb, __u32 *netns)
{
	struct net_device___named *dev = (void *)skb->dev;
	__u32 inode = dev ? dev->nd_net.net->ns.inum : 0;

	if (inode < LEAST_NAMESPACE)
		return 0;
	*netns = inode;
	return dev->ifindex;
}

/* -- what is in it */

static __always_inline bool bytes_at(struct sk_buff___discarded *skb, __u32 offset, void *into, __u32 size)
{
	if (offset + size > skb->tail)
		return false;
	return !bpf_probe_read_kernel(into, size, skb->head + offset);
}

/* An Ethernet header stands before the network's where its type is the packet's, or a length. */
static __always_inline bool is_ethernet(struct sk_buff___discarded *skb)
{
	__u32 mac = skb->mac_header, network = skb->network_header;
	__be16 type = 0;

	if (mac == UNSET || network < mac + ETHERNET || network > mac + ETHERNET + MOST_TAGS * VLAN_TAG)
		return false;
	if (!bytes_at(skb, network - 2, &type, sizeof(type)))
		return false;
	return type == skb->protocol || __builtin_bswap16(type) < ETH_P_802_3_MIN;
}

static __always_inline __u8 version_of(struct sk_buff___discarded *skb)
{
	__u16 ethertype = __builtin_bswap16(skb->protocol);
	__u8 first = 0;

	/* What this host is about to send has no type before it has its header. */
	if (ethertype && ethertype != ETH_P_IP && ethertype != ETH_P_IPV6)
		return 0;
	if (!skb->network_header || skb->network_header == UNSET || !bytes_at(skb, skb->network_header, &first, 1))
		return 0;
	first >>= 4;
	if (ethertype)
		return first == (ethertype == ETH_P_IP ? 4 : 6) ? first : 0;
	return first == 4 || first == 6 ? first : 0;
}

static __always_inline void find(struct sk_buff___discarded *skb, struct start *start)
{
	__u8 version;

	if (is_ethernet(skb)) {
		start->protocol = HEADER_ETHERNET;
		start->at = skb->mac_header;
		return;
	}
	version = version_of(skb);
	start->protocol = version == 4 ? HEADER_IPV4 : version == 6 ? HEADER_IPV6 : HEADER_NONE;
	start->at = skb->network_header;
}

/* A VLAN tag that the device took off, as it was on the wire; 0 for none. */
static __always_inline __u32 tag(struct sk_buff___discarded *skb)
{
	__u32 is_tagged;

	if (bpf_core_field_exists(skb->vlan_all))
		is_tagged = skb->vlan_all;
	else
		is_tagged = BPF_CORE_READ_BITFIELD(skb, vlan_present);
	return is_tagged ? (__u32)__builtin_bswap16(skb->vlan_tci) << 16 | skb->vlan_proto : 0;
}

/* So many octets from an offset on into the record from a place on, as far as there are and as are wanted. */
static __always_inline __u32 copy(struct discard *r, __u32 place, struct sk_buff___discarded *skb, __u32 from)
{
	__u64 tail = skb->tail, most = settings.header - place, size;

	if (tail <= from)
		return place;
	size = tail - from < most ? tail - from : most;
	/* The verifier looks for the bound in this very number. */
	asm volatile("" : "+r"(size));
	if (size > LONGEST - place || bpf_probe_read_kernel(r->header + place, size, skb->head + from))
		return place;
	return place + size;
}

static __always_inline void keep(struct discard *r, struct sk_buff___discarded *skb, const struct start *start)
{
	__u32 tagged = start->protocol == HEADER_ETHERNET ? tag(skb) : 0;

	r->protocol = start->protocol;
	r->length = skb->len;
	r->size = 0;
	if (start->protocol == HEADER_NONE)
		return;
	r->length += (__u32)(skb->data - skb->head) - start->at;
	r->size = copy(r, 0, skb, start->at);
	if (!tagged || r->size < 16)
		return;
	__builtin_memcpy(r->header + 12, &tagged, sizeof(tagged));
	r->size = copy(r, 16, skb, start->at + 12);
	r->length += VLAN_TAG;
}

/* The reader looks by itself from time to time; it is woken only where it would come too late. */
static __always_inline __u64 wake(void)
{
	__u64 half = bpf_ringbuf_query(&records, BPF_RB_RING_SIZE) / 2;

	return bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) < half ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP;
}

SEC("tp_btf/kfree_skb")
int kfree_skb(__u64 *ctx)
{
	struct sk_buff___discarded *skb = (void *)ctx[0];
	__u64 location = ctx[1], now, cookie = 0;
	__u32 reason = ctx[2], netns = 0, input = skb->skb_iif, at;
	struct sock *sk = NULL;
	struct start start = {};
	struct discard *r;
	__u8 direction = RECEIVED;
	bool owned;

	count_event();
	if (is_passed_over(reason, location))
		return 0;
	if (bpf_core_field_exists(struct trace_event_raw_kfree_skb, rx_sk))
		sk = (void *)ctx[3];
	if (!sk) {
		direction = input ? RECEIVED : DIRECTION_UNKNOWN;
		sk = skb->sk;
	}
	owned = of_socket(sk, &cookie, &netns);
	if (owned && !direction)
		direction = SENT;
	at = device(skb, &netns);
	if (!owned && !at) {
		find(skb, &start);
		/* What is no packet of a network: netlink's and local sockets' messages. */
		if (start.protocol == HEADER_NONE)
			return 0;
	}
	if (settings.only_own && netns != settings.netns)
		return 0;
	now = bpf_ktime_get_ns();
	r = within_quota(now) ? bpf_ringbuf_reserve(&records, sizeof(*r), 0) : NULL;
	if (!r) {
		suppress(netns == settings.netns ? input ?: at : 0);
		return 0;
	}
	r->at_ns = now;
	r->location = location;
	r->cookie = cookie;
	r->reason = reason;
	r->netns = netns;
	r->input = input;
	r->device = at;
	r->ethertype = __builtin_bswap16(skb->protocol);
	r->direction = direction;
	find(skb, &start);
	keep(r, skb, &start);
	bpf_ringbuf_submit(r, wake());
	return 0;
}
