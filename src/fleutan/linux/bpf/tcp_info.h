/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What TCP alone has: struct tcp_info as tcp_get_info() in net/ipv4/tcp.c would fill it, the
 * sequence numbers, and the names of the congestion control and the upper layer protocol.
 */
#ifndef FLEUTAN_TCP_INFO_H
#define FLEUTAN_TCP_INFO_H

#include "socket_record.h"

struct tcp_record {
	__u64 pacing_rate, max_pacing_rate, bytes_acked, bytes_received, delivery_rate;
	__u64 busy_time, rwnd_limited, sndbuf_limited, bytes_sent, bytes_retrans;
	__u32 rto, ato, snd_mss, rcv_mss, unacked, sacked, lost, retrans;
	__u32 last_data_sent, last_data_recv, last_ack_recv, pmtu, rcv_ssthresh, rtt, rttvar;
	__u32 snd_ssthresh, snd_cwnd, advmss, reordering, rcv_rtt, rcv_space, total_retrans;
	__u32 segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
	__u32 delivered, delivered_ce, dsack_dups, reord_seen, rcv_ooopack, snd_wnd, rcv_wnd, rehash;
	__u32 total_rto, total_rto_recoveries, total_rto_time, received_ce;
	__u32 delivered_ecn_bytes[3], received_ecn_bytes[3];
	__u32 snd_una, snd_nxt, rcv_nxt;
	__u8 state, ca_state, retransmits, probes, backoff, options, snd_wscale, rcv_wscale;
	__u8 app_limited, fastopen_client_fail, accecn_fail_mode, accecn_opt_seen, padding[8];
	__u64 cong[2], ulp[2];
};

/* From tcp_delack_max(): kernels that count timeouts also cap the delayed acknowledgement. */
static __always_inline __u32 ato(struct tcp_sock *tp)
{
	__u32 ticks = BPF_CORE_READ_BITFIELD(tp, inet_conn.icsk_ack.ato);
	struct dst_entry *dst = tp->inet_conn.icsk_inet.sk.sk_dst_cache;
	__u32 cap = tp->inet_conn.icsk_rto_min;
	unsigned long metrics;

	if (!bpf_core_field_exists(tp->rto_stamp))
		return usecs(ticks);
	metrics = dst ? dst->_metrics : 0;
	if (metrics & DST_METRICS_REFCOUNTED) {
		__u32 *metric = (__u32 *)(metrics & ~(unsigned long)DST_METRICS_FLAGS);
		__u32 locked = 0, least = 0;

		bpf_probe_read_kernel(&locked, sizeof(locked), metric + RTAX_LOCK - 1);
		bpf_probe_read_kernel(&least, sizeof(least), metric + RTAX_RTO_MIN - 1);
		if (locked & 1 << RTAX_RTO_MIN)
			cap = (least * (__u64)hz + 999) / 1000;
	}
	cap = cap > 2 ? cap - 1 : 1;
	if (cap > tp->inet_conn.icsk_delack_max)
		cap = tp->inet_conn.icsk_delack_max;
	return usecs(ticks < cap ? ticks : cap);
}

enum { OPT_TIMESTAMPS = 1, OPT_SACK = 2, OPT_WSCALE = 4, OPT_ECN = 8, OPT_ECN_SEEN = 16, OPT_SYN_DATA = 32 };
enum { OPT_USEC_TS = 64, OPT_TFO_CHILD = 128 };
enum { ECN_OK = 1, ECN_SEEN = 8, ECN_ACCECN = 16 }; /* include/net/tcp_ecn.h */

