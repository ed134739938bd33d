/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a packet is: the key of its flow, and where its headers end, read from its bytes.
 *
 * Sizes, devices and sums are the business of traffic.bpf.c.
 */
#ifndef FLEUTAN_PACKET_H
#define FLEUTAN_PACKET_H

#include "kernel.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* include/uapi/linux/if_ether.h, include/uapi/linux/if_arp.h */
enum { ETH_P_IP = 0x0800, ETH_P_IPV6 = 0x86dd, ETH_P_8021Q = 0x8100, ETH_P_8021AD = 0x88a8 };
enum { ARPHRD_ETHER = 1, ARPHRD_LOOPBACK = 772 };

/* include/uapi/linux/in.h, in6.h, icmp.h, icmpv6.h */
enum { ICMP = 1, TCP = 6, UDP = 17, DCCP = 33, ICMPV6 = 58, SCTP = 132, UDPLITE = 136 };
enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, AUTHENTICATION = 51, DESTINATION = 60, MOBILITY = 135, HIP = 139, SHIM6 = 140 };
enum { ECHO_REPLY = 0, ECHO_REQUEST = 8, ECHO_REQUEST6 = 128, ECHO_REPLY6 = 129 };

#define VLAN_TAGS 3
#define EXTENSION_HEADERS 8

enum { RX, TX };
/* IP is a flow; of NOT_IP only `ethertype` is known; of UNREADABLE the header is not in the linear
 * part of the packet or not what the ethertype says; OVERFLOW is the sum of what found no row. */
enum { IP, NOT_IP, UNREADABLE, OVERFLOW };

struct flow_key {
	__be32 src[4], dst[4];
	__u64 cookie;
	__u32 netns, ifindex;
	__u16 cpu, queue, sport, dport, ethertype;
	__u8 kind, direction, proto, icmp_type, icmp_code, padding;
};

/* -- headers as they are on the wire */

struct transport {
	union {
		struct {
			__be16 source, dest;
		};
		struct {
			__u8 type, code;
			__be16 checksum, id;
		};
		__u8 bytes[16];
	};
};

struct ipv4 {
	__u8 version_ihl, tos;
	__be16 tot_len, id, frag_off;
	__u8 ttl, protocol;
	__be16 check;
	__be32 saddr, daddr;
	struct transport next;
};

struct ipv6 {
	__u8 version, label[3];
	__be16 payload_len;
	__u8 nexthdr, hop_limit;
	__be32 saddr[4], daddr[4];
	struct transport next;
};

/* Of IPv4 the last twelve bytes are not needed, of IPv6 the last eight neither. */
union network {
	struct ipv4 four;
	struct ipv6 six;
	struct {
		__u32 words[4];
	} blocks[4];
};

struct extension {
	__u8 nexthdr, length;
	__be16 frag_off;
};

/* -- reading packets */

/* Not in 6.1.  What it gives is read by plain loads that yield zeros where there is no memory. */
extern void *bpf_rdonly_cast(const void *, __u32) __ksym __weak;

struct block {
	__u32 words[4];
};

/* A helper's call costs more than all these loads (35 ns where returns are guarded against
 * speculation).  struct in6_addr is four words to every kernel. */
static __always_inline void read_block(void *to, const void *from)
{
	struct block *block = to;

	if (bpf_rdonly_cast) {
		struct in6_addr *in = bpf_rdonly_cast(from, bpf_core_type_id_kernel(struct in6_addr));

#pragma unroll
		for (int i = 0; i < 4; i++)
			block->words[i] = in->in6_u.u6_addr32[i];
	} else {
		bpf_probe_read_kernel(to, sizeof(*block), from);
	}
}

/* Where the network header is, and how much of the packet from there on lies in one piece. */
struct place {
	unsigned char *at;
	__s32 left;
	__be16 protocol;
};

/* Ports into the key; the length of the header, 0 where it is not needed or not there. */
static __always_inline __u32 transport(struct flow_key *key, const struct transport *t, __s32 left)
{
	__u8 type = t->type;

	switch (key->proto) {
	case TCP:
	case UDP:
	case UDPLITE:
	case SCTP:
	case DCCP:
		if (left < 4)
			return 0;
		key->sport = __builtin_bswap16(t->source);
		key->dport = __builtin_bswap16(t->dest);
		if (key->proto == TCP)
			return left < 14 ? 0 : (t->bytes[12] >> 4) * 4;
		return key->proto == SCTP ? 12 : 8;
	case ICMP:
	case ICMPV6:
		if (left < 8)
			return 0;
		key->icmp_type = type;
		key->icmp_code = t->code;
		if (type == (key->proto == ICMP ? ECHO_REQUEST : ECHO_REQUEST6))
			key->sport = __builtin_bswap16(t->id);
		else if (type == (key->proto == ICMP ? ECHO_REPLY : ECHO_REPLY6))
			key->dport = __builtin_bswap16(t->id);
		return 8;
	}
	return 0;
}

