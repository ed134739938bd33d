# SPDX-License-Identifier: Apache-2.0
"""Every block and option of hsflowd.conf on Linux: what its value is, and what becomes of it here.

Names are in lower case, since theirs is not told apart.  Ranges are those of hsflowd 2.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from fleutan.config.agents import MOST, device_name, domain_name, expression, host_name, prefix, refused, span

_FACTORS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
_WORD = (1 << 32) - 1
#: Classes of POSIX in a bracket expression, as Python has them (regex(7)).
_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r" \t-\r",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


class Value(NamedTuple):
    """An option's value: ``read`` raises ValueError with what is wrong; ``fate`` says why it is not used, if it is not.

    ``name`` is what it goes by where it has an older name, too.
    """

    read: Callable[[str], Any]
    fate: str = ""
    name: str = ""


class Rule(NamedTuple):
    """A block's options; ``unsupported`` says why nothing of it is, in which case it has none here."""

    options: Mapping[str, Value] = {}
    unsupported: str = ""
    fate: str = ""


def whole(least: int, most: int) -> Callable[[str], int]:
    """A whole number as strtol(3) reads it with base 0, with a suffix K to P."""
    noun = f"a whole number from {least} to {most}"

    def read(text: str) -> int:
        match = re.fullmatch(r"(?:0[xX]([0-9a-fA-F]{1,16})|([0-9]{1,19}))([KMGTPkmgtp]?)", text)
        if match is None:
            raise refused(text, noun)
        base = 16 if match[1] else 8 if match[2].startswith("0") else 10
        if base == 8 and re.search("[89]", match[2]):
            raise refused(text, f"{noun}; what begins with 0 is octal")
        found = int(match[1] or match[2], base) * _FACTORS[match[3].upper()]
        if not least <= found <= most:
            raise refused(text, noun)
        return found

    return read


def switch(text: str) -> bool:
    """On or off."""
    if (word := text.lower()) not in ("on", "off"):
        raise refused(text, "on or off")
    return word == "on"


def _probability(text: str) -> float:
    if re.fullmatch(r"[0-9]+(\.[0-9]*)?([eE]-?[0-9]+)?", text) is None or not 0 <= float(text) <= 1:
        raise refused(text, "a number from 0 to 1")
    return float(text)


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise refused(text, "an IP address (names are not looked up for the agent's own)") from None


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise refused(text, "a UUID") from None


def _direction(text: str) -> str:
    if (word := text.lower()) not in ("in", "out", "both"):
        raise refused(text, "in, out or both")
    return word


def _text(text: str) -> str:
    if not text or not text.isprintable():
        raise refused(text, "a text")
    return text


def _path(text: str) -> Path:
    if not text.startswith("/") or not text.isprintable():
        raise refused(text, "a path that begins with /")
    return Path(text)


def pattern(text: str) -> str:
    """A POSIX extended regular expression, as Python has it."""
    found = re.sub(r"\[:([a-z]+):\]", lambda match: _CLASSES.get(match[1], match[0]), text)
    expression(found)
    return found


PORT, SECONDS = whole(1, 65535), whole(0, 300)
RATE = whole(0, MOST)
_ALWAYS = "it is looked what there is about once a second"
_KEPT = "what has gone is forgotten when nothing has told of it"
_OWN = "the state is that of the packet's own socket, as the kernel knows it"
_DEVICES = "interfaces are told with their names and aliases anyway"
_UNITS = "control groups are found by what systemd says of a unit"
_REFRESH, _FORGET = Value(whole(60, 3600), _ALWAYS), Value(whole(60, _WORD), _KEPT)
#: nfnetlink_log has 65536 groups; hsflowd takes 32 in nflog { }.
_GROUP, _NFLOG = whole(1, 32), whole(0, 65_535)
_MARK = {"marktraffic": Value(switch)}

#: What stands in ``sflow`` itself; besides, ``sampling.`` and ``polling.`` with a speed or a name behind it.
TOP: Mapping[str, Value] = {
    "sampling": Value(RATE),
    "packetsamplingrate": Value(RATE, name="sampling"),
    "polling": Value(SECONDS),
    "counterpollinginterval": Value(SECONDS, name="polling"),
    "agent": Value(device_name),
    "agentip": Value(_address),
    "agent.cidr": Value(prefix),
    "subagentid": Value(whole(0, 199_999)),
    "uuid": Value(_uuid),
    "headerbytes": Value(whole(0, 256)),
    "datagrambytes": Value(whole(200, 8192)),
    "dnssd": Value(switch),
    "dnssd_domain": Value(domain_name),
    "jsonport": Value(whole(1025, 65_535)),
    "jsonfifo": Value(_path),
    "nfloggroup": Value(_NFLOG),
    "nflogprobability": Value(_probability),
    "uloggroup": Value(_GROUP, "Linux has had no ULOG since 3.17; nflog { } does it"),
    "ulogprobability": Value(_probability, "Linux has had no ULOG since 3.17; nflog { } does it"),
    "refreshadaptors": Value(whole(60, 3600), _ALWAYS),
    "checkadaptors": Value(whole(1, 3600), _ALWAYS),
    "refreshvms": _REFRESH,
    "forgetvms": _FORGET,
    "modules": Value(_text, "there are no modules to load"),
    "loopback": Value(switch, "hsflowd ignores it, too"),
    "samplingdirection": Value(_direction, "hsflowd ignores it, too; psample { ingress= egress= } says it"),
    "xen.update.dominfo": Value(switch, "Xen is not supported"),
    "xen.dsk": Value(switch, "Xen is not supported"),
}

