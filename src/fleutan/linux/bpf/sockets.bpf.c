// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Every TCP and UDP socket, and who holds them, as fixed-size records.
 *
 * Values are those that sock_diag would give at that moment (net/ipv4/inet_diag.c, tcp_diag.c,
 * udp_diag.c, tcp_get_info() in net/ipv4/tcp.c), in its units, plus what it does not tell.  What
 * a socket or a kernel does not have is named in `known`, and its bytes are zero.  The layout is
 * read in ../iterators.py; nothing is filtered or added up here.
 */
#include "tcp_info.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* IPV6_FLOWLABEL_MASK, IPV6_FLOWLABEL_STATELESS_FLAG, IP6_AUTO_FLOW_LABEL_* (include/net/ipv6.h). */
#define FLOW_LABEL 0xfffff
#define STATELESS_LABEL 0x80000
#define LABELS_ON 1
#define LABELS_FORCED 3

struct holder_record {
	__u32 pid, fd, inode;
};

/* -- TCP */

static __always_inline unsigned long retransmit_expires(struct tcp_sock *tp)
{
	if (bpf_core_field_exists(tp->inet_conn.icsk_timeout))
		return tp->inet_conn.icsk_timeout;
	if (bpf_core_field_exists(tp->inet_conn.icsk_retransmit_timer))
		return tp->inet_conn.icsk_retransmit_timer.expires;
	return tp->inet_conn.icsk_inet.sk.tcp_retransmit_timer.expires;
}

/* From inet_sk_diag_fill(). */
static __always_inline void timer(struct socket_record *r, struct tcp_sock *tp)
{
	__u8 pending = tp->inet_conn.icsk_pending;
	struct hlist_node **keepalive;
	unsigned long expires;

	if (pending == ICSK_TIME_RETRANS || pending == ICSK_TIME_REO_TIMEOUT || pending == ICSK_TIME_LOSS_PROBE) {
		r->idiag_timer = 1;
		r->idiag_retrans = tp->inet_conn.icsk_retransmits;
		r->idiag_expires = msecs_until(retransmit_expires(tp));
		return;
	}
	if (pending == ICSK_TIME_PROBE0) {
		r->idiag_timer = 4;
		r->idiag_retrans = tp->inet_conn.icsk_probes_out;
		r->idiag_expires = msecs_until(retransmit_expires(tp));
		return;
	}
	if (bpf_core_field_exists(tp->inet_conn.icsk_keepalive_timer)) {
		keepalive = tp->inet_conn.icsk_keepalive_timer.entry.pprev;
		expires = tp->inet_conn.icsk_keepalive_timer.expires;
	} else {
		keepalive = tp->inet_conn.icsk_inet.sk.sk_timer.entry.pprev;
		expires = tp->inet_conn.icsk_inet.sk.sk_timer.expires;
	}
	if (keepalive) {
		r->idiag_timer = 2;
		r->idiag_retrans = tp->inet_conn.icsk_probes_out;
		r->idiag_expires = msecs_until(expires);
	}
}

static __always_inline void tcp_queues(struct socket_record *r, struct tcp_sock *tp)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;

	if (r->idiag_state == TCP_LISTEN) {
		r->idiag_rqueue = sk->sk_ack_backlog;
		r->idiag_wqueue = sk->sk_max_ack_backlog;
		return;
	}
	r->idiag_rqueue = at_least_zero(tp->rcv_nxt - tp->copied_seq);
	r->idiag_wqueue = tp->write_seq - tp->snd_una;
	r->known |= HAS_SEQUENCE;
}

/* From inet_twsk_diag_fill(): neither owner nor queue is left. */
static __always_inline void time_wait(struct socket_record *r, struct tcp_timewait_sock *tw)
{
	endpoints(r, &tw->tw_sk.__tw_common);
	r->idiag_state = tw->tw_sk.tw_substate;
	r->idiag_timer = 3;
	r->idiag_expires = msecs_until(tw->tw_sk.tw_timer.expires);
	r->mark = tw->tw_sk.tw_mark;
}