static __always_inline void options(struct tcp_record *t, struct tcp_sock *tp)
{
	__u8 flags = tp->ecn_flags;
	__u8 bits = 0;

	if (BPF_CORE_READ_BITFIELD(tp, rx_opt.tstamp_ok))
		bits |= OPT_TIMESTAMPS;
	if (BPF_CORE_READ_BITFIELD(tp, rx_opt.sack_ok))
		bits |= OPT_SACK;
	if (BPF_CORE_READ_BITFIELD(tp, rx_opt.wscale_ok)) {
		bits |= OPT_WSCALE;
		t->snd_wscale = BPF_CORE_READ_BITFIELD(tp, rx_opt.snd_wscale);
		t->rcv_wscale = BPF_CORE_READ_BITFIELD(tp, rx_opt.rcv_wscale);
	}
	if (flags & ECN_OK || (bpf_core_field_exists(tp->received_ce) && flags & ECN_ACCECN))
		bits |= OPT_ECN;
	if (flags & ECN_SEEN)
		bits |= OPT_ECN_SEEN;
	if (BPF_CORE_READ_BITFIELD(tp, syn_data_acked))
		bits |= OPT_SYN_DATA;
	if (bpf_core_field_exists(tp->tcp_usec_ts) && BPF_CORE_READ_BITFIELD(tp, tcp_usec_ts))
		bits |= OPT_USEC_TS;
	if (bpf_core_field_exists(tp->syn_fastopen_child) && BPF_CORE_READ_BITFIELD(tp, syn_fastopen_child))
		bits |= OPT_TFO_CHILD;
	t->options = bits;
}

/* From tcp_get_info_chrono_stats(): 1 busy, 2 held up by the peer's window, 3 by the send buffer. */
static __always_inline void chronographs(struct tcp_record *t, struct tcp_sock *tp)
{
	__u32 running = BPF_CORE_READ_BITFIELD(tp, chrono_type);
	__u32 since = (__u32)bpf_jiffies64() - tp->chrono_start;
	__u64 busy = tp->chrono_stat[0] + (running == 1 ? since : 0ULL);
	__u64 rwnd = tp->chrono_stat[1] + (running == 2 ? since : 0ULL);
	__u64 sndbuf = tp->chrono_stat[2] + (running == 3 ? since : 0ULL);
	__u64 tick = USEC / hz;

	t->busy_time = (busy + rwnd + sndbuf) * tick;
	t->rwnd_limited = rwnd * tick;
	t->sndbuf_limited = sndbuf * tick;
}

static __always_inline void congestion(struct tcp_record *t, struct tcp_sock *tp)
{
	const struct tcp_congestion_ops *ca = tp->inet_conn.icsk_ca_ops;
	const struct tcp_ulp_ops *ulp = tp->inet_conn.icsk_ulp_ops;

	if (ca) {
		t->cong[0] = *(const __u64 *)&ca->name[0];
		t->cong[1] = *(const __u64 *)&ca->name[8];
	}
	if (ulp) {
		t->ulp[0] = *(const __u64 *)&ulp->name[0];
		t->ulp[1] = *(const __u64 *)&ulp->name[8];
	}
}

static __always_inline void counters(struct tcp_record *t, struct tcp_sock *tp)
{
	t->bytes_acked = tp->bytes_acked;
	t->bytes_received = tp->bytes_received;
	t->bytes_sent = tp->bytes_sent;
	t->bytes_retrans = tp->bytes_retrans;
	t->segs_out = tp->segs_out;
	t->segs_in = tp->segs_in;
	t->data_segs_in = tp->data_segs_in;
	t->data_segs_out = tp->data_segs_out;
	t->total_retrans = tp->total_retrans;
	t->delivered = tp->delivered;
	t->delivered_ce = tp->delivered_ce;
	t->dsack_dups = tp->dsack_dups;
	t->reord_seen = tp->reord_seen;
	t->rcv_ooopack = tp->rcv_ooopack;
	t->rehash = tp->timeout_rehash;
	if (bpf_core_field_exists(tp->plb_rehash))
		t->rehash += tp->plb_rehash;
}

static __always_inline void latency(struct tcp_record *t, struct tcp_sock *tp)
{
	__u32 now = bpf_jiffies64();

	t->rto = usecs(tp->inet_conn.icsk_rto);
	t->ato = ato(tp);
	t->rtt = tp->srtt_us >> 3;
	t->rttvar = tp->mdev_us >> 2;
	t->rcv_rtt = tp->rcv_rtt_est.rtt_us >> 3;
	t->min_rtt = tp->rtt_min.s[0].v;
	t->last_data_sent = msecs(now - tp->lsndtime);
	t->last_data_recv = msecs(now - tp->inet_conn.icsk_ack.lrcvtime);
	t->last_ack_recv = msecs(now - tp->rcv_tstamp);
}

