# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.linux.namespaces import Namespace
from fleutan.linux.qdiscs import TC_H_INGRESS, TC_H_ROOT, Qdisc
from fleutan.sources import qdiscs
from fleutan.sources.qdiscs import Placed
from fleutan.table import Table

HOST = Namespace(7, "host", "/proc/1/ns/net")
MQ = Qdisc(2, "qdisc", "mq", 0x80010000, TC_H_ROOT, 900, 7, 3, 5, 4, 2, 1, {})


def test_a_row_for_each_with_its_counts() -> None:
    htb = MQ._replace(layer="class", kind="htb", handle=0x10010, parent=0x10001, bytes=None, options={"rate": 125_000})
    table = Table("qdiscs", qdiscs.columns([Placed(HOST, "eth0", MQ), Placed(HOST, "eth0", htb)]))
    first, second = table.rows()
    assert first == {
        "netns": "host",
        "netns_inode": 7,
        "dev": "eth0",
        "layer": "qdisc",
        "qdisc": "mq",
        "handle": "8001:",
        "parent": "root",
        "qdisc_options": None,
        "qdisc_bytes": 900,
        "qdisc_packets": 7,
        "qdisc_drops": 3,
        "overlimits": 5,
        "requeues": 4,
        "backlog_bytes": 2,
        "backlog_packets": 1,
    }
    assert (second["layer"], second["handle"], second["parent"]) == ("class", "1:10", "1:1")
    assert (second["qdisc_bytes"], second["qdisc_packets"], second["qdisc_options"]) == (None, 7, "rate 1Mbit")


def test_what_counts_nothing_says_nothing() -> None:
    columns = qdiscs.counts([MQ._replace(kind="noqueue"), None, MQ])
    assert columns["qdisc_bytes"].objects() == [None, None, 900]
    assert Table("qdiscs", qdiscs.columns([])).columns["qdisc"].objects() == []


@pytest.mark.parametrize(
    ("parent", "kind", "expected"),
    [
        (TC_H_ROOT, "fq", "root"),
        (0, "fq_codel", "none"),
        (TC_H_INGRESS, "clsact", "clsact"),
        (TC_H_INGRESS, "ingress", "ingress"),
        (TC_H_INGRESS, "other", "ffff:fff1"),
        (0x80010004, "fq", "8001:4"),
    ],
)
def test_parents_as_tc_writes_them(parent: int, kind: str, expected: str) -> None:
    assert qdiscs.parent(MQ._replace(parent=parent, kind=kind)) == expected


@pytest.mark.parametrize(
    ("layer", "kind", "options", "expected"),
    [
        ("qdisc", "htb", {"defcls": 0x1F, "direct_pkts": 0}, "default 1f"),
        ("class", "htb", {"rate": 125_000_000, "ceil": 250_000_000, "prio": 3}, "prio 3 rate 1Gbit ceil 2Gbit"),
        ("class", "htb", {"rate": 0xFFFF_FFFF, "rate64": 12_500_000_000, "ceil": 0xFFFF_FFFF}, None),
        ("qdisc", "tbf", {"rate": 62_500_000, "buffer": 16384, "limit": 1 << 20}, None),
        ("qdisc", "pfifo", {"limit": 100}, "limit 100p"),
        ("qdisc", "prio", {"bands": 3}, "bands 3"),
        ("qdisc", "fq_codel", {"limit": 10240, "target": 4999, "interval": 99999, "flows": 1024, "ecn": 1}, None),
        ("qdisc", "netem", {"limit": 1000, "delay": 1_562_500, "loss": 0xFFFF_FFFF // 100}, None),
        ("qdisc", "sfq", {"quantum": 1514, "perturb_period": 10}, "quantum 1514b perturb 10"),
        ("qdisc", "cake", {"base_rate64": 999, "rtt": 100}, "bandwidth 7.992Kbit rtt 100us"),
        ("class", "htb", {"rate": 12}, "rate 96bit"),
        ("qdisc", "codel", {"interval": 2_500_000}, "interval 2.5s"),
        ("qdisc", "quantum_q", {"limit": 5}, None),
    ],
)
def test_settings_in_words(layer: str, kind: str, options: dict[str, int], expected: str | None) -> None:
    said = qdiscs.in_words(MQ._replace(layer=layer, kind=kind, options=options))  # type: ignore[arg-type]
    assert said == (expected or _LONG.get(kind))


_LONG = {
    "htb": "rate 100Gbit ceil 34Gbit or more",
    "tbf": "rate 500Mbit burst 65536b limit 1048576b",
    "fq_codel": "limit 10240p target 4.999ms interval 99.999ms flows 1024 ecn 1",
    "netem": "limit 1000p delay 100ms loss 1.00%",
}