_TAP = {
    "dev": Value(device_name),
    "dev.pattern": Value(pattern),
    "speed": Value(span),
    "sampling": Value(RATE),
    "promisc": Value(switch),
    "vport": Value(switch, "interfaces are told with what their drivers count anyway"),
    "dynamic": Value(switch, "devices are sampled from when they come, whoever made them"),
}
_PLATFORM = "this agent knows the Linux kernel only, nothing of"

BLOCKS: Mapping[str, Rule] = {
    "collector": Rule(
        {
            "ip": Value(host_name),
            "udpport": Value(PORT),
            "dev": Value(device_name),
            "namespace": Value(_text),
        }
    ),
    "dns-sd": Rule({"domain": Value(domain_name), "dnssd_domain": Value(domain_name, name="domain")}),
    "json": Rule(
        {
            "udpport": Value(whole(0, 65_535)),
            "jsonport": Value(whole(0, 65_535), name="udpport"),
            "fifo": Value(_path),
            "jsonfifo": Value(_path, name="fifo"),
        }
    ),
    "pcap": Rule(_TAP),
    "epcap": Rule(_TAP),
    "tcp": Rule({"tunnel": Value(switch, _OWN), "udp": Value(switch, _OWN), "dump": Value(switch, _OWN)}),
    "psample": Rule({"group": Value(_GROUP), "ingress": Value(switch), "egress": Value(switch)}),
    "dropmon": Rule(
        {
            "start": Value(switch),
            "sw": Value(switch),
            "hw": Value(switch),
            "sw_passive": Value(switch),
            "hw_passive": Value(switch),
            "hide": Value(pattern),
            "limit": Value(whole(1, 10_000)),
            "max": Value(whole(1, _WORD)),
            "max_trip": Value(whole(1, _WORD), "after a burst of drops it goes on as soon as that is over"),
            "force": Value(switch, "nothing of others' is stopped"),
            "rn": Value(switch, "the kernel's reason is told wherever it says one"),
            "hw_unknown": Value(switch, "what has no known reason is told as such"),
            "group": Value(whole(1, _WORD), "hsflowd ignores it, too"),
            "hw_function": Value(switch, "hsflowd ignores it, too"),
        }
    ),
    "nflog": Rule(
        {
            "group": Value(_NFLOG),
            "nfloggroup": Value(_NFLOG, name="group"),
            "probability": Value(_probability),
            "nflogprobability": Value(_probability, name="probability"),
        }
    ),
    "systemd": Rule(
        {
            "refreshvms": Value(whole(10, 3600), _ALWAYS),
            "droppriv": Value(switch, "privileges are dropped wherever they are not needed"),
            "cgroup_procs": Value(_text, _UNITS),
            "cgroup_acct": Value(_text, _UNITS),
            **_MARK,
        }
    ),
    "docker": Rule(
        {
            "refreshvms": _REFRESH,
            "forgetvms": _FORGET,
            "hostname": Value(switch),
            **_MARK,
        }
    ),
    "containerd": Rule({"forgetvms": _FORGET, "hostname": Value(switch), **_MARK}),
    "k8s": Rule(
        {
            "eof": Value(switch, "no other program is started"),
            "unixsock": Value(_text, "no other program is started"),
            "setifalias": Value(switch, _DEVICES),
            "setifname": Value(switch, _DEVICES),
            **_MARK,
        }
    ),
    "nvml": Rule(),
    "nlroute": Rule(
        {
            "limit": Value(whole(0, 500)),
            "link": Value(switch),
            "addr": Value(switch),
            "setifalias": Value(switch),
        },
        fate="links and addresses are always followed",
    ),
    "dbus": Rule(unsupported="the agent tells of itself in its metrics and in its state file"),
    "eapi": Rule(unsupported=f"{_PLATFORM} Arista EOS; collectors have to be said here"),
    "sonic": Rule(unsupported=f"{_PLATFORM} SONiC; collectors have to be said here"),
    "kvm": Rule(unsupported=f"{_PLATFORM} libvirt"),
    "xen": Rule(unsupported=f"{_PLATFORM} Xen"),
    "ovs": Rule(unsupported="Open vSwitch exports sFlow itself (ovs-vsctl create sflow)"),
    "ulog": Rule(unsupported="Linux has had no ULOG since 3.17; nflog { } does it"),
    "cumulus": Rule(unsupported=f"{_PLATFORM} Cumulus Linux; its switch samples by psample {{ }}"),
    "dent": Rule(unsupported=f"{_PLATFORM} DENT; what 'tc' samples comes by psample {{ }}"),
    "os10": Rule(unsupported=f"{_PLATFORM} OS10"),
    "opx": Rule(unsupported=f"{_PLATFORM} OPX"),
    "vpp": Rule(unsupported=f"{_PLATFORM} VPP"),
}
