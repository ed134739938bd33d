// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * TCP connections and listeners that begin or end, a record each time, through a ring buffer.
 *
 * A record is written when a connection is established, when a socket begins to listen, and when
 * either reaches CLOSE: the last moment at which its counters stand, and the first at which they
 * are final (tcp_destroy_sock comes when the last process lets go of it, which can be much later,
 * and after tcp_disconnect() has cleared them).  Between these moments what a record will need
 * lies in the socket's own storage, which goes with the socket.  What finds no room in the ring
 * is added up in `lost`.  The layout is read in ../lifecycle.py.
 *
 * Whose process it is, is only asked where the kernel changes the state on the caller's behalf:
 * connect(), listen(), close() and shutdown().  Elsewhere a softirq may have interrupted anyone.
 */
#include "process.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* include/net/tcp_states.h, beside those in kernel.h */
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT = 2,
	TCP_FIN_WAIT1 = 4,
	TCP_CLOSE_WAIT = 8,
	TCP_LAST_ACK = 9,
};

/* How the connection came about; where it was there before the programs nothing tells. */
enum { ROLE_UNKNOWN, ROLE_CONNECT, ROLE_ACCEPT, ROLE_LISTEN };

/* The call by which a process was seen with the socket. */
enum { BY_NOTHING, BY_CONNECT, BY_LISTEN, BY_CLOSE };

struct life {
	__u64 begun_ns, established_ns;
	__u32 pid;
	__u8 role, by, padding[2];
	char comm[16];
};

struct life_record {
	__u64 cookie, cgroup_id, begun_ns, established_ns, at_ns;
	__u64 bytes_sent, bytes_acked, bytes_received, bytes_retrans;
	__be32 src[4], dst[4];
	__u32 netns, uid, pid, error;
	__u32 rtt, min_rtt, segs_out, segs_in, data_segs_out, data_segs_in, total_retrans;
	__u16 sport, dport;
	__u8 family, old_state, new_state, role, by, padding[3];
	char comm[16], device[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct life);
} lives SEC(".maps");

/* Never read here, so that the compiler keeps it for the reader. */
struct {
	__u64 begun, ended, bytes_sent, bytes_acked, bytes_received, bytes_retrans;
	__u64 segs_out, segs_in, total_retrans;
} lost;

static __always_inline void seen(struct life *life, __u8 by)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_struct___named *named = (void *)task;

	/* What a kernel thread closes is another's: files are put late, and descriptors in flight. */
	if (by == BY_CLOSE && named->flags & PF_KTHREAD)
		return;
	life->by = by;
	life->pid = number_of(task);
	bpf_core_read_str(life->comm, sizeof(life->comm), &named->group_leader->comm);
}

