# SPDX-License-Identifier: Apache-2.0
"""Flows made by hand, and what the command line makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fleutan.address import parse_prefix
from fleutan.column import Column, text_column
from fleutan.faces.cli import answers, figures
from fleutan.faces.cli import flows as command_line
from fleutan.faces.cli.flows import Options
from fleutan.faces.cli.plans import plan
from fleutan.faces.cli.terminal import Screen
from fleutan.fields import require
from fleutan.table import Reading, Table
from fleutan.views.flows import INTERVAL_FIELDS

Rows = list[dict[str, Any]]

READING = Reading("web1", "host", 1_800_000_000_000_000_000, 0, "sock_diag; owners: /proc/*/fd", ())
SECOND = 10**9

_TCP = {"proto": "tcp", "family": "ipv4", "state": "established", "netns": "host", "netns_inode": 4026531840}


def _flow(proc: str, local: str, remote: str, **figures: Any) -> dict[str, Any]:
    """A flow; ends are written ``address#port``."""
    (src, sport), (dst, dport) = local.split("#"), remote.split("#")
    comm, _, pid = proc.rpartition("(")
    owner = {"proc": proc, "comm": comm, "pid": int(pid[:-1]), "pids": (int(pid[:-1]),)} if proc else {}
    ends = {"src": src, "sport": int(sport), "dst": dst, "dport": int(dport), "service": int(dport) or int(sport)}
    return {**_TCP, **ends, **owner, **figures}


def _volume(sent: int, received: int, segs_out: int, segs_in: int, retrans: int = 0) -> dict[str, Any]:
    return {
        "bytes_sent": sent,
        "bytes_acked": sent,
        "bytes_received": received,
        "bytes_retrans": retrans * 1448,
        "segs_out": segs_out,
        "segs_in": segs_in,
        "retrans": retrans,
    }


