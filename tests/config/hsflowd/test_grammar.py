# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.config.hsflowd import grammar
from fleutan.config.hsflowd.grammar import BLOCKS, TOP, pattern, switch, whole

READ = [
    (whole(0, 10**7), "400", 400),
    (whole(0, 10**7), "10k", 10_000),
    (whole(0, 10**7), "0x10", 16),
    (whole(0, 10**7), "010", 8),
    (whole(0, 10**7), "0", 0),
    (whole(0, 10**16), "2P", 2 * 10**15),
    (switch, "On", True),
    (switch, "OFF", False),
    (TOP["agentip"].read, "2001:DB8::1", "2001:db8::1"),
    (TOP["samplingdirection"].read, "Both", "both"),
    (TOP["nflogprobability"].read, "0.0025", 0.0025),
    (TOP["nflogprobability"].read, "1e-3", 0.001),
]


@pytest.mark.parametrize(("read", "text", "expected"), READ)
def test_what_is_meant_is_read(read: Callable[[str], Any], text: str, expected: Any) -> None:
    assert read(text) == expected


REFUSED = [
    (whole(1, 32), ["0", "33", "-1", "1.5", "1X", "", "0x", "1e3", "400abc", "0x1g", "9" * 30]),
    (whole(0, 100), ["08", "1K"]),
    (switch, ["1", "yes", ""]),
    (TOP["agentip"].read, ["collector.example.org", "", "1.2.3"]),
    (TOP["samplingdirection"].read, ["", "up"]),
    (TOP["nflogprobability"].read, ["1.1", "-1", "x", "nan", "1e5"]),
    (TOP["uuid"].read, ["", "x"]),
    (TOP["modules"].read, ["", "\x07"]),
    (pattern, ["", "(", "[[:digit:]"]),
]


@pytest.mark.parametrize(("read", "text"), [(read, text) for read, texts in REFUSED for text in texts])
def test_what_is_not_is_refused_with_what_was_expected(read: Callable[[str], Any], text: str) -> None:
    with pytest.raises(ValueError, match=r" is not ") as raised:
        read(text)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "some"),
    [
        ("alnum", "aZ9"),
        ("alpha", "aZ"),
        ("blank", " \t"),
        ("cntrl", "\x01\x7f"),
        ("digit", "09"),
        ("graph", "!~a"),
        ("lower", "az"),
        ("print", " ~a"),
        ("punct", "!/:@[`{~]^_"),
        ("space", " \n"),
        ("upper", "AZ"),
        ("xdigit", "09afAF"),
    ],
)
def test_classes_of_posix_are_what_they_are_there(name: str, some: str) -> None:
    found = re.compile(pattern(f"^[[:{name}:]]$"))
    # what isalnum(3) and the like say of ASCII
    everything: dict[str, Callable[[str], bool]] = {
        "alnum": str.isalnum,
        "alpha": str.isalpha,
        "digit": str.isdigit,
        "lower": str.islower,
        "upper": str.isupper,
        "space": lambda one: one in " \t\n\v\f\r",
        "blank": lambda one: one in " \t",
        "cntrl": lambda one: ord(one) < 32 or ord(one) == 127,
        "graph": lambda one: 32 < ord(one) < 127,
        "print": lambda one: 32 <= ord(one) < 127,
        "punct": lambda one: 32 < ord(one) < 127 and not one.isalnum(),
        "xdigit": lambda one: one in "0123456789abcdefABCDEF",
    }
    assert all(found.search(one) for one in some)
    for code in range(128):
        assert bool(found.search(chr(code))) == everything[name](chr(code)), (name, code)


#: Every block and option that hsflowd 2.1.25 knows on Linux.
KNOWN = {
    "collector": "ip udpport dev namespace",
    "dns-sd": "domain dnssd_domain",
    "json": "udpport jsonport fifo jsonfifo",
    "pcap": "dev dev.pattern dynamic promisc vport speed sampling",
    "epcap": "dev dev.pattern dynamic promisc vport speed sampling",
    "tcp": "tunnel udp dump",
    "psample": "group ingress egress",
    "dropmon": "group start force sw hw rn hw_unknown hw_function sw_passive hw_passive hide limit max max_trip",
    "nflog": "group nfloggroup probability nflogprobability",
    "systemd": "refreshvms droppriv cgroup_procs cgroup_acct marktraffic",
    "docker": "refreshvms forgetvms hostname marktraffic",
    "containerd": "forgetvms hostname marktraffic",
    "k8s": "marktraffic eof setifalias setifname unixsock",
    "nlroute": "limit link addr setifalias",
    **dict.fromkeys(
        ("nvml", "dbus", "eapi", "sonic", "kvm", "xen", "ovs", "ulog", "cumulus", "dent", "os10", "opx", "vpp"), ""
    ),
}
SUPPORTED = {"nvml", *(name for name, options in KNOWN.items() if options)}
OF_TOP = """
sampling packetsamplingrate polling counterpollinginterval agent agentip agent.cidr subagentid uuid headerbytes
datagrambytes dnssd dnssd_domain jsonport jsonfifo nfloggroup nflogprobability uloggroup ulogprobability refreshadaptors
checkadaptors refreshvms forgetvms modules loopback samplingdirection xen.update.dominfo xen.dsk
"""


def test_the_grammar_has_all_that_hsflowd_has() -> None:
    assert {name: set(rule.options) for name, rule in BLOCKS.items()} == {
        name: set(options.split()) for name, options in KNOWN.items()
    }
    assert set(TOP) == set(OF_TOP.split())
    assert {name for name, rule in BLOCKS.items() if not rule.unsupported} == SUPPORTED


@given(
    st.sampled_from([value.read for rule in BLOCKS.values() for value in rule.options.values()]), st.text(max_size=12)
)
def test_any_text_is_read_or_refused(read: Callable[[str], Any], text: str) -> None:
    message = ""
    try:
        read(text)
    except ValueError as error:
        message = str(error)
    assert len(message) < 300


def test_ranges_are_hsflowds() -> None:
    for option, most in (
        ("polling", "300"),
        ("headerbytes", "256"),
        ("datagrambytes", "8192"),
        ("subagentid", "199999"),
    ):
        assert TOP[option].read(most) == int(most)
        with pytest.raises(ValueError, match="is not"):
            TOP[option].read(str(int(most) + 1))
    assert grammar.RATE("10M") == 10_000_000
