# SPDX-License-Identifier: Apache-2.0
"""Counters of data sources as metrics: named, typed and in base units (seconds, bytes, ratios), as time series want.

``FAMILIES`` is the table: which field of which structure of sFlow is which metric.  How metrics are
written is known in ``openmetrics`` and ``statsd``.  What is unknown is no metric.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import Any, NamedTuple

from fleutan.exports.observations import items, octets_text
from fleutan.observed import ENTITY, HOST, INTERFACE, Counters

COUNTER, GAUGE, INFO = "counter", "gauge", "info"
PREFIX = "fleutan"
#: The last words of a name that are its unit, in this order.
UNITS = (
    *("bytes_per_second", "seconds", "bytes", "ratio", "hertz", "celsius", "joules", "volts", "amperes", "watts"),
    "meters",
)
#: What a data source is, by the first of its labels that is there, and the labels that tell it from others.
KINDS: Mapping[str, tuple[str, ...]] = {
    "container": ("container", "pod", "namespace"),
    "pod": ("pod", "namespace"),
    "unit": ("unit",),
    "app": ("app",),
    "vm": ("vm",),
}
Labels = tuple[tuple[str, str], ...]


class Family(NamedTuple):
    """A metric of one structure: its name without prefix, and what the values of its fields are divided by.

    ``members`` are pairs of a field and of the label's value that tells it from the others of the family;
    a field ``name&4`` is one bit, ``list.name`` is the field of each item.
    """

    name: str
    kind: str
    help: str
    structure: str
    members: tuple[tuple[str, str], ...]
    label: str = ""
    divisor: float = 1


class Metric(NamedTuple):
    """One value: of whom (``host``, ``interface``, ``unit`` …), called what, with which labels."""

    subject: str
    family: Family
    labels: Labels
    value: int | float

    @property
    def name(self) -> str:
        """The family's whole name."""
        return f"{PREFIX}_{self.subject}" + (f"_{self.family.name}" if self.family.name else "")


def _rows(structure: str, text: str) -> Iterator[Family]:
    """Families from lines ``name kind divisor fields | help``; fields are one, or ``label=`` and ``value:field``."""
    for line in text.strip().splitlines():
        head, _, meaning = line.partition(" | ")
        name, kind, divisor, *fields = head.split()
        label, equals, _ = fields[0].partition("=")
        members = [word.partition(":")[::2] for word in fields[1:]] if equals else []
        pairs = tuple((field, value) for value, field in members) or ((fields[0], ""),)
        yield Family(name, kind, meaning.strip(), structure, pairs, label if equals else "", float(divisor))


def _mib(structure: str, prefix: str, gauges: str, counters: str) -> Iterator[Family]:
    """Groups of the MIB-II, whose names are the MIB's own."""
    for kind, names in ((GAUGE, gauges), (COUNTER, counters)):
        for name in names.split():
            own = re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower()
            yield Family(f"{prefix}_{own}", kind, f"The MIB's {prefix}{name}.", structure, ((prefix + name, ""),))