def _path(rtt: int, min_rtt: int, rate: int, cwnd: int, mss: int = 1448) -> dict[str, Any]:
    given = {"rtt": rtt, "min_rtt": min_rtt, "rtt_var": rtt // 10, "delivery_rate": rate, "cwnd": cwnd, "mss": mss}
    rates = {"cwnd_bytes": cwnd * mss, "cwnd_rate": cwnd * mss * 8_000_000 // rtt, "bdp": rate * min_rtt // 8_000_000}
    return {**given, **rates}


def _why(limit: str | None, evidence: str, hint: str) -> dict[str, Any]:
    return {"limit": limit, "evidence": evidence, "hint": hint}


def _rates(tx: int, rx: int, out: float, into: float, retrans: float = 0.0) -> dict[str, Any]:
    return {
        "tx_rate": tx,
        "acked_rate": tx,
        "rx_rate": rx,
        "segs_out_rate": out,
        "segs_in_rate": into,
        "retrans_rate": retrans,
    }


_SIX = {"family": "ipv6"}
_LOSSY = _why(
    "loss",
    "2.5 % of 673 MB retransmitted (11106 segments)",
    "the path loses packets: see the drops of its devices, policers, and the quality of radio links",
)
_UNREAD = _why(
    "app",
    "102 kB wait for this process to read; the window is down to 0 bytes",
    "this process reads too slowly: see its CPU time, and what it hands the data to",
)
_QUIET = _why("idle", "nothing sent or received for 22 min", "nothing to do: neither side has anything to say")
_THERE = _why(None, "1.5 GB received and 2.1 kB sent: what limits it shows at the sender", "run fleutan at the peer")

#: A small host: IPv4 and IPv6, busy and idle, a listener, a datagram socket, two strange names.
FLOWS: Rows = [
    _flow("iperf3(25726)", "10.9.0.1#41056", "10.9.0.77#5202", cookie=1, **_path(78_400, 77_000, 11_300_000, 174))
    | _volume(673_000_000, 0, 464_000, 233_000, 11_106)
    | _rates(4_270_000, 0, 371.0, 170.0, 7.0)
    | _LOSSY,
    _flow("iperf3(25725)", "10.9.0.1#35102", "10.9.0.15#5201", cookie=2, **_path(15_400, 15_100, 52_900_000, 273))
    | _volume(328_000_000, 0, 227_000, 91_000)
    | _rates(2_100_000, 0, 182.0, 62.5)
    | _why("app", "nothing in flight and nothing waiting; last sent 148 ms ago", "see what the process waits for"),
    _flow("curl(25562)", "10.9.0.1#38744", "10.9.0.126#8080", cookie=3, **_path(127_000, 126_000, 91_800, 11))
    | _volume(82, 28_000_000, 8_190, 19_300)
    | _rates(0, 976_000, 29.0, 85.0)
    | _UNREAD,
    _flow(
        *("firefox-bin(1187)", "2003:62:4655:968b:18d0:33a6:3314:7c7#59780", "2a00:1450:4021:c::b#443"),
        **_path(28_843, 28_100, 14_000_000, 40, 1408) | _SIX,
        cookie=4,
    )
    | _volume(2_100, 1_500_000_000, 12_000, 1_070_000)
    | _rates(120, 48_000_000, 900.0, 4_150.0)
    | _THERE,
    _flow(
        *("firefox-bin(1187)", "2003:62:4655:968b:18d0:33a6:3314:7c7#59774", "2607:f8b0:4006:804::2003#443"),
        **_path(126_470, 120_000, 3_000_000, 10, 1408) | _SIX,
        cookie=5,
    )
    | _volume(188, 4, 9, 7)
    | _rates(0, 0, 0.0, 0.0)
    | _QUIET,
    _flow("ev\x1b[31m\nil(66)", "192.168.100.100#65000", "203.0.113.200#65001", cookie=6, **_path(900, 850, 0, 10))
    | _volume(0, 0, 2, 1)
    | {"change": "appeared"}
    | _rates(0, 0, 2.0, 1.0)
    | _QUIET,
    _flow("日本語(77)", "127.0.0.1#5432", "127.0.0.1#40000", cookie=7, **_path(85, 60, 43_700_000_000, 10, 32_768))
    | _volume(1_200_000, 64_000, 900, 870)
    | {"change": "vanished"}
    | _QUIET,
    _flow("dnsmasq(53)", "10.9.0.1#53000", "10.9.0.2#53", cookie=8, proto="udp"),
    _flow("", "0.0.0.0#22", "0.0.0.0#0", cookie=9, state="listen"),
]


def table_of(rows: Sequence[dict[str, Any]], reading: Reading = READING) -> Table:
    """A Table with a column for every field of any row; what a row lacks is unknown."""
    names = dict.fromkeys(name for row in rows for name in row)
    return Table("flows", {name: _column(name, [row.get(name) for row in rows]) for name in names}, reading)


def _column(name: str, values: list[Any]) -> Column:
    field = require(name)
    if field.type == "text":
        return text_column(values)
    if field.type == "ints":
        words = list(dict.fromkeys(value for value in values if value is not None))
        codes = [-1 if value is None else words.index(value) for value in values]
        return Column(np.array(codes, np.int32), None, tuple(words))
    if field.type == "address":
        prefixes = [parse_prefix(value) for value in values]
        return Column(np.array([(prefix.hi_first, prefix.lo_first) for prefix in prefixes], np.int64).reshape(-1, 2))
    kind: Any = {"int": np.int64, "float": np.float64, "bool": np.bool_}[field.type]
    known = np.array([value is not None for value in values], np.bool_)
    return Column(np.array([value or 0 for value in values], kind), known)


@pytest.fixture
def flows() -> Table:
    """The flows of a small host, read once."""
    return table_of([{key: value for key, value in row.items() if key not in INTERVAL_FIELDS} for row in FLOWS])


@pytest.fixture
def changed() -> Table:
    """The same after a second reading: with rates, and what appeared and vanished."""
    return table_of(FLOWS, replace(READING, interval_ns=SECOND))


@pytest.fixture
def empty(flows: Table) -> Table:
    """A host without any."""
    return flows.take(np.zeros(len(flows), np.bool_))


@pytest.fixture
def make() -> Callable[..., Table]:
    """Makes a Table of dicts."""
    return table_of


@pytest.fixture
def options() -> Callable[..., Options]:
    """Options as typed."""

    def typed(*words: str) -> Options:
        context = command_line.command.make_context("flows", list(words))
        return Options(**context.params)

    return typed


@pytest.fixture
def draw(options: Callable[..., Options]) -> Callable[..., str]:
    """What is written for a Table, given the words after ``fleutan flows``."""

    def drawn(table: Table, *words: str, screen: Screen = Screen(), names: figures.Names | None = None) -> str:  # noqa: B008
        said = answers.answer(plan(options(*words)), table, screen, names)
        if isinstance(said, answers.Text):
            return "".join(f"{line}\n" for line in (*said.body, *said.foot))
        return b"".join(said.pieces).decode()

    return drawn
