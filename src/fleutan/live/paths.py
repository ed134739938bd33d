# SPDX-License-Identifier: Apache-2.0
"""A question about the paths of this host's flows, answered: which are traced, how, and what they share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.analysis.figures import is_word
from fleutan.analysis.paths import Path, merged
from fleutan.column import Column, text_column
from fleutan.errors import FleutanError, UsageError
from fleutan.live import Asked, Question
from fleutan.protocols.tracing.hops import SECOND, Rules
from fleutan.protocols.tracing.probes import Flow
from fleutan.sources import flows, multipath, paths, within
from fleutan.sources.capture import Capture, NamespaceDump, Reader
from fleutan.sources.errorqueues import ErrorQueues
from fleutan.sources.paths import METHODS, TCP, UDP, Aim, Numbers, Traced
from fleutan.table import Table

#: What tracing has to know of a flow.
NEEDED = (
    *("proto", "state", "family", "src", "sport", "dst", "dport", "netns_inode", "cookie", "tos", "flow_label"),
    *("snd_una", "rcv_nxt", "rcv_wnd", "dev", "rtt", "pids", "proc"),
)
#: Flows to one destination that are traced, each by its own ports; of more a sample is.
MOST = 16
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Settings:
    """How paths are traced: the method ('' for the best that is possible), the rules of traces, the pace.

    ``destinations`` limit the flows, and are traced without one where there is none (addresses).
    ``raw`` is False where probes go by UDP sockets, for which no privilege is needed.  With
    ``confidence`` all ways to each destination are looked for, until so likely none is missing.
    """

    method: str = ""
    rules: Rules = field(default_factory=Rules)
    pps: float = 200.0
    most: int = MOST
    destinations: tuple[str, ...] = ()
    raw: bool = True
    confidence: float | None = None

    def __post_init__(self) -> None:
        if self.method and self.method not in METHODS:
            raise UsageError(f"no method is called {self.method!r}; there are {', '.join(METHODS)}")
        if self.confidence is not None and self.method == "flow":
            raise UsageError(
                "all ways to a destination are not those of one flow: --multipath goes with syn, udp or icmp"
            )

    def by_method(self) -> dict[str, Rules]:
        """The rules of each method: inside a live connection one probe a hop and second, few of them ahead."""
        live = self.rules._replace(ahead=min(self.rules.ahead, 3), spacing_ns=SECOND, inferred=True, queries=1, tries=2)
        return {**dict.fromkeys(METHODS, self.rules), "flow": live}


class Answer(NamedTuple):
    """Flows with their ``path``, and the paths: p0, p1 ..."""

    flows: Table
    paths: list[Path]


class Wanted(NamedTuple):
    """A way to be traced, and the rows of the flows that take it."""

    aim: Aim
    rows: list[int]


def ask(question: Question, reader: Reader, settings: Settings | None = None, interval: float | None = None) -> Answer:
    """Traces the flows that the question means; with ``interval`` their rates are known too.

    Raises what ``Reader`` and ``Asked`` do, and NotSupported where a method needs raw sockets and
    they are not allowed.
    """
    notes: list[str] = []
    settings = _possible(settings or Settings(), notes)
    rated = ("tx_rate", "rx_rate") if interval is not None else ()
    needed = tuple(dict.fromkeys((*question.fields, *NEEDED, *rated)))
    live = settings.method in ("", "flow")
    demanded = question.demanded | ({"snd_una"} if live else frozenset())
    asked = Asked(replace(question, fields=needed, demanded=demanded))
    reader.answer_by(asked.answer_by)
    before = None
    if interval is None:
        asked.require_interval()
        capture = reader.take()
    else:
        before = reader.take()
        capture = reader.take_after(before, interval)
    table = asked.answer(capture, before)
    table = table.take(_meant(table, settings.destinations))
    traced: list[tuple[Wanted, Traced]] = []
    for place, dump in enumerate(capture.namespaces):
        lone = _lone(table, settings) if not place else []
        rows = np.flatnonzero(table.columns["netns_inode"].values == dump.namespace.inode)
        traced += _traced(table, rows, dump, settings, reader, notes, lone)
        traced += _inside(table, rows, dump, settings, reader, notes)
    return _answer(table, traced, notes)


def _possible(settings: Settings, notes: list[str]) -> Settings:
    """The settings, or the next best where raw sockets are not allowed, which a note says."""
    if settings.confidence is not None:
        return replace(settings, method=settings.method or "udp")
    refused = paths.refused() if settings.method in ("", "udp") else None
    if refused is None:
        return settings
    lacking = "by UDP sockets, which see neither MPLS labels nor what was changed on the way"
    notes.append(f"{'' if settings.method else 'not inside the flows but '}{lacking}: {refused}")
    return replace(settings, method="udp", raw=False)


def _meant(table: Table, destinations: Sequence[str]) -> NDArray[np.bool_]:
    """Flows with a peer on another host, of these destinations if any are named."""
    kept: NDArray[np.bool_] = np.array([_is_away(address) for address in table.columns["dst"].objects()], np.bool_)
    kept &= table.columns["dport"].values != 0
    if destinations:
        wanted = {str(ip_address(text)) for text in destinations}
        kept &= np.array([address in wanted for address in table.columns["dst"].objects()], np.bool_)
    return kept


def _is_away(address: str | None) -> bool:
    return address is not None and not ip_address(address).is_loopback


def _lone(table: Table, settings: Settings) -> list[bytes]:
    """The destinations that are asked for and have no flow."""
    there = set(table.columns["dst"].objects())
    named = [ip_address(text) for text in settings.destinations]
    return [address.packed for address in dict.fromkeys(named) if str(address) not in there]


def _traced(
    table: Table,
    rows: Ints,
    dump: NamespaceDump,
    settings: Settings,
    reader: Reader,
    notes: list[str],
    lone: Sequence[bytes],
) -> list[tuple[Wanted, Traced]]:
    """The flows of one namespace, and destinations without one."""
    with ExitStack() as held:
        space = dump.namespace
        wire = None if settings.raw else held.enter_context(ErrorQueues(space))
        live = _live(table, rows, settings)
        wanted = list(_sampled(live, settings.most, notes))
        inside = {row for one in live for row in one.rows}
        grouped = _beside(table, [row for row in rows.tolist() if row not in inside], settings)
        grouped |= {(settings.method or "udp", end, 0): [] for end in lone if settings.method != "flow"}
        for (method, end, port), members in grouped.items():
            try:
                aim = (
                    Aim(wire.flow_to(end), method) if wire else held.enter_context(paths.aim(space, end, method, port))
                )
                wanted.append(Wanted(aim, members))
            except FleutanError as error:
                notes.append(str(error))
        if not wanted:
            return []
        aims, rules, pps = [one.aim for one in wanted], settings.by_method(), settings.pps
        if settings.confidence is not None:
            found = multipath.trace(aims, space, rules, pps, settings.confidence)
        else:
            found = paths.trace(aims, space, rules, pps, _renewed(reader, dump), wire=wire)
    return list(zip(wanted, found, strict=True))


def _inside(
    table: Table, rows: Ints, dump: NamespaceDump, settings: Settings, reader: Reader, notes: list[str]
) -> list[tuple[Wanted, Traced]]:
    """The connected UDP flows of one namespace: only if that is asked for, since a process may notice it.

    The kernel tells it of errors that probes bring about where it asked to be told (IP_RECVERR).
    """
    if settings.method != "flow":
        return []
    able = is_word(table, "proto", "udp") & is_word(table, "state", "established")
    wanted = list(_sampled(_ways(table, rows[able[rows]], UDP), settings.most, notes))
    aims = [one.aim for one in wanted]
    rules = settings.by_method()
    found = within.trace(aims, dump.namespace, rules, settings.pps, _renewed(reader, dump)) if aims else []
    silent = dict.fromkeys(one.aim.flow.dst for one, path in zip(wanted, found, strict=True) if path is None)
    notes += [f"not inside UDP flows to {ip_address(end)}: nobody says how far away it is" for end in silent]
    return [(one, path) for one, path in zip(wanted, found, strict=True) if path is not None]


def _live(table: Table, rows: Ints, settings: Settings) -> list[Wanted]:
    """The connections that can be traced from inside."""
    if settings.method not in ("", "flow"):
        return []
    able = is_word(table, "proto", "tcp") & is_word(table, "state", "established")
    able &= table.columns["snd_una"].mask()
    return _ways(table, rows[able[rows]], TCP)


def _ways(table: Table, rows: Ints, proto: int) -> list[Wanted]:
    """The ways of these flows' own packets."""
    sources, ends = (paths.octets(table.columns[name]) for name in ("src", "dst"))
    return [Wanted(_aim(table, row, proto, sources[row], ends[row]), [row]) for row in rows.tolist()]


