/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's types, as far as the programs here read them.
 *
 * libbpf looks every member up by name in the running kernel's BTF when it loads a program, so
 * order and size say nothing here, and one declaration holds the members of all kernels since
 * 5.15.  A member that some kernels lack is marked so; reading it takes bpf_core_field_exists()
 * first.  A type that some kernels lack is read only as a member of one that all have: for an
 * unknown type libbpf would search every module's BTF, which is slow and takes CAP_SYS_ADMIN.
 * No code and no record layout lives here.
 */
#ifndef FLEUTAN_KERNEL_H
#define FLEUTAN_KERNEL_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;
enum { false, true };

#define NULL ((void *)0)

/* include/linux/socket.h, include/net/tcp_states.h, include/uapi/linux/in.h */
enum { AF_INET = 2, AF_INET6 = 10, IPPROTO_TCP = 6 };
enum { TCP_SYN_RECV = 3, TCP_TIME_WAIT = 6, TCP_CLOSE = 7, TCP_LISTEN = 10, TCP_NEW_SYN_RECV = 12 };

/* include/net/inet_connection_sock.h */
enum { ICSK_TIME_RETRANS = 1, ICSK_TIME_PROBE0 = 3, ICSK_TIME_LOSS_PROBE = 5, ICSK_TIME_REO_TIMEOUT = 6 };

/* include/linux/pid_types.h */
enum { PIDTYPE_TGID = 1 };

/* include/uapi/linux/bpf.h */
enum { BPF_MAP_TYPE_HASH = 1, BPF_MAP_TYPE_PERCPU_HASH = 5, BPF_MAP_TYPE_PERCPU_ARRAY = 6, BPF_MAP_TYPE_ARRAY_OF_MAPS = 12, BPF_MAP_TYPE_SK_STORAGE = 24, BPF_MAP_TYPE_RINGBUF = 27 };
enum { BPF_NOEXIST = 1, BPF_F_NO_PREALLOC = 1, BPF_SK_STORAGE_GET_F_CREATE = 1 };
enum { BPF_RB_AVAIL_DATA = 0, BPF_RB_RING_SIZE = 1, BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };

/* include/uapi/linux/rtnetlink.h, include/net/dst.h */
enum { RTAX_LOCK = 1, RTAX_RTO_MIN = 13, DST_METRICS_REFCOUNTED = 2, DST_METRICS_FLAGS = 3 };

/* The contexts are user-space ABI of their own: they are not relocated. */
struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
};
struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
	__u32 uid;
};
struct bpf_iter__udp {
	struct bpf_iter_meta *meta;
	struct udp_sock *udp_sk;
	__u32 uid;
};
struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct { int counter; } atomic_t;
typedef struct { __s64 counter; } atomic64_t;
typedef struct { atomic_t refs; } refcount_t;

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct timer_list {
	struct hlist_node entry;
	unsigned long expires;
};

/* -- who and where */

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

struct ns_common {
	unsigned int inum;
};

struct netns_sysctl_ipv6 {
	__u8 auto_flowlabels, flowlabel_state_ranges;
};

struct netns_ipv6 {
	struct netns_sysctl_ipv6 sysctl;
};

struct net {
	struct ns_common ns;
	struct netns_ipv6 ipv6;
};

typedef struct { struct net *net; } possible_net_t;

struct upid {
	int nr;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct signal_struct {
	struct pid *pids[4];
};

struct task_struct {
	int tgid;
	struct pid *thread_pid;
	struct signal_struct *signal;
};

struct inode {
	unsigned long i_ino;
};

struct file {
	struct inode *f_inode;
};

struct socket {
	struct sock *sk;
};

struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
};

struct net_device {
	int ifindex;
};

struct dst_entry {
	struct net_device *dev, *dev_rcu; /* two names of the same in 6.18, dev alone before */
	unsigned long _metrics;
};

/* -- sockets of every protocol */