/* Both give the length of the headers, 0 where they cannot be read. */

static __always_inline __u32 ipv4(struct flow_key *key, struct ipv4 *ip, struct place *p)
{
	__u32 length = (ip->version_ihl & 15) * 4;

	if (p->left < 20 || ip->version_ihl >> 4 != 4 || length < 20)
		return 0;
	key->src[2] = key->dst[2] = __builtin_bswap32(0xffff);
	key->src[3] = ip->saddr;
	key->dst[3] = ip->daddr;
	key->proto = ip->protocol;
	if (ip->frag_off & __builtin_bswap16(0x1fff))
		return length;
	if (length != 20)
		read_block(&ip->next, p->at + length);
	return length + transport(key, &ip->next, p->left - (__s32)length);
}

static __always_inline bool is_extension(__u8 header)
{
	return header == HOP_BY_HOP || header == ROUTING || header == FRAGMENT || header == AUTHENTICATION ||
	       header == DESTINATION || header == MOBILITY || header == HIP || header == SHIM6;
}

/* Steps over extension headers (RFC 8200, section 4): the offset of what follows, its protocol in
 * the key; `whole` is cleared for a fragment after the first. */
static __noinline __u32 step_over(struct flow_key *key, struct place *p, bool *whole)
{
	__u32 offset = 40;
	struct extension e;

	for (int i = 0; i < EXTENSION_HEADERS && is_extension(key->proto); i++) {
		if ((__s32)offset + 8 > p->left || bpf_probe_read_kernel(&e, sizeof(e), p->at + offset))
			break;
		if (key->proto == FRAGMENT && e.frag_off & __builtin_bswap16(0xfff8))
			*whole = false;
		if (key->proto == FRAGMENT)
			offset += 8;
		else if (key->proto == AUTHENTICATION)
			offset += (e.length + 2) * 4;
		else
			offset += (e.length + 1) * 8;
		key->proto = e.nexthdr;
		if (!*whole)
			break;
	}
	return offset;
}

static __always_inline __u32 ipv6(struct flow_key *key, struct ipv6 *ip, struct place *p)
{
	__u32 offset = 40;
	bool whole = true;

	if (p->left < 40 || ip->version >> 4 != 6)
		return 0;
#pragma unroll
	for (int word = 0; word < 4; word++) {
		key->src[word] = ip->saddr[word];
		key->dst[word] = ip->daddr[word];
	}
	key->proto = ip->nexthdr;
	if (is_extension(key->proto)) {
		offset = step_over(key, p, &whole);
		if (!whole)
			return offset;
		read_block(&ip->next, p->at + offset);
	}
	return offset + transport(key, &ip->next, p->left - (__s32)offset);
}

static __always_inline bool is_tag(__be16 protocol)
{
	return protocol == __builtin_bswap16(ETH_P_8021Q) || protocol == __builtin_bswap16(ETH_P_8021AD);
}

/* Steps over the VLAN tags that stand in the packet; `at` begins at an ethertype. */
static __noinline void untag(struct place *p)
{
	for (int i = 0; i <= VLAN_TAGS; i++) {
		if (bpf_probe_read_kernel(&p->protocol, sizeof(p->protocol), p->at))
			return;
		if (!is_tag(p->protocol))
			break;
		p->at += 4;
		p->left -= 4;
	}
	p->at += 2;
	p->left -= 2;
}

/* What the packet is into the key; the length of network and transport headers. */
static __always_inline __u32 headers(struct flow_key *key, struct place *p)
{
	union network n;
	__u32 length = 0;

	key->ethertype = __builtin_bswap16(p->protocol);
	if (key->ethertype != ETH_P_IP && key->ethertype != ETH_P_IPV6) {
		key->kind = NOT_IP;
		return 0;
	}
	/* More than the packet may be read: behind it is room for struct skb_shared_info. */
	read_block(&n.blocks[0], p->at);
	read_block(&n.blocks[1], p->at + 16);
	read_block(&n.blocks[2], p->at + 32);
	if (key->ethertype == ETH_P_IP) {
		length = ipv4(key, &n.four, p);
	} else {
		read_block(&n.blocks[3], p->at + 48);
		length = ipv6(key, &n.six, p);
	}
	if (!length)
		key->kind = UNREADABLE;
	return length;
}

#endif