def _sampled(live: Sequence[Wanted], most: int, notes: list[str]) -> Iterator[Wanted]:
    """Of many connections to one destination the first, which a note says."""
    taken: dict[bytes, int] = {}
    for one in live:
        end = one.aim.flow.dst
        taken[end] = taken.get(end, 0) + 1
        if taken[end] <= most:
            yield one
    notes += [
        f"{most} of {count} connections to {ip_address(end)} were traced: --each says how many"
        for end, count in taken.items()
        if count > most
    ]


def _aim(table: Table, row: int, proto: int, source: bytes, end: bytes) -> Aim:
    """The way of a connection's own packets."""

    def number(name: str) -> int:
        return int(table.columns[name].values[row])

    family, label = (4, 0) if len(end) == 4 else (6, number("flow_label"))
    flow = Flow(family, source, end, proto, number("sport"), number("dport"), label, number("tos"))
    device = table.columns["dev"].take(np.array([row])).objects()[0] or ""
    numbers = number("snd_una"), number("rcv_nxt")
    return Aim(flow, "flow", *numbers, _window(table, row), number("cookie"), device)


def _window(table: Table, row: int) -> int:
    """What a probe says of the window; nobody acts upon it, since the probe is old."""
    known = table.columns["rcv_wnd"].mask()[row]
    return min(int(table.columns["rcv_wnd"].values[row]), 0xFFFF) if known else 0xFFFF