/* From inet_req_diag_fill(); the user is that of the listener. */
static __always_inline void request(struct socket_record *r, struct tcp_request_sock *req, __u32 uid)
{
	endpoints(r, &req->req.req.__req_common);
	r->known = HAS_UID;
	r->idiag_uid = uid;
	r->idiag_state = TCP_SYN_RECV;
	r->idiag_timer = 1;
	r->idiag_retrans = req->req.req.num_retrans;
	r->idiag_expires = msecs_until(req->req.req.rsk_timer.expires);
	r->mark = req->req.ir_mark;
}

/* A record goes out in two parts, for both together would not fit the 512 bytes of stack; where
 * the second does not fit the buffer any more, the kernel takes the first back and tries again. */

/* The label that its packets leave with: one that was set, else the hash of the connection where the
 * namespace has it so (ip6_make_flowlabel, include/net/ipv6.h). */
static __always_inline void flow_label(struct socket_record *r, struct inet_sock *inet)
{
	struct netns_sysctl_ipv6 *sysctl = &inet->sk.__sk_common.skc_net.net->ipv6.sysctl;
	__u32 hash = inet->sk.sk_txhash, label;

	if (r->idiag_family != AF_INET6)
		return;
	label = __builtin_bswap32(inet->pinet6->flow_label) & FLOW_LABEL;
	if (!label && (sysctl->auto_flowlabels == LABELS_ON || sysctl->auto_flowlabels == LABELS_FORCED)) {
		label = __builtin_bswap32(hash << 16 | hash >> 16) & FLOW_LABEL;
		if (sysctl->flowlabel_state_ranges)
			label |= STATELESS_LABEL;
	}
	r->flow_label[0] = label >> 16;
	r->flow_label[1] = label >> 8;
	r->flow_label[2] = label;
}

static __noinline int write_socket(struct seq_file *seq, struct tcp_sock *tp, __u32 uid)
{
	struct socket_record r = {};

	full_socket(&r, &tp->inet_conn.icsk_inet, uid);
	tcp_queues(&r, tp);
	flow_label(&r, &tp->inet_conn.icsk_inet);
	timer(&r, tp);
	r.known |= HAS_TCP;
	if (tp->inet_conn.icsk_ca_ops)
		r.known |= HAS_CONG;
	if (tp->inet_conn.icsk_ulp_ops)
		r.known |= HAS_ULP;
	if (bpf_core_field_exists(tp->rto_stamp))
		r.known |= HAS_TOTAL_RTO;
	if (bpf_core_field_exists(tp->received_ce))
		r.known |= HAS_ACCECN;
	return bpf_seq_write(seq, &r, sizeof(r));
}

static __noinline int write_tcp_info(struct seq_file *seq, struct tcp_sock *tp)
{
	struct tcp_record t = {};

	congestion(&t, tp);
	tcp_info(&t, tp);
	return bpf_seq_write(seq, &t, sizeof(t));
}

static __noinline int write_remnant(struct seq_file *seq, struct sock_common *skc, __u32 uid)
{
	struct tcp_timewait_sock *tw = bpf_skc_to_tcp_timewait_sock(skc);
	struct tcp_request_sock *req = bpf_skc_to_tcp_request_sock(skc);
	struct socket_record r = {};

	if (tw)
		time_wait(&r, tw);
	else if (req)
		request(&r, req, uid);
	else
		return -1;
	r.proto = IPPROTO_TCP;
	return bpf_seq_write(seq, &r, sizeof(r));
}

static __noinline int write_nothing(struct seq_file *seq)
{
	struct tcp_record t = {};

	return bpf_seq_write(seq, &t, sizeof(t));
}

/* Loads a word of each cache line that the rest will read, the kernel's release of the lock
 * included.  So early and with nothing between them the misses overlap; met one by one they cost
 * a sixth more of the whole reading (measured on 96,000 sockets, kernel 6.18). */