static __always_inline struct life *life_of(struct sock *sk)
{
	return bpf_sk_storage_get(&lives, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
}

static __always_inline void begin(struct sock *sk, __u8 role, __u8 by)
{
	struct life *life = life_of(sk);

	if (!life)
		return;
	/* A socket may be used again after a connection that failed. */
	__builtin_memset(life, 0, sizeof(*life));
	life->role = role;
	life->begun_ns = bpf_ktime_get_ns();
	if (by != BY_NOTHING)
		seen(life, by);
}

static __always_inline void establish(struct sock *sk, int old_state)
{
	struct life *life = bpf_sk_storage_get(&lives, sk, NULL, 0);

	if (!life && old_state == TCP_SYN_RECV)
		begin(sk, ROLE_ACCEPT, BY_NOTHING);
	if (!life)
		life = life_of(sk);
	if (!life)
		return;
	if (!life->role) /* connect() was before the programs */
		life->role = ROLE_CONNECT;
	life->established_ns = bpf_ktime_get_ns();
}

static __always_inline void let_go(struct sock *sk)
{
	struct life *life = life_of(sk);

	if (life && life->by == BY_NOTHING)
		seen(life, BY_CLOSE);
}

/* Before a socket reaches CLOSE it may have given its number back (inet_put_port()); the copy stays. */
static __always_inline void endpoints(struct life_record *r, struct tcp_sock *tp)
{
	struct sock_common *skc = &tp->inet_conn.icsk_inet.sk.__sk_common;

	r->family = skc->skc_family;
	r->sport = __builtin_bswap16(((struct inet_sock___ended *)&tp->inet_conn.icsk_inet)->inet_sport);
	r->dport = __builtin_bswap16(skc->skc_dport);
	if (skc->skc_family == AF_INET6) {
#pragma unroll
		for (int word = 0; word < 4; word++) {
			r->src[word] = skc->skc_v6_rcv_saddr.in6_u.u6_addr32[word];
			r->dst[word] = skc->skc_v6_daddr.in6_u.u6_addr32[word];
		}
	} else {
		r->src[0] = skc->skc_rcv_saddr;
		r->dst[0] = skc->skc_daddr;
	}
}

static __always_inline void identity(struct life_record *r, struct sock *sk)
{
	struct sock___ended *ended = (void *)sk;

	r->cookie = bpf_get_socket_cookie(sk);
	r->netns = sk->__sk_common.skc_net.net->ns.inum;
	r->cgroup_id = sk->sk_cgrp_data.cgroup->kn->id;
	r->uid = ended->sk_uid.val;
	r->error = ended->sk_err;
}

static __always_inline void device(struct life_record *r, struct dst_entry *dst)
{
	struct net_device___named *dev;

	if (!dst)
		return;
	dev = (void *)(bpf_core_field_exists(dst->dev_rcu) ? dst->dev_rcu : dst->dev);
	if (dev)
		bpf_core_read_str(r->device, sizeof(r->device), &dev->name);
}

static __always_inline void counters(struct life_record *r, struct tcp_sock *tp)
{
	r->bytes_sent = tp->bytes_sent;
	r->bytes_acked = tp->bytes_acked;
	r->bytes_received = tp->bytes_received;
	r->bytes_retrans = tp->bytes_retrans;
	r->rtt = tp->srtt_us >> 3;
	r->min_rtt = tp->rtt_min.s[0].v;
	r->segs_out = tp->segs_out;
	r->segs_in = tp->segs_in;
	r->data_segs_out = tp->data_segs_out;
	r->data_segs_in = tp->data_segs_in;
	r->total_retrans = tp->total_retrans;
}

static __always_inline void lose(struct tcp_sock *tp, int ended)
{
	if (!ended) {
		__sync_fetch_and_add(&lost.begun, 1);
		return;
	}
	__sync_fetch_and_add(&lost.ended, 1);
	__sync_fetch_and_add(&lost.bytes_sent, tp->bytes_sent);
	__sync_fetch_and_add(&lost.bytes_acked, tp->bytes_acked);
	__sync_fetch_and_add(&lost.bytes_received, tp->bytes_received);
	__sync_fetch_and_add(&lost.bytes_retrans, tp->bytes_retrans);
	__sync_fetch_and_add(&lost.segs_out, tp->segs_out);
	__sync_fetch_and_add(&lost.segs_in, tp->segs_in);
	__sync_fetch_and_add(&lost.total_retrans, tp->total_retrans);
}

/* The reader looks by itself from time to time; it is woken only where it would come too late. */
static __always_inline __u64 wake(void)
{
	__u64 half = bpf_ringbuf_query(&records, BPF_RB_RING_SIZE) / 2;

	return bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) < half ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP;
}

static __noinline int tell(struct sock *sk, int old_state, int new_state)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct life *life;
	struct life_record *r;

	if (!tp)
		return 0;
	r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);
	if (!r) {
		lose(tp, new_state == TCP_CLOSE);
		return 0;
	}
	__builtin_memset(r, 0, sizeof(*r));
	r->at_ns = bpf_ktime_get_ns();
	r->old_state = old_state;
	r->new_state = new_state;
	life = bpf_sk_storage_get(&lives, sk, NULL, 0);
	if (life) {
		r->begun_ns = life->begun_ns;
		r->established_ns = life->established_ns;
		r->pid = life->pid;
		r->role = life->role;
		r->by = life->by;
		__builtin_memcpy(r->comm, life->comm, sizeof(r->comm));
	}
	endpoints(r, tp);
	identity(r, sk);
	device(r, sk->sk_dst_cache);
	counters(r, tp);
	bpf_ringbuf_submit(r, wake());
	return 0;
}

/* Which changes of state close() and shutdown() make, on behalf of who calls them (tcp_close_state(),
 * and __tcp_close() where unread data is left; softirqs that end a connection set sk_err first). */
static __always_inline bool is_let_go(struct sock *sk, int old_state, int new_state)
{
	if (new_state == TCP_CLOSE)
		return (old_state == TCP_ESTABLISHED || old_state == TCP_CLOSE_WAIT) &&
		       !((struct sock___ended *)sk)->sk_err;
	return new_state == TCP_FIN_WAIT1 || new_state == TCP_LAST_ACK;
}

SEC("tp_btf/inet_sock_set_state")
int inet_sock_set_state(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	int old_state = ctx[1], new_state = ctx[2];

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	if (new_state == TCP_SYN_SENT)
		begin(sk, ROLE_CONNECT, BY_CONNECT);
	else if (new_state == TCP_LISTEN)
		begin(sk, ROLE_LISTEN, BY_LISTEN);
	else if (new_state == TCP_ESTABLISHED)
		establish(sk, old_state);
	else if (is_let_go(sk, old_state, new_state))
		let_go(sk);
	if (new_state == TCP_LISTEN || new_state == TCP_ESTABLISHED || (new_state == TCP_CLOSE && old_state != TCP_CLOSE))
		tell(sk, old_state, new_state);
	return 0;
}
