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
		__be32 ports;
		struct {
			__u8 type, code;
			__be16 checksum, id;
		};
		__u8 bytes[16];
	};
};

struct ipv4 {
	__u64 first;  /* version and length, TOS; total length, identification, fragment offset */
	__u64 second; /* TTL, protocol; checksum; source */
	__be32 daddr;
};

struct ipv6 {
	__u8 version, label[3];
	__be16 payload_len;
	__u8 nexthdr, hop_limit;
	__u64 saddr[2], daddr[2];
};

struct extension {
	__u8 nexthdr, length;
	__be16 frag_off;
};

/* -- reading packets */

/* Not in 6.1.  What it gives is read by plain loads that yield zeros where there is no memory. */
extern void *bpf_rdonly_cast(const void *, __u32) __ksym __weak;

/* Memory to read from: the kernel's own, or a copy.  A helper's call costs more than ten loads (35 ns
 * where returns are guarded against speculation), but each load is 46 bytes of code, and that is
 * cold after a packet of 64 kB: so words are read, and no more than needed.  To the kernel it is a
 * struct of 25 words, and each load has to stay within one. */
static __always_inline const void *look(const void *from, void *copy, __u32 size)
{
	if (bpf_rdonly_cast)
		return bpf_rdonly_cast(from, bpf_core_type_id_kernel(struct rtnl_link_stats64));
	bpf_probe_read_kernel(copy, size, from);
	return copy;
}

/* Where a header is, and how much of the packet from there on lies in one piece. */
struct place {
	unsigned char *at;
	__s32 left;
	__be16 protocol;
};

static __always_inline bool has_ports(__u8 proto)
{
	return proto == TCP || proto == UDP || proto == UDPLITE || proto == SCTP || proto == DCCP;
}

/* The length of the transport header, 0 where it is not there. */
static __always_inline __u32 transport_length(const struct flow_key *key, const struct place *p)
{
	struct transport copy;
	const struct transport *t;

	if (key->proto == TCP) {
		if (p->left < 14)
			return 0;
		t = look(p->at, &copy, sizeof(copy));
		return (t->bytes[12] >> 4) * 4;
	}
	if (has_ports(key->proto))
		return p->left < 4 ? 0 : key->proto == SCTP ? 12 : 8;
	return (key->proto == ICMP || key->proto == ICMPV6) && p->left >= 8 ? 8 : 0;
}

static __noinline int echo(struct flow_key *key, const unsigned char *at)
{
	struct transport copy;
	const struct transport *t = look(at, &copy, sizeof(copy));
	__u8 type = t->type;

	key->icmp_type = type;
	key->icmp_code = t->code;
	if (type == (key->proto == ICMP ? ECHO_REQUEST : ECHO_REQUEST6))
		key->sport = __builtin_bswap16(t->id);
	else if (type == (key->proto == ICMP ? ECHO_REPLY : ECHO_REPLY6))
		key->dport = __builtin_bswap16(t->id);
	return 0;
}

static __always_inline void transport(struct flow_key *key, const struct place *p)
{
	struct transport copy;
	const struct transport *t;
	__u32 ports;

	if (has_ports(key->proto)) {
		if (p->left < 4)
			return;
		t = look(p->at, &copy, sizeof(copy));
		ports = __builtin_bswap32(t->ports);
		key->sport = ports >> 16;
		key->dport = ports;
	} else if ((key->proto == ICMP || key->proto == ICMPV6) && p->left >= 8) {
		echo(key, p->at);
	}
}

/* Both go on to the transport header, or say that theirs cannot be read.  Fragments after the first
 * have none. */