static __always_inline void prefetch(struct tcp_sock *tp)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	__u64 sum = sk->sk_drops.counter;

	sum += sk->sk_rcvbuf;
	sum += sk->sk_forward_alloc;
	sum += sk->sk_tsq_flags;
	sum += sk->sk_pacing_rate;
	sum += sk->sk_mark;
	sum += sk->sk_ack_backlog;
	sum += tp->inet_conn.icsk_inet.tos;
	sum += tp->inet_conn.icsk_rto;
	sum += tp->inet_conn.icsk_pending;
	sum += tp->rcv_ssthresh;
	sum += tp->snd_cwnd;
	sum += tp->snd_ssthresh;
	sum += tp->segs_out;
	sum += tp->ecn_flags;
	sum += tp->rcv_nxt;
	sum += tp->bytes_received;
	sum += tp->bytes_acked;
	sum += tp->rcvq_space.space;
	sum += tp->dsack_dups;
	sum += tp->bytes_retrans;
	sum += tp->rcv_ooopack;
	asm volatile("" : : "r"(sum));
}

SEC("iter/tcp")
int tcp(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct seq_file *seq = ctx->meta->seq;
	struct tcp_sock *tp;

	if (!skc)
		return 0;
	tp = bpf_skc_to_tcp_sock(skc);
	if (tp) {
		prefetch(tp);
		write_socket(seq, tp, ctx->uid);
		write_tcp_info(seq, tp);
	} else if (!write_remnant(seq, skc, ctx->uid)) {
		write_nothing(seq);
	}
	return 0;
}

/* The same without what is left of connections (TIME-WAIT) and without requests, for whoever reads
 * again and again: after a minute of a thousand connections a second that would be 60,000 of them. */
SEC("iter/tcp")
int tcp_full(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct tcp_sock *tp;

	if (!skc)
		return 0;
	tp = bpf_skc_to_tcp_sock(skc);
	if (tp) {
		prefetch(tp);
		write_socket(ctx->meta->seq, tp, ctx->uid);
		write_tcp_info(ctx->meta->seq, tp);
	}
	return 0;
}

SEC("iter/udp")
int udp(struct bpf_iter__udp *ctx)
{
	struct udp_sock *up = ctx->udp_sk;
	struct socket_record r = {};

	if (!up)
		return 0;
	full_socket(&r, &up->inet, ctx->uid);
	/* From udp_diag_get_info(). */
	r.idiag_rqueue = at_least_zero(up->inet.sk.sk_backlog.rmem_alloc.counter - up->forward_deficit);
	r.idiag_wqueue = r.wmem_alloc;
	/* From sk_drops_read(). */
	if (bpf_core_field_exists(up->drop_counters) && up->inet.sk.sk_drop_counters)
		r.drops = up->drop_counters.drops0.counter + up->drop_counters.drops1.counter;
	bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
	return 0;
}

/* The process as its reader would see it: in a PID namespace of its own a task has another number. */
static __always_inline __u32 process(struct task_struct *task)
{
	struct task_struct *reader = bpf_get_current_task_btf();
	__u32 level = reader->thread_pid->level;
	__u32 number = task->tgid;

	if (level) {
		struct pid *pid = task->signal->pids[PIDTYPE_TGID];
		void *own = (void *)pid->numbers + level * bpf_core_type_size(struct upid);

		bpf_core_read(&number, sizeof(number), &((struct upid *)own)->nr);
	}
	return number;
}

SEC("iter/task_file")
int task_file(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	unsigned short family;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	family = socket->sk->__sk_common.skc_family;
	if (family == AF_INET || family == AF_INET6) {
		struct holder_record h = { process(task), ctx->fd, file->f_inode->i_ino };

		bpf_seq_write(ctx->meta->seq, &h, sizeof(h));
	}
	return 0;
}
