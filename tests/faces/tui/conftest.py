# SPDX-License-Identifier: Apache-2.0
"""Flows of a small host, round after round, made by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from fleutan.address import parse_prefix
from fleutan.column import Column, text_column
from fleutan.faces.tui.model import Model
from fleutan.faces.tui.rounds import Cost, Round
from fleutan.faces.tui.tabs import FIELDS
from fleutan.fields import BY_NAME
from fleutan.table import Reading, Table

SECOND = 10**9
START = 1_800_000_000 * SECOND
NOTE = "1 socket has no known owner: what 2 processes hold may not be read ('fleutan doctor' says what would allow it)"
NAMES = (*FIELDS, "netns_inode", "family")

Row = dict[str, Any]


def row(cookie: int, proc: str | None, remote: str = "198.51.100.7#443", **others: Any) -> Row:
    """One established TCP flow; ``others`` are further fields by name."""
    address, _, port = remote.partition("#")
    where = {"proto": "tcp", "family": "ipv4", "state": "established", "netns": "host", "netns_inode": 7, "dev": "eth0"}
    ends = {"src": "192.0.2.10", "sport": 40_000 + cookie, "dst": address, "dport": int(port), "cookie": cookie}
    path = {"rtt": 1000 * cookie, "min_rtt": 900 * cookie, "cwnd": 10 * cookie, "retrans_rate": 0.0, "retrans": 0}
    volume = {"bytes_sent": 5000, "bytes_received": 700, "tx_rate": 0, "rx_rate": 0}
    given = where | ends | path | volume | {"user": "root", "proc": proc, "cpu": cookie % 2}
    return given | others


def table_of(rows: Sequence[Row], names: Sequence[str] = NAMES, kind: str = "flows", **reading: Any) -> Table:
    """The rows as a table; a field that a row lacks is unknown."""
    columns = {name: _column(name, [one.get(name) for one in rows]) for name in names}
    return Table(kind, columns, Reading(**{"host": "web1", "netns": "host", "source": "a test"} | reading))


def _column(name: str, values: Sequence[Any]) -> Column:
    kind = BY_NAME[name].type
    if kind == "text":
        return text_column(values)
    known = np.array([value is not None for value in values], np.bool_)
    if kind == "address":
        bounds = [parse_prefix(value or "::") for value in values]
        return Column(np.array([[one.hi_first, one.lo_first] for one in bounds], np.int64).reshape(-1, 2), known)
    dtype = {"int": np.int64, "float": np.float64, "bool": np.bool_}[kind]
    return Column(np.array([value or 0 for value in values], dtype), known)


#: Who is there, and how fast each is in its own way.
HOST = (
    row(1, "nginx(1234)", "203.0.113.9#51000", unit="nginx.service", limit="cwnd", sport=443),
    row(2, "nginx(1234)", "2001:db8::1:2#51001", unit="nginx.service", src="2001:db8::10", family="ipv6", sport=443),
    row(3, "postgres(77)", "192.0.2.11#5432", unit="postgresql.service", limit="app", retrans_rate=2.5),
    row(4, None, "198.51.100.7#22", state="close-wait", limit="idle", cpu=None),
)


def rates(number: int, second: int) -> tuple[int, int]:
    """What a flow sends and receives in a second: each another wave."""
    wave = (second * number) % 8
    return (wave * 1_000_000 * number, wave * 20_000) if number < 4 else (0, 0)


def at_second(second: int, rows: Sequence[Row] = HOST) -> Table:
    """The host in that second; in second 0 there are no rates yet."""
    found = []
    for one in rows:
        sent, received = rates(one["cookie"], second)
        known = (
            {"tx_rate": sent, "rx_rate": received} if second else dict.fromkeys(("tx_rate", "rx_rate", "retrans_rate"))
        )
        found.append({**one, **known})
    interval = SECOND if second else 0
    return table_of(found, at_ns=START + second * SECOND, interval_ns=interval, notes=(NOTE,))


def places() -> dict[str, Table]:
    """What lies beside the flows: CPUs and queues."""
    busy = {"rx_bytes": 812_000, "tx_bytes": 94_000_000, "rx_packets": 8_100, "tx_packets": 2_300, "net_rx": 4_100}
    cpus: list[Row] = [
        {"cpu": 0, **busy, "cpu_softirq": 120_000, "cpu_busy": 640_000, "serves": "eth0 rx 0 (irq)"},
        {"cpu": 1, **dict.fromkeys(busy, 0), "cpu_softirq": 0, "cpu_busy": 31_000, "softnet_dropped": 3},
    ]
    sent = {"direction": "tx", "qdisc": "fq_codel", "handle": "8002:", "qdisc_bytes": 94_000_000, "qdisc_drops": 4}
    queues: list[Row] = [
        {"dev": "eth0", "direction": "rx", "queue": 0, "bytes": 812_000, "packets": 8_100, "irq_cpus": "0-1"},
        {"dev": "eth0", "queue": 0, "bytes": 94_000_000, "packets": 2_300, **sent, "backlog_bytes": 30_280},
    ]
    return {
        kind: table_of(rows, tuple(dict.fromkeys(name for one in rows for name in one)), kind)
        for kind, rows in (("cpus", cpus), ("queues", queues))
    }


@pytest.fixture
def make_row() -> Callable[..., Row]:
    return row


@pytest.fixture
def make_table() -> Callable[..., Table]:
    return table_of


@pytest.fixture
def second() -> Callable[..., Table]:
    return at_second


@pytest.fixture
def model() -> Model:
    """The host after twelve seconds."""
    found = Model()
    for number in range(13):
        found.take(Round(at_second(number), others=places(), cost=Cost(0.0123)))
    return found


@pytest.fixture
def empty() -> Model:
    """A host without a flow."""
    found = Model()
    found.take(Round(at_second(1, ())))
    return found


class Recorded:
    """A feed that notes what it was told, and posts what the test says."""

    def __init__(self, post: Callable[[Any], object] = lambda _: None) -> None:
        self.post = post
        self.told: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *words: self.told.append((name, *words))


@pytest.fixture
def recorded() -> type[Recorded]:
    return Recorded