def _beside(table: Table, rows: Sequence[int], settings: Settings) -> dict[tuple[str, bytes, int], list[int]]:
    """Flows that are traced from beside, by method, destination and port: one trace for all of an end.

    What goes to the port of a UDP flow would come to its process, so it goes to another one.
    """
    if settings.method == "flow" or not rows:
        return {}
    ends = paths.octets(table.columns["dst"])
    tcp = is_word(table, "proto", "tcp", "mptcp")
    grouped: dict[tuple[str, bytes, int], list[int]] = {}
    for row in rows:
        method = settings.method or ("syn" if tcp[row] else "udp")
        port = int(table.columns["dport"].values[row]) if method == "syn" else 0
        grouped.setdefault((method, ends[row], port), []).append(row)
    return grouped


def _renewed(reader: Reader, dump: NamespaceDump) -> Callable[[Collection[int]], Mapping[int, Numbers]]:
    """The sequence numbers of connections, read anew."""

    def read(cookies: Collection[int]) -> dict[int, Numbers]:
        capture: Capture = reader.take()
        table = flows.table(capture, ("proto", "state", "netns_inode", "cookie", "snd_una", "rcv_nxt"))
        kept = np.isin(table.columns["cookie"].values, [*cookies]) & is_word(table, "state", "established")
        kept &= table.columns["netns_inode"].values == dump.namespace.inode
        rows = table.take(kept)
        columns = (rows.columns[name].values.tolist() for name in ("cookie", "snd_una", "rcv_nxt"))
        return {cookie: Numbers(una, following) for cookie, una, following in zip(*columns, strict=True)}

    return read


def _answer(table: Table, traced: Sequence[tuple[Wanted, Traced]], notes: Sequence[str]) -> Answer:
    found, places = merged(one.path for _, one in traced)
    names: list[str | None] = [None] * len(table)
    for (wanted, _), place in zip(traced, places, strict=True):
        for row in wanted.rows:
            names[row] = found[place].id
    reading = replace(table.reading, notes=(*table.reading.notes, *notes, *_doubts([one for _, one in traced])))
    column: Column = text_column(names)
    return Answer(replace(table.with_columns({"path": column}), reading=reading), found)


def _doubts(traced: Sequence[Traced]) -> Iterator[str]:
    """What may be wrong with the paths."""
    if missed := max((one.missed for one in traced), default=0):
        yield (
            f"{missed} packets found no room in this command's sockets: what looks lost may have been answered; "
            "a lower --pps helps"
        )
    rivals = dict.fromkeys(one.path.destination for one in traced if one.rivals)
    if rivals:
        yield (
            f"this host spreads flows to {', '.join(rivals)} over several next hops behind one device: "
            "a probe may leave by another one than its flow"
        )
