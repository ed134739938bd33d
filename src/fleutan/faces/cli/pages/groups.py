# SPDX-License-Identifier: Apache-2.0
"""One line a group, with bars where the view has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from fleutan.analysis.groups import Grouped, Heading
from fleutan.faces.cli import figures
from fleutan.faces.cli.layout import Strip
from fleutan.faces.cli.pages import TAILS, Look, beside_bars, tabular, title_of
from fleutan.faces.cli.pages.latency import grade
from fleutan.faces.cli.pages.volume import TX_RX
from fleutan.fields import find

#: The measures of a group that each view shows; a bar is that of the first.
MEASURES: Mapping[str, tuple[str, ...]] = {
    "flows": ("flows", "bytes_sent", "bytes_received", "rtt_us_p50", "rtt_us_max", "retrans"),
    "latency": ("rtt_us_p50", "rtt_us_min", "rtt_us_p90", "rtt_us_max", "flows"),
    "volume": ("bytes_sent", "bytes_received", "flows", "retrans_share", "segs_out", "segs_in"),
    "limits": ("flows", "bytes_sent", "bytes_received", "rtt_us_p50", "retrans_share"),
    "drops": ("packets", "segments", "bytes"),
    "lifecycle": ("connections", "bytes_sent", "bytes_received", "rtt_us_p50", "retrans"),
    **dict.fromkeys(("queues", "cpus", "load"), ("bytes", "packets", "segments")),
}
#: The same of an interval in which packets were counted.
_COUNTED = ("tx_bytes", "rx_bytes", "flows", "tx_segments", "rx_segments", "tx_packets", "rx_packets")
_RATES = ("flows", "tx_rate_bps", "rx_rate_bps", "segs_out_rate_pps", "segs_in_rate_pps", "retrans_rate_pps")
#: What a narrow screen leaves out, the first of them first; last of all what the view is about.
_SPARE = (
    *("tx_packets", "rx_packets", "tx_segments", "rx_segments"),
    *("segs_in", "segs_out", "rtt_us_p90", "rtt_us_min", "segs_in_rate_pps", "segs_out_rate_pps", "retrans_rate_pps"),
    *("retrans", "retrans_share", "rtt_us_max", "flows", "rtt_us_p50", "bytes_received", "rx_rate_bps"),
    *("bytes_sent", "tx_rate_bps", "segments", "bytes", "packets", "connections", "rx_bytes", "tx_bytes"),
)
#: What a view orders groups by when it is not told: the greatest first.
ORDERS = {
    "flows": "flows",
    "latency": "rtt",
    "volume": "bytes_sent",
    "limits": "flows",
    "drops": "packets",
    "lifecycle": "connections",
}
ORDERS |= dict.fromkeys(("queues", "cpus", "load"), "bytes")
#: What a bar shows of the volume, the first that there is.
_PAIRS = (("tx_bytes", "rx_bytes"), ("tx_rate_bps", "rx_rate_bps"), ("bytes_sent", "bytes_received"))
_PORTS = ("service", "sport", "dport")
_STATISTICS = {"min": "MIN", "p50": "P50", "p90": "P90", "max": "MAX"}


def page(
    grouped: Grouped, view: str, look: Look, steps_ms: Sequence[float], typed: Mapping[str, str] | None = None
) -> Iterator[str]:
    """The groups; ``typed`` are headings of keys as the user called them."""
    measures = _measures(grouped, view)
    keys = [_strip(grouped, name, look, typed or {}) for name in grouped.by]
    shown = [_strip(grouped, name, look, {}) for name in measures if name in grouped.names]
    shown[0] = shown[0]._replace(spare=1)
    if view not in ("latency", "volume"):
        yield from tabular([*keys, *shown], look)
        return
    bars = beside_bars([*shown, *keys], "", look)
    if look.heading:
        yield bars.heading
    draw = _latency_bar(grouped, look, steps_ms) if view == "latency" else _volume_bar(grouped, look)
    for row, line in zip(_rows(grouped), bars.beside, strict=True):
        yield f"{draw(row, bars.room)} {line}"


def _measures(grouped: Grouped, view: str) -> Sequence[str]:
    if view == "volume" and _COUNTED[0] in grouped.names:
        return _COUNTED
    return _RATES if "tx_rate_bps" in grouped.names and view != "latency" else MEASURES[view]


def _rows(grouped: Grouped) -> list[tuple[Any, ...]]:
    return [*grouped.rows, *([grouped.others] if grouped.others else [])]


def _latency_bar(grouped: Grouped, look: Look, steps_ms: Sequence[float]) -> Callable[[tuple[Any, ...], int], str]:
    at = grouped.names.index("rtt_us_p50")
    most = max([1, *(row[at] or 0 for row in _rows(grouped))])
    return lambda row, room: look.screen.bar((row[at] or 0) / most, room, grade(row[at] or 0, steps_ms))


def _volume_bar(grouped: Grouped, look: Look) -> Callable[[tuple[Any, ...], int], str]:
    pair = next(pair for pair in _PAIRS if pair[0] in grouped.names)
    first, second = (grouped.names.index(name) for name in pair)
    most = max([1, *((row[first] or 0) + (row[second] or 0) for row in _rows(grouped))])

    def draw(row: tuple[Any, ...], room: int) -> str:
        return look.screen.stack(((row[first] or 0) / most, (row[second] or 0) / most), room, TX_RX)

    return draw


def _strip(grouped: Grouped, name: str, look: Look, typed: Mapping[str, str]) -> Strip:
    column = grouped.names.index(name)
    cells = _cells(grouped.rows, column, grouped.headings[column], look)
    if grouped.others:
        cells.append(_others(grouped, column))
    title = typed.get(name) or _title(name)
    if name in grouped.by:
        return Strip(title, cells, floor=12, tail=TAILS.get(name, ""))
    return Strip(title, cells, right=True, spare=len(_SPARE) + 1 - _SPARE.index(name))


def _others(grouped: Grouped, column: int) -> str:
    """The cell of all groups that are folded."""
    if column < len(grouped.by):
        return "" if column else f"({grouped.folded:,} more)"
    value = grouped.others[column] if grouped.others else None
    return figures.UNKNOWN if value is None else figures.of_group(grouped.headings[column])(value)


def _cells(rows: Sequence[tuple[Any, ...]], column: int, heading: Heading, look: Look) -> list[str]:
    values = [row[column] for row in rows]
    if heading.key in _PORTS and look.names:
        port = look.names.port
        return [figures.UNKNOWN if n is None else port(n, "tcp") or port(n, "udp") or str(n) for n in values]
    if heading.type == "address" and look.names:
        distinct = list(dict.fromkeys(value for value in values if value is not None))
        known = dict(zip(distinct, figures.host_names(distinct, look.names), strict=True))
        return [known.get(value, figures.UNKNOWN) for value in values]
    write = figures.of_group(heading)
    return [figures.UNKNOWN if value is None else write(value) for value in values]


def _title(name: str) -> str:
    """The heading of a measure or key: ``rtt_us_p50`` is RTT P50."""
    stem, _, statistic = name.rpartition("_")
    if statistic in _STATISTICS:
        return f"{_title(stem)} {_STATISTICS[statistic]}"
    field = find(name)
    return title_of(field.name if field else name)
