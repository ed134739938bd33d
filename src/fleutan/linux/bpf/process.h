/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The process on whose behalf the kernel works just now: its number as the reader sees it.
 *
 * Whether it is the one to ask about is for each program to know.
 */
#ifndef FLEUTAN_PROCESS_H
#define FLEUTAN_PROCESS_H

#include "kernel.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* Inode of the reader's PID namespace, set by the loader: processes are numbered as seen there. */
const volatile __u32 pid_namespace = 0;

#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */
#define PID_LEVELS 32 /* MAX_PID_NS_LEVEL, include/linux/pid_namespace.h */

/* 0 where the reader's PID namespace has no such process. */
static __always_inline __u32 number_of(struct task_struct *task)
{
	struct pid *pid = task->signal->pids[PIDTYPE_TGID];
	__u32 deepest = pid->level;

	for (__u32 level = 0; level < PID_LEVELS && level <= deepest; level++) {
		struct upid___ns *upid = (void *)pid->numbers + level * bpf_core_type_size(struct upid);

		if (BPF_CORE_READ(upid, ns, ns.inum) == pid_namespace)
			return BPF_CORE_READ(upid, nr);
	}
	return 0;
}

#endif
