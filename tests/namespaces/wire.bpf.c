/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Makes of a veth a wire: the hash that the sender's socket left in a packet is forgotten, as it is
 * on any real link, so that a router behind it hashes what stands in the packet. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int forget(struct __sk_buff *skb)
{
	bpf_set_hash_invalid(skb);
	return 0; /* TC_ACT_OK */
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
