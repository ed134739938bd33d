# SPDX-License-Identifier: Apache-2.0
"""Counters of physical and virtual hosts: processors, memory, disks, the network stack, graphics processors.

From sFlow Host Structures, sFlow Host TCP/IP Counters and sFlow NVML GPU Structures.
"""

from __future__ import annotations

from fleutan.protocols.sflow.layouts.xdr import FLOAT, I32, MAC, U32, U64, UUID, Array, Layout, row, string

ADAPTER = row("ifIndex", U32, "mac_address", Array(MAC))
CPU = row(
    *("load_one load_five load_fifteen", FLOAT, "proc_run proc_total cpu_num cpu_speed uptime", U32),
    "cpu_user cpu_nice cpu_system cpu_idle cpu_wio cpu_intr cpu_sintr interrupts contexts",
    U32,
)

LAYOUTS = (
    Layout(
        0,
        2000,
        "host_descr",
        row("hostname", string(64), "uuid", UUID, "machine_type os_name", U32, "os_release", string(32)),
    ),
    Layout(0, 2001, "host_adapters", row("adapters", Array(ADAPTER))),
    Layout(0, 2002, "host_parent", row("container_type container_index", U32)),
    Layout(0, 2003, "host_cpu", (*CPU, *row("cpu_steal cpu_guest cpu_guest_nice", U32))),
    # The form that older agents send.
    Layout(0, 2003, "host_cpu", CPU),
    Layout(
        0,
        2004,
        "host_memory",
        row(
            *("mem_total mem_free mem_shared mem_buffers mem_cached swap_total swap_free", U64),
            *("page_in page_out swap_in swap_out", U32),
        ),
    ),
    Layout(
        0,
        2005,
        "host_disk_io",
        row(
            *("disk_total disk_free", U64, "part_max_used", I32, "reads", U32, "bytes_read", U64, "read_time", U32),
            *("writes", U32, "bytes_written", U64, "write_time", U32),
        ),
    ),
    Layout(
        0,
        2006,
        "host_net_io",
        row(
            *("bytes_in", U64, "pkts_in errs_in drops_in", U32),
            *("bytes_out", U64, "packets_out errs_out drops_out", U32),
        ),
    ),
    Layout(
        0,
        2007,
        "mib2_ip_group",
        row(
            "ipForwarding ipDefaultTTL ipInReceives ipInHdrErrors ipInAddrErrors ipForwDatagrams",
            "ipInUnknownProtos ipInDiscards ipInDelivers ipOutRequests ipOutDiscards ipOutNoRoutes",
            "ipReasmTimeout ipReasmReqds ipReasmOKs ipReasmFails ipFragOKs ipFragFails ipFragCreates",
            U32,
        ),
    ),
    Layout(
        0,
        2008,
        "mib2_icmp_group",
        row(
            "icmpInMsgs icmpInErrors icmpInDestUnreachs icmpInTimeExcds icmpInParamProbs icmpInSrcQuenchs",
            "icmpInRedirects icmpInEchos icmpInEchoReps icmpInTimestamps icmpInAddrMasks icmpInAddrMaskReps",
            "icmpOutMsgs icmpOutErrors icmpOutDestUnreachs icmpOutTimeExcds icmpOutParamProbs icmpOutSrcQuenchs",
            "icmpOutRedirects icmpOutEchos icmpOutEchoReps icmpOutTimestamps icmpOutTimestampReps",
            "icmpOutAddrMasks icmpOutAddrMaskReps",
            U32,
        ),
    ),
    Layout(
        0,
        2009,
        "mib2_tcp_group",
        row(
            "tcpRtoAlgorithm tcpRtoMin tcpRtoMax tcpMaxConn tcpActiveOpens tcpPassiveOpens tcpAttemptFails",
            "tcpEstabResets tcpCurrEstab tcpInSegs tcpOutSegs tcpRetransSegs tcpInErrs tcpOutRsts tcpInCsumErrors",
            U32,
        ),
    ),
    Layout(
        0,
        2010,
        "mib2_udp_group",
        row(
            "udpInDatagrams udpNoPorts udpInErrors udpOutDatagrams udpRcvbufErrors udpSndbufErrors udpInCsumErrors", U32
        ),
    ),
    Layout(0, 2100, "virt_node", row("mhz cpus", U32, "memory memory_free", U64, "num_domains", U32)),
    Layout(0, 2101, "virt_cpu", row("state cpuTime nrVirtCpu", U32)),
    Layout(0, 2102, "virt_memory", row("memory maxMemory", U64)),
    Layout(
        0,
        2103,
        "virt_disk_io",
        row(
            *("capacity allocation available", U64, "rd_req", U32, "rd_bytes", U64),
            *("wr_req", U32, "wr_bytes", U64, "errs", U32),
        ),
    ),
    Layout(
        0,
        2104,
        "virt_net_io",
        row(
            *("rx_bytes", U64, "rx_packets rx_errs rx_drop", U32),
            *("tx_bytes", U64, "tx_packets tx_errs tx_drop", U32),
        ),
    ),
    Layout(
        5703,
        1,
        "nvidia_gpu",
        row(
            *("device_count processes gpu_time mem_time", U32, "mem_total mem_free", U64),
            *("ecc_errors energy temperature fan_speed", U32),
        ),
    ),
)
