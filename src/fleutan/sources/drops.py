# SPDX-License-Identifier: Apache-2.0
"""What was dropped, sent again or reset, and why, as a Table: a row per event, flow, reason and place.

The numbers of ``linux.drops`` become words here: reasons by the running kernel's names and as
sentences, places as functions of the kernel, owners by the flows.  Not every row is a loss: the
kernel also frees what came twice, or what a closed socket left unread, by a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fleutan import address
from fleutan.analysis import alike
from fleutan.column import Column, text_column
from fleutan.errors import FleutanError
from fleutan.fields import PROTOS
from fleutan.linux import drops, namespaces, reasons
from fleutan.linux.drops import DROP, RESET_RECEIVED, RESET_SENT, RETRANSMIT, Counting, Counts, Symbols
from fleutan.records import Records, concatenate, take
from fleutan.sources.attribution import Claims, by_cookie, by_ends, by_listener, remembered_by, together, with_claims
from fleutan.sources.lifecycle import HOLDER, LISTENER, space_names, with_row
from fleutan.sources.owners import SOCKET_FIELDS, Read, read_processes
from fleutan.sources.words import RULES, Coded, Named, Rule, Whole, unknown
from fleutan.table import Reading, Table

Ints = NDArray[np.int64]

SOURCE = "kfree_skb, tcp_retransmit_skb, tcp_send_reset, tcp_receive_reset"
IPV4 = 2
EVENTS = {DROP: "drop", RETRANSMIT: "retransmit", RESET_SENT: "reset-sent", RESET_RECEIVED: "reset-received"}
DIRECTIONS = {drops.RECEIVED: "rx", drops.SENT: "tx"}
#: ETH_P_* (include/uapi/linux/if_ether.h) of what is not IP.
ETHERTYPES = {0x0806: "arp", 0x8100: "vlan", 0x88A8: "qinq", 0x88CC: "lldp", 0x88E5: "macsec", 0x8847: "mpls"}
#: Why a segment was sent again (BY_* in linux/drops.py): a name, and a sentence.
RETRANSMISSIONS = {
    drops.BY_SYN: ("SYN", "no answer to the request for a connection"),
    drops.BY_SYNACK: ("SYNACK", "no answer to the acceptance of a connection"),
    drops.BY_TIMEOUT: ("TIMEOUT", "the retransmission timer ran out, or what was lost before that is sent again"),
    drops.BY_RECOVERY: ("FAST", "later data was acknowledged and this was not: fast retransmission"),
    drops.BY_PROBE: ("TLP", "no acknowledgement of the last data in time: a probe of the tail"),
    drops.BY_OTHER: ("OTHER", "sent again for another reason"),
}
#: What drops are summed by, and what such a sum has not.
_PLACE = ("reason", "direction", "netns_inode", "ifindex", "location", "ethertype", "idiag_family", "proto")
_FLOW = ("idiag_cookie", "idiag_src", "idiag_dst", "idiag_sport", "idiag_dport")
#: The row of all that found no room.
OTHER = "OTHER_ROWS"


class Surroundings(NamedTuple):
    """What is asked of this host beside the counts; tests put others in its place."""

    spaces: Callable[[], Mapping[int, str]]
    processes: Read
    interfaces: Callable[[Collection[int]], Mapping[tuple[int, int], str]]
    functions: Callable[[Collection[int]], Mapping[int, str]]
    drop_reasons: Callable[[], Mapping[int, str]]
    reset_reasons: Callable[[], Mapping[int, str]]


def interface_names(inodes: Collection[int]) -> dict[tuple[int, int], str]:
    """Names of the interfaces in these namespaces, by inode and index; without what cannot be entered."""
    found: dict[tuple[int, int], str] = {}
    for space in namespaces.every()[0] if inodes else ():
        if space.inode in inodes:
            with suppress(FleutanError), namespaces.entered(space):
                found |= {(space.inode, index): name for index, name in namespaces.interface_names().items()}
    return found


HOST = Surroundings(
    space_names, read_processes, interface_names, Symbols().names, reasons.drop_reasons, reasons.reset_reasons
)


def table(
    counts: Counts,
    wanted: Collection[str] = SOCKET_FIELDS,
    flows: Sequence[Table] = (),
    host: str = "",
    around: Surroundings = HOST,
    inside: Collection[int] | None = None,
    summed: Collection[str] = (),
) -> Table:
    """A Table of kind ``drops``: ``packets``, ``segments`` and ``bytes`` per event, flow, reason, device and place.

    ``src`` and ``sport`` are the end of this host.  ``wanted`` are fields of owners; ``flows`` are
    Tables with ``pids``, ``cookie`` and ends (flows, or lifecycle for what ended meanwhile), by
    which owners are found: ``owner_by`` holder for the flow's own socket, listener for the one
    that waits at its local end.  Rows without ends are of packets that could not be read, or of
    flows that found no room; the last row has the reason "OTHER_ROWS" where not even that had
    room.  The related table ``owners`` is as that of flows.  With ``inside`` there are only rows of
    these network namespaces (by inode) and of none; drops for one of the reasons ``summed`` are
    added up by place, without their flows.
    """
    every = drops.parse(counts)
    records = _summed(_inside(every, inside), summed, around)
    columns = _columns(records, around)
    claims, columns["owner_by"] = _claims(columns, flows)
    columns, owners = with_claims(columns, claims, wanted, around.processes, remembered_by(flows))
    if counts.lost.packets:
        columns = with_row(columns, {"event": EVENTS[DROP], "reason": OTHER, **counts.lost._asdict()})
    at_ns, interval_ns = counts.ended_ns + counts.wall_ns, counts.ended_ns - counts.began_ns
    reading = Reading(host, "all", at_ns, interval_ns, SOURCE, _notes(counts, every, records, columns["function"]))
    return Table("drops", columns, reading, {"owners": owners})


def _inside(records: Records, inside: Collection[int] | None) -> Records:
    """Those of these namespaces, and of none."""
    if inside is None or not records.rows:
        return records
    return take(records, np.isin(records.values["netns_inode"], [0, *inside]))


def _summed(records: Records, reasons: Collection[str], around: Surroundings) -> Records:
    """The records, with drops for these reasons added up by place behind all others."""
    if not reasons or not records.rows:
        return records
    numbers = [number for number, name in around.drop_reasons().items() if name in reasons]
    meant = (records.values["event"] == DROP) & np.isin(records.values["reason"], numbers)
    if not meant.any():
        return records
    some = take(records, meant)
    group, first = alike.groups([some.values[word] for word in _PLACE])
    sums = take(some, first)
    for word in ("packets", "segments", "bytes"):
        sums.values[word] = np.bincount(group, some.values[word], len(first)).astype(np.int64)
    for word in _FLOW:
        sums.known[word] = np.zeros(len(first), np.bool_)
    return concatenate([take(records, ~meant), sums])


class Counter(Protocol):
    """What counts for ``table`` while it is entered."""

    def __enter__(self) -> Counter:
        """Begins to count."""

    def __exit__(self, *_: object) -> None:
        """Ends it."""

    def wait(self, seconds: float) -> None:
        """Passes the time."""

    def read(self) -> Counts:
        """What was counted since the last call."""


def counting() -> Counter:
    """The kernel's programs, to be entered: raises NotSupported then where they are not to be had."""
    return Counting()