static __always_inline bool ipv4(struct flow_key *key, struct place *p)
{
	struct ipv4 copy;
	const struct ipv4 *ip;
	__u64 first, second;
	__u32 length;

	if (p->left < 20)
		return false;
	ip = look(p->at, &copy, sizeof(copy));
	first = ip->first;
	second = ip->second;
	length = (first & 15) * 4;
	if ((first & 0xf0) != 0x40 || length < 20)
		return false;
	key->src[2] = key->dst[2] = __builtin_bswap32(0xffff);
	key->src[3] = second >> 32;
	key->dst[3] = ip->daddr;
	key->proto = second >> 8;
	p->at += length;
	p->left = first >> 48 & __builtin_bswap16(0x1fff) ? 0 : p->left - (__s32)length;
	return true;
}

static __always_inline bool is_extension(__u8 header)
{
	return header == HOP_BY_HOP || header == ROUTING || header == FRAGMENT || header == AUTHENTICATION ||
	       header == DESTINATION || header == MOBILITY || header == HIP || header == SHIM6;
}

/* Steps over extension headers (RFC 8200, section 4): the offset of what follows, its protocol in
 * the key; with the highest bit for a fragment after the first. */
#define LATER (1u << 31)

static __noinline __u32 step_over(struct flow_key *key, const unsigned char *at, __s32 left)
{
	__u32 offset = 40, later = 0;
	struct extension e;

	for (int i = 0; i < EXTENSION_HEADERS && is_extension(key->proto); i++) {
		if ((__s32)offset + 8 > left || bpf_probe_read_kernel(&e, sizeof(e), at + offset))
			break;
		if (key->proto == FRAGMENT && e.frag_off & __builtin_bswap16(0xfff8))
			later = LATER;
		if (key->proto == FRAGMENT)
			offset += 8;
		else if (key->proto == AUTHENTICATION)
			offset += (e.length + 2) * 4;
		else
			offset += (e.length + 1) * 8;
		key->proto = e.nexthdr;
		if (later)
			break;
	}
	return offset | later;
}

static __always_inline bool ipv6(struct flow_key *key, struct place *p)
{
	__u64 *src = (void *)key->src, *dst = (void *)key->dst;
	struct ipv6 copy;
	const struct ipv6 *ip;
	__u32 offset = 40;

	if (p->left < 40)
		return false;
	ip = look(p->at, &copy, sizeof(copy));
	if (ip->version >> 4 != 6)
		return false;
	src[0] = ip->saddr[0];
	src[1] = ip->saddr[1];
	dst[0] = ip->daddr[0];
	dst[1] = ip->daddr[1];
	key->proto = ip->nexthdr;
	if (is_extension(key->proto))
		offset = step_over(key, p->at, p->left);
	p->left = offset & LATER ? 0 : p->left - (__s32)offset;
	p->at += offset & ~LATER;
	return true;
}

static __always_inline bool is_tag(__be16 protocol)
{
	return protocol == __builtin_bswap16(ETH_P_8021Q) || protocol == __builtin_bswap16(ETH_P_8021AD);
}

/* From an ethertype to behind the last VLAN tag: how many bytes, and above bit 16 the ethertype there. */
static __noinline __u32 tags(const unsigned char *at)
{
	__u32 step = 0;
	__be16 protocol = 0;

	for (int i = 0; i <= VLAN_TAGS; i++) {
		if (bpf_probe_read_kernel(&protocol, sizeof(protocol), at + step) || !is_tag(protocol))
			break;
		step += 4;
	}
	return (__u32)protocol << 16 | (step + 2);
}

static __always_inline void untag(struct place *p)
{
	__u32 found = tags(p->at);

	p->at += found & 0xffff;
	p->protocol = found >> 16;
}

/* What the packet is into the key; goes on to the transport header where there is one. */
static __always_inline void headers(struct flow_key *key, struct place *p)
{
	key->ethertype = __builtin_bswap16(p->protocol);
	if (p->protocol == __builtin_bswap16(ETH_P_IP) ? ipv4(key, p) :
	    p->protocol == __builtin_bswap16(ETH_P_IPV6) ? ipv6(key, p) : false)
		transport(key, p);
	else
		key->kind = key->ethertype == ETH_P_IP || key->ethertype == ETH_P_IPV6 ? UNREADABLE : NOT_IP;
}

#endif