struct in6_addr {
	union {
		__be32 u6_addr32[4];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr, skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned char skc_ipv6only : 1;
	int skc_bound_dev_if;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
	unsigned short skc_tx_queue_mapping;
	unsigned short skc_rx_queue_mapping; /* CONFIG_SOCK_RX_QUEUE_MAPPING */
	int skc_incoming_cpu;
};

struct numa_drop_counters {
	atomic_t drops0, drops1;
};

struct sock {
	struct sock_common __sk_common;
	struct {
		atomic_t rmem_alloc;
		int len;
	} sk_backlog;
	int sk_rcvbuf, sk_sndbuf;
	refcount_t sk_wmem_alloc;
	int sk_forward_alloc, sk_wmem_queued;
	atomic_t sk_omem_alloc, sk_drops;
	struct numa_drop_counters *sk_drop_counters; /* not in 6.12 */
	struct dst_entry *sk_dst_cache;
	struct timer_list sk_timer;
	struct timer_list tcp_retransmit_timer; /* not in 6.18 */
	unsigned long sk_pacing_rate, sk_max_pacing_rate, sk_tsq_flags;
	__u32 sk_priority, sk_mark, sk_txhash;
	__u16 sk_protocol;
	__u8 sk_shutdown;
	__u32 sk_ack_backlog, sk_max_ack_backlog;
	unsigned long sk_ino; /* not in 6.12 */
	struct socket *sk_socket;
	struct sock_cgroup_data sk_cgrp_data;
};

struct ipv6_pinfo {
	__be32 flow_label;
	__u8 tclass;
};

struct inet_sock {
	struct sock sk;
	struct ipv6_pinfo *pinet6;
	__u8 tos;
};

struct udp_sock {
	struct inet_sock inet;
	int forward_deficit;
	struct numa_drop_counters drop_counters; /* not in 6.12; read through here only, see above */
};

/* -- TCP */

/* Both names follow a pointer: so aligned they are read in two loads instead of sixteen. */
struct tcp_congestion_ops {
	char name[16] __attribute__((aligned(8)));
};

struct tcp_ulp_ops {
	char name[16] __attribute__((aligned(8)));
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	unsigned long icsk_timeout; /* not in 6.18 */
	struct timer_list icsk_retransmit_timer; /* moves to tcp_retransmit_timer after 6.18 */
	struct timer_list icsk_keepalive_timer; /* else sk_timer; not in 6.18 */
	__u32 icsk_rto, icsk_rto_min, icsk_delack_max, icsk_pmtu_cookie;
	const struct tcp_congestion_ops *icsk_ca_ops;
	const struct tcp_ulp_ops *icsk_ulp_ops;
	__u8 icsk_ca_state : 5;
	__u8 icsk_retransmits, icsk_pending, icsk_backoff, icsk_probes_out;
	struct {
		__u32 ato : 8; /* a word in 6.1 */
		__u32 lrcvtime;
		__u16 rcv_mss;
	} icsk_ack;
};

struct minmax_sample {
	__u32 t, v;
};

struct minmax {
	struct minmax_sample s[3];
};

struct tcp_options_received {
	__u16 tstamp_ok : 1, wscale_ok : 1, sack_ok : 3, snd_wscale : 4, rcv_wscale : 4;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 rcv_ssthresh, reordering, snd_wnd, mss_cache, snd_cwnd, lost_out, sacked_out, copied_seq;
	__u32 retrans_out, snd_ssthresh, segs_out, data_segs_out, write_seq, lsndtime, mdev_us, srtt_us;
	__u32 packets_out, delivered, delivered_ce, rcv_wnd, rcv_tstamp, segs_in, data_segs_in;
	__u32 rate_delivered, rate_interval_us, dsack_dups, reord_seen, total_retrans, rcv_ooopack;
	__u32 rcv_nxt, snd_nxt, snd_una;
	__u16 advmss;
	struct minmax rtt_min;
	__u8 chrono_type : 2; /* a byte in 6.18 */
	__u32 chrono_start, chrono_stat[3];
	__u8 ecn_flags;
	__u8 rate_app_limited : 1, fastopen_client_fail : 2, syn_data_acked : 1;
	struct tcp_options_received rx_opt;
	__u64 bytes_sent, bytes_received, bytes_acked, bytes_retrans;
	struct {
		__u32 rtt_us;
	} rcv_rtt_est;
	struct {
		__u32 space;
	} rcvq_space;
	__u16 timeout_rehash;
	__u32 plb_rehash; /* not in 6.1 */
	__u8 tcp_usec_ts : 1; /* not in 6.1 */
	__u16 total_rto, total_rto_recoveries; /* not in 6.1 */
	__u32 total_rto_time, rto_stamp; /* not in 6.1 */
	__u8 syn_fastopen_child : 1; /* not in 6.12 */
	__u32 received_ce, received_ecn_bytes[3], delivered_ecn_bytes[3]; /* not in 6.12 */
	__u8 accecn_fail_mode : 4, saw_accecn_opt : 2; /* not in 6.12 */
};

struct inet_timewait_sock {
	struct sock_common __tw_common;
	__u32 tw_mark;
	unsigned char tw_substate;
	struct timer_list tw_timer;
};

struct tcp_timewait_sock {
	struct inet_timewait_sock tw_sk;
};

struct request_sock {
	struct sock_common __req_common;
	__u8 num_retrans;
	struct timer_list rsk_timer;
};

struct inet_request_sock {
	struct request_sock req;
	__u32 ir_mark;
};

struct tcp_request_sock {
	struct inet_request_sock req;
};

/* -- processes and ended connections (lifecycle.bpf.c): flavours, which leave the types above as they are */

struct pid_namespace {
	struct ns_common ns;
};

struct upid___ns {
	int nr;
	struct pid_namespace *ns;
};

struct task_struct___named {
	unsigned int flags;
	struct task_struct___named *group_leader;
	char comm[16];
};

struct inet_sock___ended {
	__be16 inet_sport;
};

struct sock___ended {
	int sk_err;
	struct {
		__u32 val;
	} sk_uid;
};

/* -- packets that are dropped (drops.bpf.c) */

struct sk_buff___dropped {
	struct net_device *dev;
	struct sock *sk;
	char cb[48];
	unsigned int len;
	int skb_iif;
	__be16 protocol;
	__u16 transport_header, network_header;
	unsigned int tail, end; /* offsets from head on 64 bits */
	unsigned char *head;
};

/* -- dropped packets themselves (discards.bpf.c) */

struct sk_buff___discarded {
	struct net_device *dev;
	struct sock *sk;
	unsigned int len;
	int skb_iif;
	__u8 vlan_present : 1; /* not in 6.18 */
	__u32 vlan_all; /* not in 6.1 */
	__be16 vlan_proto, protocol;
	__u16 vlan_tci, network_header, mac_header;
	unsigned int tail; /* an offset from head on 64 bits */
	unsigned char *head, *data;
};

struct net_device___named {
	char name[16];
	int ifindex;
	possible_net_t nd_net;
};

struct skb_shared_info___dropped {
	unsigned short gso_segs;
};

struct tcp_skb_cb {
	__u16 tcp_gso_segs;
};

/* Of these events only members that say which arguments the tracepoint has on this kernel. */
struct trace_event_raw_kfree_skb {
	void *rx_sk; /* not in 6.10 */
};

struct trace_event_raw_tcp_retransmit_skb {
	int err; /* not in 6.14 */
};

struct trace_event_raw_tcp_send_reset {
	enum { ANY_REASON } reason; /* not in 6.9 */
};

/* -- packets that are counted (traffic.bpf.c) */

struct sk_buff___counted {
	struct net_device *dev;
	struct sock *sk;
	unsigned int len, data_len;
	__u16 queue_mapping;
	__u8 encapsulation : 1;
	__u8 vlan_present : 1; /* not in 6.18 */
	__u32 vlan_all; /* not in 6.1 */
	__be16 protocol;
	__u16 inner_transport_header, network_header, mac_header;
	unsigned int end; /* offset from head on 64 bits */
	unsigned char *head, *data;
};

struct skb_shared_info___counted {
	unsigned short gso_size, gso_segs;
	unsigned int gso_type;
};

/* Only its name is needed: 25 words of 8 bytes (include/uapi/linux/if_link.h). */
struct rtnl_link_stats64 {
	__u64 rx_packets;
};

struct rtnl_link_ops___counted {
	const char *kind;
};

struct net_device___counted {
	int ifindex;
	unsigned int real_num_rx_queues;
	unsigned short type;
	possible_net_t nd_net;
	struct {
		void *parent;
	} dev;
	struct rtnl_link_ops___counted *rtnl_link_ops;
};

#pragma clang attribute pop

#endif
