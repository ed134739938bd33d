# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fleutan.exports.statsd import DATAGRAM, Deltas, datagrams, graphite
from fleutan.observed import Counters, Source

AT = 1_700_000_000_999_999_999
LINE = re.compile(rb"fleutan(\.[A-Za-z0-9_-]{1,64}){3,}:(-?\d+(\.\d+)?\|g|\d+(\.\d+)?\|c)")


def host(**cpu: Any) -> Counters:
    return Counters(Source(2, 1), {"host_cpu": cpu, "host_descr": {"hostname": "here"}})


def unit(memory: int, name: str = "ssh.service") -> Counters:
    return Counters(Source(3, 7), {"virt_memory": {"memory": memory}}, {"unit": name})


def test_graphite_has_values_as_they_stand() -> None:
    found = graphite([host(cpu_user=1500, load_one=0.25, load_five=None), unit(5)], AT, "web.example.org")
    assert found == [
        b"fleutan.web_example_org.host.load.1 0.25 1700000000\n",
        b"fleutan.web_example_org.host.cpu_seconds.user 1.5 1700000000\n",
        b"fleutan.web_example_org.unit.ssh_service.memory_bytes 5 1700000000\n",
    ]


def test_statsd_has_gauges_and_growth() -> None:
    deltas = Deltas("h")
    assert deltas.lines([host(load_one=0.25, cpu_user=1500)]) == [b"fleutan.h.host.load.1:0.25|g"]
    assert deltas.lines([host(cpu_user=2750)]) == [b"fleutan.h.host.cpu_seconds.user:1.25|c"]
    assert deltas.lines([host(cpu_user=2750)]) == []
    assert deltas.lines([host(cpu_user=None)]) == []
    assert deltas.lines([host(cpu_user=3000)]) == [b"fleutan.h.host.cpu_seconds.user:0.25|c"]


def test_a_counter_that_is_smaller_began_anew() -> None:
    deltas = Deltas("h")
    deltas.lines([host(interrupts=100)])
    assert deltas.lines([host(interrupts=30)]) == [b"fleutan.h.host.interrupts:30|c"]
    assert deltas.lines([host(interrupts=31)]) == [b"fleutan.h.host.interrupts:1|c"]


def test_a_gauge_below_zero_is_set_from_zero() -> None:
    cold = Counters(Source(0, 3), {"sfp": {"module_temperature": -1500}}, {"dev": "eth0"})
    assert Deltas("h").lines([cold]) == [
        b"fleutan.h.interface.eth0.optics_temperature_celsius:0|g",
        b"fleutan.h.interface.eth0.optics_temperature_celsius:-1.5|g",
    ]


def test_small_numbers_have_no_exponent() -> None:
    light = Counters(Source(0, 3), {"sfp": {"lanes": [(1, None, 5)]}}, {"dev": "eth0"})
    assert Deltas("h").lines([light]) == [b"fleutan.h.interface.eth0.optics_transmit_watts.1:0.000005|g"]


def test_what_was_not_told_for_longest_is_forgotten() -> None:
    deltas = Deltas("h", most=2)
    for fields in ({"interrupts": 1}, {"contexts": 1, "cpu_user": 1000}):
        deltas.lines([host(**fields)])
    assert len(deltas._before) == 2
    assert deltas.lines([host(interrupts=5)]) == []


def test_of_namesakes_the_first_counts() -> None:
    assert Deltas("h").lines([unit(1), unit(2), unit(3, "ssh_service")]) == [
        b"fleutan.h.unit.ssh_service.memory_bytes:1|g"
    ]


LABELS = st.dictionaries(st.sampled_from(["unit", "container", "pod"]), st.text(), max_size=3)


@given(st.text(), st.lists(st.tuples(LABELS, st.integers(), st.integers(0))))
def test_whatever_is_observed_is_lines(name: str, rows: list[tuple[dict[str, str], int, int]]) -> None:
    deltas = Deltas(name)
    for grown in (0, 1000):
        found = [
            Counters(Source(3, 7), {"virt_memory": {"memory": one}, "virt_cpu": {"cpuTime": other + grown}}, labels)
            for labels, one, other in rows
        ]
        assert all(LINE.fullmatch(line) for line in deltas.lines(found))
        assert all(line.count(b" ") == 2 and line.count(b"\n") == 1 for line in graphite(found, AT, name))


@given(st.lists(st.binary(min_size=1, max_size=600).filter(lambda line: b"\n" not in line)))
def test_datagrams_are_bounded_and_lose_nothing(lines: list[bytes]) -> None:
    made = datagrams(lines)
    assert [line for one in made for line in one.split(b"\n")] == lines
    assert all(len(one) <= DATAGRAM for one in made)
    assert all(len(one) + 1 + len(other.split(b"\n")[0]) > DATAGRAM for one, other in pairwise(made))
