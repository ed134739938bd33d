// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Which process used a socket of IP first, of every protocol but TCP (lifecycle.bpf.c tells those).
 *
 * Seen where a call that sends or receives is about to return, in the process that made it, so
 * that it is known of sockets that live for a moment only.  The tracepoints (include/trace/events/
 * sock.h, since Linux 6.3) fire for the sockets of every family: what is not meant is left at once,
 * and a socket that is known costs one lookup.  The reader takes out what there is; where there are
 * too many at a time, those that were not used for longest make room.  The layout is read in
 * ../users.py.
 */
#include "process.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { LRU_HASH = 9 }; /* include/uapi/linux/bpf.h */

struct user {
	__u64 cgroup_id;
	__u32 netns, pid;
	char comm[16];
};

struct {
	__uint(type, LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64); /* the socket's cookie */
	__type(value, struct user);
} users SEC(".maps");

/* How many were put there since the beginning; never read here. */
__u64 noticed;

static __noinline int notice(struct sock *sk, __u64 cookie)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_struct___named *named = (void *)task;
	struct user user = { .cgroup_id = bpf_get_current_cgroup_id() };

	if (named->flags & PF_KTHREAD) /* a socket of the kernel's own, or another's in its hands */
		return 0;
	user.netns = sk->__sk_common.skc_net.net->ns.inum;
	user.pid = number_of(task);
	bpf_core_read_str(user.comm, sizeof(user.comm), &named->group_leader->comm);
	if (!bpf_map_update_elem(&users, &cookie, &user, BPF_NOEXIST))
		__sync_fetch_and_add(&noticed, 1);
	return 0;
}

static __always_inline int used(struct sock *sk)
{
	__u16 family = sk->__sk_common.skc_family;
	__u64 cookie;

	if ((family != AF_INET && family != AF_INET6) || sk->sk_protocol == IPPROTO_TCP)
		return 0;
	cookie = sk->__sk_common.skc_cookie.counter;
	if (!cookie) /* nobody has asked for it yet */
		cookie = bpf_get_socket_cookie(sk);
	return bpf_map_lookup_elem(&users, &cookie) ? 0 : notice(sk, cookie);
}

SEC("tp_btf/sock_send_length")
int sock_send_length(__u64 *ctx)
{
	return used((void *)ctx[0]);
}

SEC("tp_btf/sock_recv_length")
int sock_recv_length(__u64 *ctx)
{
	return used((void *)ctx[0]);
}
