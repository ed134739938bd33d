# SPDX-License-Identifier: Apache-2.0
"""``traffic`` and ``flowcount``: one line an interval.

``pretty`` and ``plain`` have the totals of an interval, as CoMo 2.0; ``gnuplot`` and ``mbps`` rates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleutan.exports.como.dates import asctime, fixed_point, microseconds
from fleutan.exports.como.options import Options
from fleutan.exports.como.rows import pieces, rows, script, shown
from fleutan.exports.gnuplot import Picture
from fleutan.table import Table

Tables = Iterable[Table]

_HEADING = "Date                     Timestamp          Bytes    Pkts"
_COLUMNS = ("time", "bytes", "packets")
_TRAFFIC = Picture(
    "traffic",
    "Traffic",
    ("Mbps", "Packets/sec"),
    (
        'using 1:2 axes x1y1 with linespoints pointtype 7 pointsize 0.2 title "Mbps"',
        'using 1:3 axes x1y2 with linespoints pointtype 7 pointsize 0.2 title "Packets/sec"',
    ),
)
_FLOWS = Picture("flows", "Flows", ("Active flows",), ("using 1:2 with linespoints pointtype 7 pointsize 0.2 notitle",))


def pretty(tables: Tables, options: Options) -> Iterator[bytes]:
    """Date, time since 1970, bytes, packets, under a heading."""
    yield from pieces([_HEADING])
    for table in tables:
        yield from pieces(_pretty(table, options))


def _pretty(table: Table, options: Options) -> Iterator[str]:
    for at_ns, count, packets in rows(table, *_COLUMNS):
        second, micro = microseconds(at_ns)
        date = asctime(at_ns, options.zone)
        yield f"{date} {second:12d}.{micro:06d} {shown(count):>8} {shown(packets):>8}"


def plain(tables: Tables, _options: Options) -> Iterator[bytes]:
    """Seconds, the same in 32.32 fixed point, bytes, packets."""
    for table in tables:
        yield from pieces(
            f"{at_ns // 10**9:12d} {fixed_point(at_ns):16d} {shown(count):>12} {shown(packets):>12}"
            for at_ns, count, packets in rows(table, *_COLUMNS)
        )


def gnuplot(tables: Tables, options: Options) -> Iterator[bytes]:
    """Megabits and packets a second over time."""
    yield from script(_TRAFFIC, (_points(table, options.seconds()) for table in tables))


def _points(table: Table, seconds: float) -> Iterator[str]:
    for at_ns, count, packets in rows(table, *_COLUMNS):
        if count is not None and packets is not None:
            yield f"{at_ns // 10**9} {8 * count / 1e6 / seconds:f} {packets / seconds:.10g}"


def mbps(tables: Tables, options: Options) -> Iterator[bytes]:
    """Megabits a second and nothing else."""
    for table in tables:
        yield from pieces(
            f"{8 * count / 1e6 / options.seconds():4.2f} Mbps" for (count,) in rows(table, "bytes") if count is not None
        )


def flow_points(tables: Tables, _options: Options) -> Iterator[bytes]:
    """Active flows over time, for gnuplot."""
    lines = (
        (f"{at_ns // 10**9} {flows}" for at_ns, flows in rows(table, "time", "flows") if flows is not None)
        for table in tables
    )
    yield from script(_FLOWS, lines)


def flow_lines(tables: Tables, options: Options) -> Iterator[bytes]:
    """Date and active flows."""
    for table in tables:
        yield from pieces(
            f"{asctime(at_ns, options.zone)} {shown(flows)}" for at_ns, flows in rows(table, "time", "flows")
        )
