# SPDX-License-Identifier: Apache-2.0
"""Queueing disciplines and classes as a Table, and their settings in words.

The one place that knows both ``TCA_TBF_PARMS`` and "rate 500Mbit".  What was read, and when, is
the business of ``queues``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from fleutan.column import Column, text_column
from fleutan.linux.namespaces import Namespace
from fleutan.linux.qdiscs import TC_H_INGRESS, TC_H_ROOT, Qdisc, spelled

#: Length of a tick of the packet scheduler in ns (PSCHED_SHIFT in include/net/pkt_sched.h).
_TICK_NS = 64
#: A rate of 32 bits that is full stands for one in 64 bits, which pyroute2 does not decode everywhere.
_FULL = 0xFFFF_FFFF
_PARENTS = {TC_H_ROOT: "root", 0: "none"}
#: The kinds that hang from a place of their own.
_INGRESS = ("ingress", "clsact")


class Placed(NamedTuple):
    """A queueing discipline or class, and where its device is."""

    namespace: Namespace
    device: str
    qdisc: Qdisc


def columns(rows: Iterable[Placed]) -> dict[str, Column]:
    """A row for each; ``qdisc`` is the kind, counts are cumulative."""
    placed = list(rows)
    qdiscs = [row.qdisc for row in placed]
    return {
        "netns": text_column([row.namespace.name for row in placed]),
        "netns_inode": whole([row.namespace.inode for row in placed]),
        "dev": text_column([row.device for row in placed]),
        "layer": text_column([qdisc.layer for qdisc in qdiscs]),
        "qdisc": text_column([qdisc.kind for qdisc in qdiscs]),
        "handle": text_column([spelled(qdisc.handle) for qdisc in qdiscs]),
        "parent": text_column([parent(qdisc) for qdisc in qdiscs]),
        "qdisc_options": text_column([in_words(qdisc) for qdisc in qdiscs]),
        **counts(qdiscs),
    }


def counts(qdiscs: Iterable[Qdisc | None]) -> dict[str, Column]:
    """What they counted and what waits in them; unknown for None and for ``noqueue``, which counts nothing."""
    rows = [None if row is None or row.kind == "noqueue" else row for row in qdiscs]
    return {name: whole([None if row is None else getattr(row, word) for row in rows]) for name, word in _COUNTS}


_COUNTS = (
    ("qdisc_bytes", "bytes"),
    ("qdisc_packets", "packets"),
    ("qdisc_drops", "drops"),
    ("overlimits", "overlimits"),
    ("requeues", "requeues"),
    ("backlog_bytes", "backlog"),
    ("backlog_packets", "qlen"),
)


def whole(values: Iterable[int | None]) -> Column:
    """An int64 column; unknown where there is None."""
    rows = list(values)
    known = np.array([value is not None for value in rows], np.bool_)
    return Column(np.array([value or 0 for value in rows], np.int64), None if known.all() else known)


def parent(qdisc: Qdisc) -> str:
    """What it hangs from, as tc writes it; ``ingress`` and ``clsact`` hang from themselves."""
    if qdisc.parent == TC_H_INGRESS and qdisc.kind in _INGRESS:
        return qdisc.kind
    return _PARENTS.get(qdisc.parent) or spelled(qdisc.parent)


Figure = Callable[[Mapping[str, int], str], str]


def _plain(options: Mapping[str, int], name: str) -> str:
    return str(options[name])


def _packets(options: Mapping[str, int], name: str) -> str:
    return f"{options[name]}p"


def _bytes(options: Mapping[str, int], name: str) -> str:
    return f"{options[name]}b"


def _hexadecimal(options: Mapping[str, int], name: str) -> str:
    return f"{options[name]:x}"


def _time(options: Mapping[str, int], name: str) -> str:
    """Microseconds."""
    return _scaled(options[name], ((1_000_000, "s"), (1000, "ms"))) or f"{options[name]}us"


def _ticks(options: Mapping[str, int], name: str) -> str:
    return _time({name: options[name] * _TICK_NS // 1000}, name)


def _rate(options: Mapping[str, int], name: str) -> str:
    """Bytes a second, said in bits as tc does."""
    rate = options.get(f"{name}64", options[name])
    if rate == _FULL:
        return "34Gbit or more"
    bits = rate * 8
    return _scaled(bits, ((10**9, "Gbit"), (10**6, "Mbit"), (1000, "Kbit"))) or f"{bits}bit"


def _burst(options: Mapping[str, int], name: str) -> str:
    """Time to send it at the full rate, in ticks: the bytes are what was asked for."""
    return f"{round(options['rate'] * options[name] * _TICK_NS / 1e9)}b"


def _share(options: Mapping[str, int], name: str) -> str:
    return f"{options[name] / _FULL:.2%}"


def _scaled(value: int, steps: Iterable[tuple[int, str]]) -> str:
    return next((f"{value / size:.6g}{unit}" for size, unit in steps if value >= size), "")


class _Word(NamedTuple):
    """A setting: how it is called, the kernel's word, how it is written; left out where it is 0."""

    label: str
    option: str
    figure: Figure


_CODEL = (
    _Word("limit", "limit", _packets),
    _Word("target", "target", _time),
    _Word("interval", "interval", _time),
    _Word("flows", "flows", _plain),
    _Word("quantum", "quantum", _bytes),
    _Word("ecn", "ecn", _plain),
)
_BANDS = (_Word("bands", "bands", _plain),)
#: Settings worth a word, by layer and kind.
_WORDS: dict[tuple[str, str], tuple[_Word, ...]] = {
    ("qdisc", "htb"): (_Word("default", "defcls", _hexadecimal), _Word("direct_packets", "direct_pkts", _plain)),
    ("class", "htb"): (_Word("prio", "prio", _plain), _Word("rate", "rate", _rate), _Word("ceil", "ceil", _rate)),
    ("qdisc", "tbf"): (
        _Word("rate", "rate", _rate),
        _Word("burst", "buffer", _burst),
        _Word("limit", "limit", _bytes),
        _Word("peakrate", "peak", _rate),
    ),
    ("qdisc", "pfifo"): (_Word("limit", "limit", _packets),),
    ("qdisc", "pfifo_fast"): _BANDS,
    ("qdisc", "prio"): _BANDS,
    ("qdisc", "codel"): _CODEL,
    ("qdisc", "fq_codel"): _CODEL,
    ("qdisc", "sfq"): (_Word("quantum", "quantum", _bytes), _Word("perturb", "perturb_period", _plain)),
    ("qdisc", "netem"): (
        _Word("limit", "limit", _packets),
        _Word("delay", "delay", _ticks),
        _Word("jitter", "jitter", _ticks),
        _Word("loss", "loss", _share),
    ),
    ("qdisc", "cake"): (_Word("bandwidth", "base_rate64", _rate), _Word("rtt", "rtt", _time)),
    ("class", "drr"): (_Word("quantum", "quantum", _bytes),),
}


def in_words(qdisc: Qdisc) -> str | None:
    """The settings as tc would say them; None for a kind of which none is known."""
    words = _WORDS.get((qdisc.layer, qdisc.kind), ())
    options = qdisc.options
    said = (f"{word.label} {word.figure(options, word.option)}" for word in words if options.get(word.option))
    return " ".join(said) or None
