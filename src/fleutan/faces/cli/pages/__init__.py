# SPDX-License-Identifier: Apache-2.0
"""What each view looks like as text: a file a view.  Here is what they have in common.

Pages take finished Tables and draw them; they read, sort and filter nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from fleutan.faces.cli import figures
from fleutan.faces.cli.layout import GAP, Strip, cut, fitted, lines, pad, wrapped
from fleutan.faces.cli.terminal import Screen
from fleutan.fields import BY_NAME
from fleutan.table import Table
from fleutan.views import ENDS, View

#: How narrow a column may be cut before it is left out, by field; others are never cut.
FLOORS = {
    **dict.fromkeys(("proc", "remote"), 12),
    "local": 15,
    **dict.fromkeys(("src", "dst", "comm", "exe", "cmdline", "cgroup", "unit", "pids", "user", "netns"), 12),
    **dict.fromkeys(("evidence", "hint", "options"), 20),
}
#: What a cell that is cut keeps.
TAILS = {"local": "#", "remote": "#", "proc": "("}
#: Headings that are shorter than the field's name.
TITLES = {
    "proc": "OWNER",
    "bytes_sent": "TX",
    "bytes_received": "RX",
    "bytes_acked": "ACKED",
    "delivery_rate": "RATE",
    "segs_out": "TX SEG",
    "segs_in": "RX SEG",
    "segs_out_rate": "TX PPS",
    "segs_in_rate": "RX PPS",
    "retrans_rate": "RETR PPS",
    "retrans_share": "RETRANS",
    "cwnd_bytes": "WINDOW",
    "cwnd_rate": "ALLOWS",
    "min_rtt": "MIN",
    **{
        f"{direction}_{counter}": f"{direction.upper()} {title}"
        for direction in ("tx", "rx")
        for counter, title in (("bytes", "BYTES"), ("packets", "PKT"), ("segments", "SEG"), ("skb_bytes", "SKB"))
    },
    "qdisc_bytes": "BYTES",
    "qdisc_packets": "PACKETS",
    "qdisc_drops": "DROPS",
    "qdisc_options": "OPTIONS",
    "backlog_bytes": "BACKLOG",
    "backlog_packets": "BACKLOG PKT",
    "bql_inflight": "INFLIGHT",
    "irq_effective_cpus": "IRQ CPUS",
    "net_rx": "NET_RX",
    "softnet_dropped": "DROPPED",
    "time_squeeze": "SQUEEZED",
    "received_rps": "RPS",
    "cpu_softirq": "SOFTIRQ",
    "cpu_busy": "BUSY",
    "numa_node": "NODE",
}
#: Numbers that are names: they stand on the left.
_NAMES = ("pid", "uid", "service", "sport", "dport")
#: Beyond any column that a view spares: a column in which nothing is known goes first.
_EMPTY = 100
#: How many flows a page of bars shows before it folds the others.
UNFOLDED = 40


class Look(NamedTuple):
    """How to draw: the screen, with headings or not, and names for addresses where they are wanted."""

    screen: Screen
    heading: bool = True
    names: figures.Names | None = None

    def title(self, text: str) -> str:
        """A heading as it is painted."""
        return self.screen.paint(text, "bold")

    def aside(self, text: str) -> str:
        """What is not the answer itself."""
        return self.screen.paint(text, "dim")

    def cut(self, text: str) -> str:
        """The text in one line of the screen."""
        return text if self.screen.width is None else cut(text, self.screen.width, "", self.screen.ellipsis)


def title_of(name: str) -> str:
    """The heading of a column."""
    return TITLES.get(name) or name.upper().replace("_", " ")


def strips(table: Table, names: Sequence[str], look: Look, view: View | None = None) -> list[Strip]:
    """The columns of a table of flows as text; the view says which of them may go."""
    return [_strip(table, name, look, view) for name in names]


def _strip(table: Table, name: str, look: Look, view: View | None) -> Strip:
    cells = figures.cells(table, name, look.names)
    found = Strip(title_of(name), cells, _is_right(name), FLOORS.get(name), name == "local", TAILS.get(name, ""))
    going = (*view.luxuries, *view.spare) if view else ()
    if not view or name not in going:
        return found
    unknown = bool(cells) and set(cells) == {figures.UNKNOWN}
    rank = len(going) - going.index(name) + _EMPTY * unknown
    return found._replace(spare=rank, luxury=unknown or name in view.luxuries)


def _is_right(name: str) -> bool:
    found = BY_NAME.get(name)
    return found is not None and found.type in ("int", "float") and name not in _NAMES and name not in ENDS


def tabular(columns: Sequence[Strip], look: Look) -> Iterator[str]:
    """A table's lines; the heading is painted."""
    found = lines(columns, look.screen.width, look.heading, look.screen.ellipsis)
    if look.heading:
        yield look.title(next(found))
    yield from found


class Bars(NamedTuple):
    """Columns with a bar in front of every row: how wide the bars are, and the lines beside them."""

    room: int
    beside: list[str]
    heading: str


def beside_bars(columns: Sequence[Strip], title: str, look: Look) -> Bars:
    """The columns in the width that bars leave them: bars take what is free, a fifth at the least."""
    whole, width = look.screen.picture, look.screen.width
    natural = sum(wide + GAP for _, wide in fitted(columns, None))
    room = min(max(whole - natural + GAP - 1, whole // 5, 8), whole * 2 // 5)
    found = list(lines(columns, None if width is None else width - room - 1, True, look.screen.ellipsis))
    head = pad(cut(title, room, "", look.screen.ellipsis), room) + " " + found[0]
    return Bars(room, found[1:], look.title(head))


def folded(count: int, between: str, look: Look) -> str:
    """The line that stands for the flows left out."""
    noun = "flow" if count == 1 else "flows"
    return look.aside(look.cut(f"... {count:,} more {noun}{between}: --all shows every one"))


def summary(parts: Iterable[str], look: Look) -> Iterator[str]:
    """The line or lines above a page of bars, and a blank one."""
    if look.heading:
        yield from map(look.title, wrapped(parts, look.screen.width))
        yield ""


def flow_count(count: int, what: str = "") -> str:
    """``1 flow``, ``1,000 TCP flows``."""
    return f"{count:,} {what}{'flow' if count == 1 else 'flows'}"