def _columns(records: Records, around: Surroundings) -> dict[str, Column]:
    """Everything but whose they are."""
    if not records.rows:
        return {name: unknown(name, 0) for name in (*_RULES, *_MADE)}
    columns = {
        name: rule.read(records.values[rule.word], records.known.get(rule.word)) for name, rule in _RULES.items()
    }
    return columns | {name: make(records, around) for name, make in _MADE.items()}


def _each(records: Records, words: Sequence[str], say: Callable[..., str | None]) -> Column:
    """A text column by several numbers of a row; ``say`` is asked once for each combination."""
    group, first = alike.groups([records.values[word] for word in words])
    combinations = zip(*(records.values[word][first].tolist() for word in words), strict=True)
    return text_column([say(*combination) for combination in combinations]).take(group)


def _reason(records: Records, around: Surroundings) -> Column:
    """The kernel's name of the reason; "reason" and its number where it tells none."""

    return _each(records, ("event", "reason"), lambda event, reason: _reason_name(around, event, reason))


def _reason_name(around: Surroundings, event: int, reason: int) -> str | None:
    if event == RETRANSMIT:
        return RETRANSMISSIONS[reason][0] if reason in RETRANSMISSIONS else None
    if event == DROP:
        return around.drop_reasons().get(reason, f"reason {reason}")
    return around.reset_reasons().get(reason) if event == RESET_SENT else None


def _meaning(records: Records, around: Surroundings) -> Column:
    def words(event: int, reason: int) -> str | None:
        if event == RETRANSMIT:
            return RETRANSMISSIONS[reason][1] if reason in RETRANSMISSIONS else None
        if event == RESET_RECEIVED:
            return "the other end reset the connection"
        name = _reason_name(around, event, reason) or ""
        return reasons.drop_sentence(name) if event == DROP else reasons.reset_sentence(name)

    return _each(records, ("event", "reason"), words)


def _function(records: Records, around: Surroundings) -> Column:
    places = np.unique(records.values["location"])
    names = around.functions(places[places != 0].tolist())
    return _each(records, ("location",), names.get)