FAMILIES: tuple[Family, ...] = (
    *_rows(
        "host_cpu",
        """
        load gauge 1 minutes= 1:load_one 5:load_five 15:load_fifteen | Tasks that run or wait, on average.
        processes_running gauge 1 proc_run | Tasks that run or want to.
        processes gauge 1 proc_total | Tasks that there are.
        cpus gauge 1 cpu_num | Processors.
        cpu_frequency_hertz gauge 1e-6 cpu_speed | How fast a processor is.
        uptime_seconds gauge 1 uptime | How long the host has run.
        cpu_seconds counter 1000 mode= user:cpu_user nice:cpu_nice system:cpu_system idle:cpu_idle \
iowait:cpu_wio irq:cpu_intr softirq:cpu_sintr steal:cpu_steal | Time of all processors; that of guests is the user's.
        cpu_guest_seconds counter 1000 mode= user:cpu_guest nice:cpu_guest_nice | Time of virtual machines' processors.
        interrupts counter 1 interrupts | Interrupts.
        context_switches counter 1 contexts | Switches between tasks.
        """,
    ),
    *_rows(
        "host_memory",
        """
        memory_total_bytes gauge 1 mem_total | Memory.
        memory_free_bytes gauge 1 mem_free | Memory that nothing uses.
        memory_shared_bytes gauge 1 mem_shared | Memory that is shared.
        memory_buffers_bytes gauge 1 mem_buffers | Buffers of block devices.
        memory_cached_bytes gauge 1 mem_cached | Files in memory, and what can be taken back.
        swap_total_bytes gauge 1 swap_total | Swap space.
        swap_free_bytes gauge 1 swap_free | Swap space that nothing uses.
        paged_in_bytes counter 0.0009765625 page_in | Read from disks for memory.
        paged_out_bytes counter 0.0009765625 page_out | Written from memory to disks.
        swapped_in_pages counter 1 swap_in | Pages read from swap space.
        swapped_out_pages counter 1 swap_out | Pages written to swap space.
        """,
    ),
    *_rows(
        "host_disk_io",
        """
        disk_capacity_bytes gauge 1 disk_total | Room of local file systems.
        disk_free_bytes gauge 1 disk_free | Free room of local file systems.
        disk_fullest_ratio gauge 10000 part_max_used | How full the fullest file system is.
        disk_reads counter 1 reads | Reads.
        disk_read_bytes counter 1 bytes_read | What was read.
        disk_read_seconds counter 1000 read_time | How long reads took, together.
        disk_writes counter 1 writes | Writes.
        disk_written_bytes counter 1 bytes_written | What was written.
        disk_write_seconds counter 1000 write_time | How long writes took, together.
        """,
    ),
    *_rows(
        "host_net_io",
        """
        network_receive_bytes counter 1 bytes_in | Received by all interfaces.
        network_receive_packets counter 1 pkts_in | Packets received.
        network_receive_errors counter 1 errs_in | Packets received broken.
        network_receive_drops counter 1 drops_in | Packets received and dropped.
        network_transmit_bytes counter 1 bytes_out | Sent by all interfaces.
        network_transmit_packets counter 1 packets_out | Packets sent.
        network_transmit_errors counter 1 errs_out | Packets that could not be sent.
        network_transmit_drops counter 1 drops_out | Packets dropped before they were sent.
        """,
    ),
    *_mib(
        "mib2_ip_group",
        "ip",
        "Forwarding DefaultTTL ReasmTimeout",
        "InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers OutRequests"
        " OutDiscards OutNoRoutes ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates",
    ),
    *_mib(
        "mib2_icmp_group",
        "icmp",
        "",
        "InMsgs InErrors InDestUnreachs InTimeExcds InParamProbs InSrcQuenchs InRedirects InEchos InEchoReps"
        " InTimestamps InAddrMasks InAddrMaskReps OutMsgs OutErrors OutDestUnreachs OutTimeExcds OutParamProbs"
        " OutSrcQuenchs OutRedirects OutEchos OutEchoReps OutTimestamps OutTimestampReps OutAddrMasks OutAddrMaskReps",
    ),
    *_mib(
        "mib2_tcp_group",
        "tcp",
        "RtoAlgorithm MaxConn CurrEstab",
        "ActiveOpens PassiveOpens AttemptFails EstabResets InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors",
    ),
    *_rows(
        "mib2_tcp_group",
        """
        tcp_rto_min_seconds gauge 1000 tcpRtoMin | The MIB's tcpRtoMin.
        tcp_rto_max_seconds gauge 1000 tcpRtoMax | The MIB's tcpRtoMax.
        """,
    ),
    *_mib(
        "mib2_udp_group",
        "udp",
        "",
        "InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors",
    ),
    *_rows(
        "virt_node",
        """
        virtual_cpus gauge 1 cpus | Processors that virtual machines or containers may use.
        virtual_memory_bytes gauge 1 memory | Memory that they may use.
        virtual_memory_free_bytes gauge 1 memory_free | Memory of that which nothing uses.
        virtual_domains gauge 1 num_domains | Virtual machines, containers or units that run.
        """,
    ),
    *_rows(
        "virt_cpu",
        """
        state gauge 1 state | 0 none, 1 running, 2 blocked, 3 paused, 4 shutting down, 5 off, 6 crashed, 7 suspended.
        cpu_seconds counter 1000 cpuTime | Time of processors.
        cpus gauge 1 nrVirtCpu | Processors that it may use.
        """,
    ),
    *_rows(
        "virt_memory",
        """
        memory_bytes gauge 1 memory | Memory that it uses.
        memory_limit_bytes gauge 1 maxMemory | Memory that it may use.
        """,
    ),
    *_rows(
        "virt_disk_io",
        """
        disk_capacity_bytes gauge 1 capacity | How large its disks are.
        disk_allocated_bytes gauge 1 allocation | What of them is in use.
        disk_available_bytes gauge 1 available | What of them is left.
        disk_reads counter 1 rd_req | Reads.
        disk_read_bytes counter 1 rd_bytes | What was read.
        disk_writes counter 1 wr_req | Writes.
        disk_written_bytes counter 1 wr_bytes | What was written.
        disk_errors counter 1 errs | Reads and writes that failed.
        """,
    ),
    *_rows(
        "virt_net_io",
        """
        network_receive_bytes counter 1 rx_bytes | Received by all interfaces.
        network_receive_packets counter 1 rx_packets | Packets received.
        network_receive_errors counter 1 rx_errs | Packets received broken.
        network_receive_drops counter 1 rx_drop | Packets received and dropped.
        network_transmit_bytes counter 1 tx_bytes | Sent by all interfaces.
        network_transmit_packets counter 1 tx_packets | Packets sent.
        network_transmit_errors counter 1 tx_errs | Packets that could not be sent.
        network_transmit_drops counter 1 tx_drop | Packets dropped before they were sent.
        """,
    ),
    *_rows(
        "nvidia_gpu",
        """
        gpu_devices gauge 1 device_count | Graphics processors.
        gpu_processes gauge 1 processes | Processes that use them.
        gpu_busy_seconds counter 1000 gpu_time | How long they computed.
        gpu_memory_busy_seconds counter 1000 mem_time | How long their memory was read or written.
        gpu_memory_total_bytes gauge 1 mem_total | Their memory.
        gpu_memory_free_bytes gauge 1 mem_free | Their memory that nothing uses.
        gpu_ecc_errors counter 1 ecc_errors | Errors of their memory.
        gpu_energy_joules counter 1000 energy | Energy that they took.
        gpu_temperature_celsius gauge 1 temperature | The hottest of them.
        gpu_fan_ratio gauge 100 fan_speed | How fast their fans turn.
        """,
    ),
    *_rows(
        "if_counters",
        """
        speed_bytes_per_second gauge 8 ifSpeed | What it can carry.
        admin_up gauge 1 ifStatus&1 | Whether it is set up.
        oper_up gauge 1 ifStatus&2 | Whether it is in operation.
        promiscuous gauge 1 ifPromiscuousMode | Whether it takes packets for others.
        receive_bytes counter 1 ifInOctets | Received.
        receive_packets counter 1 cast= unicast:ifInUcastPkts multicast:ifInMulticastPkts \
broadcast:ifInBroadcastPkts | Packets received.
        receive_discards counter 1 ifInDiscards | Packets received and dropped.
        receive_errors counter 1 ifInErrors | Packets received broken.
        receive_unknown_protocols counter 1 ifInUnknownProtos | Packets received of protocols that nobody takes.
        transmit_bytes counter 1 ifOutOctets | Sent.
        transmit_packets counter 1 cast= unicast:ifOutUcastPkts multicast:ifOutMulticastPkts \
broadcast:ifOutBroadcastPkts | Packets sent.
        transmit_discards counter 1 ifOutDiscards | Packets dropped before they were sent.
        transmit_errors counter 1 ifOutErrors | Packets that could not be sent.
        """,
    ),
    *_rows(
        "lag_port_stats",
        """
        lacp_aggregate gauge 1 dot3adAggPortAttachedAggID | The ifIndex of its aggregate.
        lacp_actor_state gauge 1 dot3adAggPortActorOperState | Bits of IEEE 802.1AX.
        lacp_partner_state gauge 1 dot3adAggPortPartnerOperState | Bits of IEEE 802.1AX.
        lacp_receive_pdus counter 1 pdu= lacp:dot3adAggPortStatsLACPDUsRx marker:dot3adAggPortStatsMarkerPDUsRx \
marker_response:dot3adAggPortStatsMarkerResponsePDUsRx unknown:dot3adAggPortStatsUnknownRx \
illegal:dot3adAggPortStatsIllegalRx | PDUs received.
        lacp_transmit_pdus counter 1 pdu= lacp:dot3adAggPortStatsLACPDUsTx marker:dot3adAggPortStatsMarkerPDUsTx \
marker_response:dot3adAggPortStatsMarkerResponsePDUsTx | PDUs sent.
        """,
    ),
    *_rows(
        "sfp",
        """
        optics_supply_volts gauge 1000 module_supply_voltage | What its module is supplied with.
        optics_temperature_celsius gauge 1000 module_temperature | How hot its module is.
        optics_bias_amperes gauge 1e6 lanes.tx_bias_current | Current of the laser.
        optics_transmit_watts gauge 1e6 lanes.tx_power | Light sent.
        optics_transmit_min_watts gauge 1e6 lanes.tx_power_min | The least that is in order.
        optics_transmit_max_watts gauge 1e6 lanes.tx_power_max | The most that is in order.
        optics_transmit_wavelength_meters gauge 1e9 lanes.tx_wavelength | Wavelength of the laser.
        optics_receive_watts gauge 1e6 lanes.rx_power | Light received.
        optics_receive_min_watts gauge 1e6 lanes.rx_power_min | The least that is in order.
        optics_receive_max_watts gauge 1e6 lanes.rx_power_max | The most that is in order.
        optics_receive_wavelength_meters gauge 1e9 lanes.rx_wavelength | Wavelength received.
        """,
    ),
    *_rows(
        "pfc",
        """
        pfc_requests counter 1 requests | Pauses that it asked for (802.1Qbb).
        pfc_indications counter 1 indications | Pauses that it was asked for.
        pfc_pause_seconds counter 1e6 pause_duration | How long it paused.
        pfc_storms counter 1 event= detected:storm_detected restored:storm_restored | Storms of pauses.
        """,
    ),
    *_rows(
        "app_operations",
        """
        operations counter 1 status= success:success other:other timeout:timeout internal_error:internal_error \
bad_request:bad_request forbidden:forbidden too_large:too_large not_implemented:not_implemented \
not_found:not_found unavailable:unavailable unauthorized:unauthorized | Operations by how they ended.
        """,
    ),
    *_rows(
        "app_resources",
        """
        cpu_seconds counter 1000 mode= user:user_time system:system_time | Time of processors.
        memory_bytes gauge 1 mem_used | Memory that it uses.
        memory_limit_bytes gauge 1 mem_max | Memory that it may use.
        files gauge 1 fd_open | Open files.
        files_limit gauge 1 fd_max | Files that may be open.
        connections gauge 1 conn_open | Open connections.
        connections_limit gauge 1 conn_max | Connections that may be open.
        """,
    ),
    *_rows(
        "app_workers",
        """
        workers gauge 1 state= active:workers_active idle:workers_idle | Workers by what they do.
        workers_limit gauge 1 workers_max | Workers that there may be.
        requests_delayed counter 1 req_delayed | Requests that had to wait.
        requests_dropped counter 1 req_dropped | Requests that were refused.
        """,
    ),
)
#: What labels of ``info`` are made of, besides those of the source that do not tell it from others.
DESCRIBED: Mapping[str, Mapping[str, str]] = {
    "host_descr": {"hostname": "hostname", "os_release": "os_release", "uuid": "uuid"},
    "if_counters": {"ifIndex": "ifindex", "ifType": "type", "ifDirection": "duplex"},
    "lag_port_stats": {
        "dot3adAggPortActorSystemID": "lacp_actor",
        "dot3adAggPortPartnerOperSystemID": "lacp_partner",
    },
}
#: Fields that are no metric: names, lists, what other fields say as well, and states that Linux does not have.
LEFT_OUT = {
    "host_descr": ("machine_type", "os_name"),
    "host_adapters": ("adapters",),
    "host_parent": ("container_type", "container_index"),
    "virt_node": ("mhz",),
    "if_counters": (),
    "lag_port_stats": ("dot3adAggPortActorAdminState", "dot3adAggPortPartnerAdminState"),
    "sfp": ("module_id", "module_total_lanes"),
    "port_name": ("name",),
    "app_operations": ("application",),
}
INFORMATION = Family("", INFO, "What it is called and what it is.", "", ())
_WORDS = {"duplex": {0: "unknown", 1: "full", 2: "half", 3: "in", 4: "out"}}
#: Fields of which 0 is that nothing is known.
_ZERO_IS_UNKNOWN = frozenset({"ifSpeed"})
_BY_STRUCTURE: dict[str, list[Family]] = {}
for _family in FAMILIES:
    _BY_STRUCTURE.setdefault(_family.structure, []).append(_family)


