# SPDX-License-Identifier: Apache-2.0
"""A host in the words of sFlow's structures.

What lives here knows both words, and opens no file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fleutan.linux.host.disks import SECTOR, Disk
from fleutan.linux.host.filesystems import Room
from fleutan.linux.host.processors import Load, Stat
from fleutan.sources.counters.devices import Interface

Values = dict[str, int | None]

LINUX = 2
#: machine_type by the beginning of uname(2)'s machine, the first that fits.
_MACHINES = (
    *(("x86_64", 3), ("i386", 2), ("i486", 2), ("i586", 2), ("i686", 2), ("ia64", 4), ("sparc", 5), ("alpha", 6)),
    *(("ppc", 7), ("m68k", 8), ("mips", 9), ("arm", 10), ("aarch64", 10), ("parisc", 11), ("s390", 12)),
)
_OTHER_MACHINE = 1
#: What the structure has room for.
_HOSTNAME, _RELEASE = 64, 32

#: Groups of /proc/net/snmp: the structure, the beginning of its fields, and counters whose names are not the field's.
_MIB2: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("mib2_udp_group", "Udp", "udp", {}),
    ("mib2_tcp_group", "Tcp", "tcp", {}),
    ("mib2_icmp_group", "Icmp", "icmp", {"InParamProbs": "InParmProbs", "OutParamProbs": "OutParmProbs"}),
    ("mib2_ip_group", "Ip", "ip", {}),
)
_FIELDS = {
    "mib2_udp_group": "InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors",
    "mib2_tcp_group": "RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab"
    " InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors",
    "mib2_icmp_group": "InMsgs InErrors InDestUnreachs InTimeExcds InParamProbs InSrcQuenchs InRedirects InEchos"
    " InEchoReps InTimestamps InAddrMasks InAddrMaskReps OutMsgs OutErrors OutDestUnreachs OutTimeExcds OutParamProbs"
    " OutSrcQuenchs OutRedirects OutEchos OutEchoReps OutTimestamps OutTimestampReps OutAddrMasks OutAddrMaskReps",
    "mib2_ip_group": "Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos"
    " InDiscards InDelivers OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs"
    " FragFails FragCreates",
}
#: Structure, group, and pairs of field and counter.
_COUNTERS = [
    (structure, group, [(prefix + name, others.get(name, name)) for name in _FIELDS[structure].split()])
    for structure, group, prefix, others in _MIB2
]
#: Columns of /proc/stat; those of the structure's second part begin with the stolen time.
_TICKS = (
    *("cpu_user", "cpu_nice", "cpu_system", "cpu_idle", "cpu_wio", "cpu_intr", "cpu_sintr"),
    *("cpu_steal", "cpu_guest", "cpu_guest_nice"),
)


def host_descr(hostname: str, uuid: bytes | None, machine: str, release: str) -> dict[str, Any]:
    """Structure 2000."""
    kind = next((number for name, number in _MACHINES if machine.startswith(name)), _OTHER_MACHINE if machine else 0)
    return {
        "hostname": _cut(hostname, _HOSTNAME),
        "uuid": uuid,
        "machine_type": kind,
        "os_name": LINUX,
        "os_release": _cut(release, _RELEASE),
    }


def _cut(text: str, most: int) -> str:
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")


def host_adapters(interfaces: Iterable[Interface]) -> dict[str, Any]:
    """Structure 2001."""
    return {"adapters": [(one.ifindex, [one.mac]) for one in interfaces]}


def host_cpu(load: Load, stat: Stat, uptime: int | None, megahertz: int | None, hertz: int) -> dict[str, Any]:
    """Structure 2003: milliseconds of ticks, of which there are ``hertz`` a second.

    Who asks is running, and not counted.  Time of guests is told by itself and, as the kernel counts
    it, in the time of users too.
    """
    ms = [None if ticks is None else ticks * 1000 // hertz for ticks in stat.ticks]
    times: Values = dict(zip(_TICKS, ms, strict=True))
    return {
        "load_one": load.one,
        "load_five": load.five,
        "load_fifteen": load.fifteen,
        "proc_run": load.running and load.running - 1,
        "proc_total": load.total,
        "cpu_num": stat.cpus,
        "cpu_speed": megahertz,
        "uptime": uptime,
        **{name: times[name] for name in _TICKS[:7]},
        "interrupts": stat.interrupts,
        "contexts": stat.contexts,
        **{name: times[name] for name in _TICKS[7:]},
    }


def host_memory(meminfo: Mapping[str, int], vmstat: Mapping[str, int]) -> Values:
    """Structure 2004: octets; kilobytes paged, pages swapped.

    What the kernel can take back of its own structures is cached too.
    """
    cached = meminfo.get("Cached")
    return {
        "mem_total": meminfo.get("MemTotal"),
        "mem_free": meminfo.get("MemFree"),
        "mem_shared": meminfo.get("Shmem"),
        "mem_buffers": meminfo.get("Buffers"),
        "mem_cached": None if cached is None else cached + meminfo.get("SReclaimable", 0),
        "swap_total": meminfo.get("SwapTotal"),
        "swap_free": meminfo.get("SwapFree"),
        "page_in": vmstat.get("pgpgin"),
        "page_out": vmstat.get("pgpgout"),
        "swap_in": vmstat.get("pswpin"),
        "swap_out": vmstat.get("pswpout"),
    }


def host_disk_io(disks: Disk | None, room: Room | None) -> Values:
    """Structure 2005: octets, milliseconds, and the fullest file system in hundredths of a per cent."""
    return {
        "disk_total": room and room.total,
        "disk_free": room and room.free,
        "part_max_used": room and room.fullest,
        "reads": disks and disks.reads,
        "bytes_read": disks and disks.sectors_read * SECTOR,
        "read_time": disks and disks.read_ms,
        "writes": disks and disks.writes,
        "bytes_written": disks and disks.sectors_written * SECTOR,
        "write_time": disks and disks.write_ms,
    }


def mib2(snmp: Mapping[str, Mapping[str, int]]) -> dict[str, Values]:
    """Structures 2010, 2009, 2008 and 2007; a counter that the kernel does not have is unknown."""
    empty: Mapping[str, int] = {}
    return {
        structure: {field: snmp.get(group, empty).get(counter) for field, counter in pairs}
        for structure, group, pairs in _COUNTERS
    }
