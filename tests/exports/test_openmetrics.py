# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.exports.scraping import families

from fleutan.exports.metrics import metrics
from fleutan.exports.openmetrics import DROPPED, EVENTS, LONGEST, OPENMETRICS, PLAIN, chosen, text
from fleutan.observed import Counters, Source
from fleutan.protocols.sflow.layouts import COUNTERS
from fleutan.protocols.sflow.layouts.xdr import Fixed

needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="needs promtool (Debian's prometheus)")


def written(*found: Counters, form: str = OPENMETRICS, **more: Any) -> bytes:
    return text(metrics(found), form, more.pop("events", {}), **more)


def whole() -> list[Counters]:
    """A source with all numbers of all structures, and others."""
    numbers = {
        layout.name: {one.name: 1000 + place for place, one in enumerate(layout.fields) if isinstance(one.type, Fixed)}
        for layout in COUNTERS
    }
    of_host = {name: fields for name, fields in numbers.items() if name.startswith(("host", "mib2", "nvidia"))}
    of_interface: dict[str, Any] = {name: numbers[name] for name in ("if_counters", "lag_port_stats", "pfc")}
    of_interface["sfp"] = {**numbers["sfp"], "lanes": [(1, *[5] * 9)]}
    of_unit = {name: fields for name, fields in numbers.items() if name.startswith("virt")}
    of_app = {name: fields for name, fields in numbers.items() if name.startswith("app")}
    return [
        Counters(Source(2, 1), {**of_host, "host_descr": {"hostname": "here"}}),
        Counters(Source(0, 2), of_interface, {"dev": "eth0"}),
        Counters(Source(0, 3), of_interface, {"dev": 'e"t\\h\n1', "alias": "ü\0\r"}),
        Counters(Source(3, 100_000), of_unit, {"unit": "apache2.service"}),
        Counters(Source(3, 150_000), of_app, {"app": "shop"}),
    ]


def test_what_is_written_is_in_order() -> None:
    found = families(written(*whole(), events={"datagrams": 7}))
    assert found["fleutan_host_cpu_seconds"].unit == "seconds"
    assert found["fleutan_host_cpu_seconds"].kind == "counter"
    assert found["fleutan_host_cpu_seconds"].series[("mode", "user"),] == 1.008
    assert found["fleutan_unit_memory_bytes"].series == {(("unit", "apache2.service"),): 1000}
    names = [labels[0][1] for labels in found["fleutan_interface_receive_bytes"].series]
    assert names == ["eth0", 'e"t\\h\n1']
    assert (("dev", 'e"t\\h\n1'), ("alias", "ü\ufffd\ufffd")) in [key[:2] for key in found["fleutan_interface"].series]
    assert found[EVENTS].series == {(("event", "datagrams"),): 7}
    assert found[DROPPED].series == {(): 0}
    assert len(found) > 150


def test_lines_are_as_they_should_be() -> None:
    said = written(Counters(Source(2, 1), {"host_cpu": {"cpu_user": 1500}}))
    assert said.decode().splitlines()[:6] == [
        "# TYPE fleutan_host_cpu_seconds counter",
        "# UNIT fleutan_host_cpu_seconds seconds",
        "# HELP fleutan_host_cpu_seconds Time of all processors; that of guests is the user's.",
        'fleutan_host_cpu_seconds_total{mode="user"} 1.5',
        "# TYPE fleutan_metrics_dropped_series gauge",
        "# HELP fleutan_metrics_dropped_series Series that are left out: there are too many of their name.",
    ]


def test_the_older_form_has_other_heads_and_no_end() -> None:
    lines = written(*whole(), form=PLAIN).decode().split("\n")
    assert "# TYPE fleutan_host_cpu_seconds_total counter" in lines
    assert "# TYPE fleutan_host_info gauge" in lines
    assert 'fleutan_host_cpu_seconds_total{mode="user"} 1.008' in lines
    assert not any(line.startswith(("# UNIT", "# EOF")) for line in lines)


@needs_promtool
def test_promtool_finds_nothing_wrong() -> None:
    said = written(*whole(), form=PLAIN, events={"datagrams": 7})
    done = subprocess.run(["promtool", "check", "metrics"], input=said, capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_there_are_not_too_many_series_of_a_name() -> None:
    found = [Counters(Source(0, n), {"if_counters": {"ifInOctets": n}}, {"dev": f"eth{n}"}) for n in range(7)]
    read = families(written(*found, most=5))
    assert [*read["fleutan_interface_receive_bytes"].series.values()] == [0, 1, 2, 3, 4]
    assert read[DROPPED].series == {(): 2}
    assert len(families(written(events={str(n): n for n in range(9)}, most=5))[EVENTS].series) == 5


def test_of_series_that_cannot_be_told_apart_one_is_told() -> None:
    names = [f"{'x' * LONGEST}{n}" for n in range(2)]
    found = [Counters(Source(3, n), {"virt_memory": {"memory": n}}, {"unit": name}) for n, name in enumerate(names)]
    read = families(written(*found))
    assert read["fleutan_unit_memory_bytes"].series == {(("unit", "x" * LONGEST),): 0}
    assert read[DROPPED].series == {(): 1}


LABELS = st.dictionaries(st.one_of(st.text(), st.sampled_from(["unit", "app", "9", "", "a-b"])), st.text(), max_size=4)
VALUES: Mapping[str, Any] = {
    "virt_memory": {"memory": st.one_of(st.none(), st.integers(), st.floats())},
    "virt_cpu": {"cpuTime": st.integers(0, 1 << 70)},
}


@given(st.lists(st.tuples(LABELS, st.fixed_dictionaries({n: st.fixed_dictionaries(f) for n, f in VALUES.items()}))))
def test_whatever_labels_and_values_are_it_can_be_read(rows: list[tuple[dict[str, str], Any]]) -> None:
    found = [Counters(Source(3, place), structures, labels) for place, (labels, structures) in enumerate(rows)]
    read = families(written(*found))
    told = sum(len(one.series) for name, one in read.items() if name.endswith("cpu_seconds"))
    assert told + read[DROPPED].series[()] >= len(rows)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", PLAIN),
        ("*/*", PLAIN),
        ("text/html,text/*;q=0.3", PLAIN),
        ("application/openmetrics-text", OPENMETRICS),
        # Prometheus 2.42.
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
            "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            OPENMETRICS,
        ),
        ("application/openmetrics-text; version=0.0.1", PLAIN),
        ("application/openmetrics-text;q=0.2, text/plain", PLAIN),
        ("application/openmetrics-text;q=0", PLAIN),
        ("application/openmetrics-text;q=much", OPENMETRICS),
        (",;,;q=,", PLAIN),
    ],
)
def test_who_asks_gets_the_form_that_it_likes(accept: str, expected: str) -> None:
    assert chosen(accept) == expected