def unit(name: str) -> str:
    """The unit at the end of a name; empty if it counts things."""
    return next((one for one in UNITS if name.endswith(f"_{one}")), "")


def metrics(found: Iterable[Counters]) -> Iterator[Metric]:
    """What is known of these data sources; no two have the same name and the same labels.

    Sources that nothing tells apart have one more label, ``source``, as sFlow numbers them.
    """
    seen: set[tuple[str, Labels]] = set()
    for one in found:
        subject, own = identity(one)
        if (subject, own) in seen:
            own = (*own, _source(one))
        seen.add((subject, own))
        yield from _information(one, subject, own)
        for structure, fields in one.structures.items():
            for family in _BY_STRUCTURE.get(structure, ()):
                for labels, value in _values(family, fields):
                    yield Metric(subject, family, own + labels, value)


def identity(one: Counters) -> tuple[str, Labels]:
    """What a data source is, and the labels that tell it from others of its kind."""
    if one.source.ds_class == HOST:
        return "host", ()
    if one.source.ds_class == INTERFACE and "dev" in one.labels:
        return "interface", _chosen(one, ("dev", "netns"))
    kind = next((name for name in KINDS if name in one.labels), "")
    if one.source.ds_class == ENTITY and kind:
        return kind, _chosen(one, KINDS[kind])
    return "interface" if one.source.ds_class == INTERFACE else "entity", (_source(one),)