def _proto(records: Records, _: Surroundings) -> Column:
    """The transport protocol, or what the frame holds in the place of IP."""

    def name(family: int, proto: int, ethertype: int) -> str | None:
        if family:
            return PROTOS.get(proto, f"proto-{proto}")
        return ETHERTYPES.get(ethertype, f"ethertype-{ethertype:#06x}") if ethertype else None

    return _each(records, ("idiag_family", "proto", "ethertype"), name)


def _family(records: Records, _: Surroundings) -> Column:
    """By the addresses, where there are any."""
    mapped = address.is_ipv4(_halves("idiag_src")(records, HOST).values)
    codes = np.where((records.values["idiag_family"] == IPV4) | mapped, 0, 1)
    codes[records.values["idiag_family"] == 0] = -1
    return Column(codes.astype(np.int32), None, ("ipv4", "ipv6"))


def _halves(word: str) -> Callable[[Records, Surroundings], Column]:
    def read(records: Records, _: Surroundings) -> Column:
        halves = address.halves_of_words(records.values[word], records.values["idiag_family"] == IPV4)
        return Column(halves, records.known[word])

    return read


def _netns(records: Records, around: Surroundings) -> Column:
    spaces = around.spaces()
    return _each(records, ("netns_inode",), lambda inode: spaces.get(inode, str(inode)) if inode else None)


def _device(records: Records, around: Surroundings) -> Column:
    """The name that the device had then; where only its number was known, the name that it has."""
    named = Named("device").read(records.values["device"], None)
    words = named.words or ()
    ends = zip(records.values["netns_inode"].tolist(), records.values["ifindex"].tolist(), strict=True)
    seen = {end: words[code] for end, code in zip(ends, named.values.tolist(), strict=True) if code >= 0}
    rest = named.values < 0
    left = np.unique(records.values["netns_inode"][rest & (records.values["ifindex"] != 0)]).tolist()
    known = seen | dict(around.interfaces(left))

    def name(inode: int, index: int) -> str | None:
        return known.get((inode, index), f"if{index}") if index else None

    numbered = _each(records, ("netns_inode", "ifindex"), name)
    shifted = np.where(numbered.values >= 0, numbered.values + len(words), -1)
    return Column(np.where(rest, shifted, named.values).astype(np.int32), None, (*words, *(numbered.words or ())))


_RULES: dict[str, Rule] = {
    "event": Coded("event", EVENTS),
    "direction": Coded("direction", DIRECTIONS),
    "sport": RULES["sport"],
    "dport": RULES["dport"],
    "netns_inode": RULES["netns_inode"],
    "cookie": RULES["cookie"],
    "packets": Whole("packets"),
    "segments": Whole("segments"),
    "bytes": Whole("bytes"),
}
_MADE: dict[str, Callable[[Records, Surroundings], Column]] = {
    "reason": _reason,
    "meaning": _meaning,
    "function": _function,
    "proto": _proto,
    "family": _family,
    "src": _halves("idiag_src"),
    "dst": _halves("idiag_dst"),
    "dev": _device,
    "netns": _netns,
}


#: Every column of the table.
COLUMNS = (*_RULES, *_MADE, "owner_by", *SOCKET_FIELDS)


def _claims(columns: Mapping[str, Column], flows: Sequence[Table]) -> tuple[Claims, Column]:
    """Who owns which row, and by what that is known."""
    ways = (HOLDER, LISTENER)
    codes = np.full(len(columns["src"]), -1, np.int32)
    found: list[Claims] = []
    ended = columns["src"].mask()
    searches = [(search, table, HOLDER) for search in (by_cookie, by_ends) for table in flows]
    for search, table, way in (*searches, *((by_listener, table, LISTENER) for table in flows)):
        found.append(search(columns, np.flatnonzero((codes < 0) & ended), table))
        codes[found[-1].rows] = ways.index(way)
    return together(found), Column(codes, None, ways)


def _notes(counts: Counts, every: Records, records: Records, function: Column) -> tuple[str, ...]:
    """What is lacking: of every record, and of those that are shown."""
    notes = []
    if records.rows and records.values["location"].any() and not function.mask().any():
        notes.append("the functions are not known: /proc/kallsyms tells no addresses; it takes root, or CAP_SYSLOG")
    if every.rows and not every.values["of_flow"].all():
        folded = every.values["packets"][every.values["of_flow"] == 0].sum()
        notes.append(f"{folded} packets of flows that found no room are counted by reason and place only")
    if counts.lost.packets:
        notes.append(f"{counts.lost.packets} packets found no room at all: they are the row {OTHER}")
    if counts.missed:
        notes.append(f"{counts.missed} packets were dropped while another was counted and are not known")
    return tuple(notes)