static __always_inline void windows(struct tcp_record *t, struct tcp_sock *tp)
{
	__u32 rate = tp->rate_delivered;
	__u32 interval = tp->rate_interval_us;

	t->ca_state = BPF_CORE_READ_BITFIELD(tp, inet_conn.icsk_ca_state);
	t->retransmits = tp->inet_conn.icsk_retransmits;
	t->probes = tp->inet_conn.icsk_probes_out;
	t->backoff = tp->inet_conn.icsk_backoff;
	t->pmtu = tp->inet_conn.icsk_pmtu_cookie;
	t->snd_mss = tp->mss_cache;
	t->rcv_mss = tp->inet_conn.icsk_ack.rcv_mss;
	t->advmss = tp->advmss;
	t->unacked = tp->packets_out;
	t->sacked = tp->sacked_out;
	t->lost = tp->lost_out;
	t->retrans = tp->retrans_out;
	t->snd_ssthresh = tp->snd_ssthresh;
	t->rcv_ssthresh = tp->rcv_ssthresh;
	t->rcv_space = tp->rcvq_space.space;
	t->snd_wnd = tp->snd_wnd;
	t->rcv_wnd = tp->rcv_wnd;
	t->notsent_bytes = at_least_zero(tp->write_seq - tp->snd_nxt);
	t->app_limited = BPF_CORE_READ_BITFIELD(tp, rate_app_limited);
	t->fastopen_client_fail = BPF_CORE_READ_BITFIELD(tp, fastopen_client_fail);
	if (rate && interval)
		t->delivery_rate = rate * (__u64)tp->mss_cache * USEC / interval;
}

/* What later kernels added to tcp_info. */
static __always_inline void additions(struct tcp_record *t, struct tcp_sock *tp)
{
	if (bpf_core_field_exists(tp->rto_stamp)) {
		t->total_rto = tp->total_rto;
		t->total_rto_recoveries = tp->total_rto_recoveries;
		t->total_rto_time = tp->total_rto_time;
		if (tp->rto_stamp)
			t->total_rto_time += (__u32)(bpf_ktime_get_ns() / 1000000) - tp->rto_stamp;
	}
	if (bpf_core_field_exists(tp->received_ce)) {
		t->received_ce = tp->received_ce;
		t->accecn_fail_mode = BPF_CORE_READ_BITFIELD(tp, accecn_fail_mode);
		t->accecn_opt_seen = BPF_CORE_READ_BITFIELD(tp, saw_accecn_opt);
#pragma unroll
		for (int mark = 0; mark < 3; mark++) {
			t->delivered_ecn_bytes[mark] = tp->delivered_ecn_bytes[mark];
			t->received_ecn_bytes[mark] = tp->received_ecn_bytes[mark];
		}
	}
}

/* From tcp_get_info(); of a listener it fills these members only. */
static __always_inline void tcp_info(struct tcp_record *t, struct tcp_sock *tp)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;

	t->state = sk->__sk_common.skc_state;
	t->pacing_rate = sk->sk_pacing_rate;
	t->max_pacing_rate = sk->sk_max_pacing_rate;
	t->reordering = tp->reordering;
	t->snd_cwnd = tp->snd_cwnd;
	if (t->state == TCP_LISTEN) {
		t->unacked = sk->sk_ack_backlog;
		t->sacked = sk->sk_max_ack_backlog;
		return;
	}
	options(t, tp);
	latency(t, tp);
	windows(t, tp);
	chronographs(t, tp);
	counters(t, tp);
	additions(t, tp);
	t->snd_una = tp->snd_una;
	t->snd_nxt = tp->snd_nxt;
	t->rcv_nxt = tp->rcv_nxt;
}

#endif