def _chosen(one: Counters, names: tuple[str, ...]) -> Labels:
    return tuple((name, one.labels[name]) for name in names if name in one.labels)


def _source(one: Counters) -> tuple[str, str]:
    return "source", f"{one.source.ds_class}:{one.source.ds_index}"


def _information(one: Counters, subject: str, own: Labels) -> Iterator[Metric]:
    known = dict(own)
    labels = {name: text for name, text in one.labels.items() if name not in known}
    for structure, names in DESCRIBED.items():
        fields = one.structures.get(structure, {})
        for field, name in names.items():
            if fields.get(field) not in (None, "", b"") and name not in known:
                labels[name] = _text(name, fields[field])
    if labels:
        yield Metric(subject, INFORMATION, own + tuple(labels.items()), 1)


def _text(name: str, value: Any) -> str:
    if isinstance(value, bytes):
        return octets_text(value)
    return _WORDS.get(name, {}).get(value, str(value))


def _values(family: Family, fields: Mapping[str, Any]) -> Iterator[tuple[Labels, int | float]]:
    for field, said in family.members:
        name, _, more = field.partition(".")
        label = ((family.label, said),) if said else ()
        one = ((), _bit(fields, field))
        for place, value in _items(family.structure, name, fields.get(name), more) if more else (one,):
            if isinstance(value, (int, float)) and isfinite(value) and (value or name not in _ZERO_IS_UNKNOWN):
                yield label + place, value if family.divisor == 1 else value / family.divisor


def _bit(fields: Mapping[str, Any], field: str) -> Any:
    name, _, mask = field.partition("&")
    value = fields.get(name)
    return int(bool(value & int(mask))) if mask and value is not None else value


def _items(structure: str, name: str, rows: Any, field: str) -> Iterator[tuple[Labels, Any]]:
    for row in items(structure, name, rows):
        yield (("lane", str(row.get("index"))),), row.get(field)
