# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fleutan.exports.como.status import Module, Node, Virtual, text

AT = 1_253_064_987_000_000_000
NODE = Node(
    name="flows.lyon",
    location="Lyon",
    type="sFlow collector",
    start_ns=AT,
    now_ns=AT + (90_061 + 7 * 86_400) * 10**9,
    loads=(1234, 98765, None, 10**9),
    version="1.0",
    built="Nov 26 2026",
    comment="egress and ingress",
)
MODULES = (
    Module("ethtypes", "all", AT, ("plain", "pretty", "gnuplot"), "Ethertypes breakdown"),
    Module("flow-reassembly", "tcp", None, ("plain", "pcap")),
    Module("a-module-of-a-long-name", "tcp or udp", 0, ()),
)
VIRTUAL = (
    Virtual("web", "Lyon", "virtual", 44445, "tcp and (sport 80 or dport 80)"),
    Virtual("dns", "Lyon", "virtual", 44446, "dport 53", "names only"),
)


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden("como-status", text(NODE, MODULES, VIRTUAL))


def test_modules_stand_as_in_the_example_of_metroflux() -> None:
    lines = text(NODE, MODULES).splitlines()
    assert "Module: ethtypes        | all | 1253064987 | plain pretty gnuplot | Ethertypes breakdown" in lines
    assert "Module: flow-reassembly | tcp | - | plain pcap | --" in lines


def test_times_and_durations() -> None:
    lines = text(NODE, ()).splitlines()
    assert lines[1:4] == [
        "Start: 1253064987 | Wednesday September 16 01:36:27 GMT 2009",
        "Current: 1253759848 | Thursday September 24 02:37:28 GMT 2009",
        "Duration: 8d 1h 1m 1s",
    ]
    assert "Duration: 0d 0h 0m 0s" in text(replace(NODE, now_ns=AT - 1), ())


def test_what_is_not_there_has_no_line() -> None:
    found = text(replace(NODE, comment="", built=""), ())
    assert "Comment" not in found
    assert found.endswith("\n-- fleutan v1.0\n")


def test_no_value_breaks_a_line_or_adds_a_column() -> None:
    found = text(replace(NODE, name="a|b\nModule: c\x1b", comment=""), [Module("m", "x\r\ny", 0, ("p|q",), "d|e")])
    assert found.splitlines()[0] == "Node: a/b Module: c  | Lyon | sFlow collector"
    assert found.splitlines()[-2] == "Module: m               | x  y | 0 | p/q | d/e"
