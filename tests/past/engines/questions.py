# SPDX-License-Identifier: Apache-2.0
"""A lake of every kind that modules ask for, and questions whose answers every engine must give alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from tests import lakes
from tests.lakes import AT, HOUR, LASTS, SECOND, Rows
from tests.past.conftest import named

from fleutan.past.engines.protocol import Lake
from fleutan.past.modules import answer
from fleutan.past.parameters import Moment, understood
from fleutan.query.expression import Comparison, Expression, Glob, Pattern
from fleutan.query.plan import Plan

#: A text with every sign that some SQL or some protocol has a meaning for.
ODD = "we'ird\\ \"`\t\n{x}%_ü"


def lake(root: Path) -> Path:
    """All kinds, sealed, in two hours and by several nodes."""
    seconds = [AT + number * SECOND for number in range(6)]
    return lakes.sealed(
        root,
        records=[*lakes.records(), *_hostile()],
        samples=lakes.samples(),
        flows=[*lakes.flows(), _odd()],
        drops=[
            {"time": at, "event": "drop", "reason": f"R{at % 7}", "packets": 3, "src": None if at % 2 else "10.0.0.1"}
            for at in range(AT, AT + 20)
        ],
        exporters=[{"time": at, "exporter": "203.0.113.1", "rates": (1, 50) if at % 4 else None} for at in seconds],
        counters=[
            {"time": at, "exporter": "203.0.113.1", "counter": "ifInOctets", "count": at, "gauge": at / 3}
            for at in seconds
        ],
        paths=[{"time": at, "dst": "2001:db8::1", "hop_count": 7, "via": ODD, "path_loss": 0.5} for at in seconds],
    )


def _hostile() -> Rows:
    """Counts that 64 bits do not hold: multiplied, and added up."""
    row = {"time": AT + 100 * SECOND, "proto": "udp", "src": "10.9.9.9", "dst": "10.9.9.8", "sport": 1, "dport": 2}
    row |= {"exporter": "203.0.113.9", "packets": 1 << 62}
    return [row | {"bytes": 1 << 62, "sampling_rate": 100}, *[row | {"bytes": 1 << 62, "sampling_rate": 1}] * 3]


def _odd() -> dict[str, Any]:
    row = {"time": AT, "interval": 10_000_000, "proto": "tcp", "src": "10.0.0.1", "dst": "10.0.0.2", "comm": ODD}
    return row | {"node": "web1", "forwarded": True, "tx_packets": 1, "tx_bytes": 100}


class Question(NamedTuple):
    """A module and its parameters; ``expression`` in place of a filter where text cannot say it.

    One that asks ``again`` is spelled as another but for values: an engine that is slow to ask leaves it out.
    """

    module: str
    filter: str = ""
    words: dict[str, str] = {}  # noqa: RUF012
    expression: Expression | None = None
    again: bool = False


_WIDE = {"keys": "src,dport,family", "measures": "flows,bytes,packets,start,end,rtt,min_rtt,tcp_flags", "limit": "0"}
_TOLD = {"keys": "node,comm", "measures": "flows,tx_bytes,rx_bytes,retrans", "limit": "0"}
QUESTIONS = [
    Question("traffic"),
    Question("traffic", "", {"interval": "60"}, again=True),
    Question("traffic", "", {"interval": "3600", "end": str((AT + HOUR) // SECOND)}),
    Question("traffic", "src 10.0.0.0/8 and bytes > 100", {"interval": "7"}),
    Question("traffic", "", {"start": str((AT + 2 * LASTS) // SECOND), "end": str((AT + 3 * LASTS) // SECOND)}),
    Question("tuple", "dst 2001:db8::/32"),
    Question("tuple", "", {"interval": "60", "topn": "3"}),
    Question("tuple", "port 1000:50000", {"source": "tuple"}),
    Question("topaddr"),
    Question("topaddr", "", {"use-src": "", "interval": "600"}),
    Question("topports", "", {"topn": "5"}),
    Question("topports", "", {"interval": "1800", "topn": "2"}),
    Question("flowcount"),
    Question("protocol", "", {"start": str(AT // SECOND + 1)}),
    Question("protocol", "kind = records", {"interval": "3600", "end": str((AT + HOUR) // SECOND)}, again=True),
    Question("ethtypes"),
    Question("talkers", "proto in (tcp, udp) and not dport in (22, 80) and src != 10.0.0.1", _WIDE),
    Question("talkers", "tcp_flags = 2/2 and src in (10.0.0.1, 2001:db8::1) or not has src", _WIDE),
    Question("talkers", "exporter = 203.0.113.9", _WIDE),
    Question("talkers", 'comm ~ "^n.*x$" or comm = po*', _TOLD),
    Question("talkers", "not comm in (nginx, ssh)", _TOLD),
    Question("talkers", "", _TOLD, Comparison(("comm",), "=", (ODD,))),
    Question("talkers", "", _TOLD, Comparison(("comm",), "=", ("ssh", ODD))),
    Question("talkers", "", _TOLD, Comparison(("comm",), "=", (Glob("we'ird\\*%_?"),))),
    Question("talkers", "", _TOLD, Comparison(("comm",), "=", (Pattern(r"^we'ird\\ .`\s+\{x"),))),
    Question("talkers", "forwarded = yes", _TOLD, again=True),
    Question("owners"),
    Question("owners", "unit != nginx.service", again=True),
    Question("limits"),
    Question("drops"),
    Question("drops", "has src", {"limit": "3"}, again=True),
    Question("counters", "gauge > 5.5"),
    Question("paths"),
    Question("exporters"),
    Question("trace", "", {"limit": "20"}, again=True),
    Question("trace"),
]
#: Modules that give rows as they are; of those of the same time the order is nobody's.
_ROWS = ("drops", "counters", "paths", "exporters", "trace", "tuple")


def told(engine: Lake, question: Question) -> Rows:
    """The answer, in an order that is the same for all engines."""
    words = {"start": str(AT // SECOND), "end": str((AT + LASTS) // SECOND)} | question.words
    request = understood(question.module, words | {"filter": question.filter}, Moment(AT + LASTS)).request
    if question.expression is not None:
        request = replace(request, filter=question.expression)
    rows = [row for table in answer(engine, request) for row in named(table)]
    if question.module not in _ROWS or "interval" in question.words:
        return rows
    times = [row.get("time") or row["start"] for row in rows]
    assert times == sorted(times)
    return sorted(rows, key=repr)


def latest(engine: Lake) -> Iterator[dict[str, Any]]:
    """By node the reason that the last drop said."""
    for table in engine.groups(Plan(AT, AT + HOUR, ("node",), ("reason",)), ("drops",), "drops", plain=True):
        yield from named(table)


#: Of drops that are a nanosecond apart.
LATEST = [{"node": "here", "reason": f"R{(AT + 19) % 7}"}]
