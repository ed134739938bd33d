# SPDX-License-Identifier: Apache-2.0
"""What each flow moved, as a Table: a row per flow, direction, device, queue and CPU.

The numbers of ``linux.traffic`` become words here: which end is ours, what the device and the
namespace are called, whose socket it is.  A packet that is forwarded, or that crosses stacked
devices (VLAN, bridge, bond), is counted at every device: ``counted_above`` marks the rows whose
packets stand at a device above as well.  Sums are made in ``analysis``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan import address
from fleutan.analysis import alike
from fleutan.column import Column, text_column
from fleutan.errors import FleutanError
from fleutan.fields import PROTOS
from fleutan.linux import links, namespaces, traffic
from fleutan.linux.addresses import own_addresses
from fleutan.linux.traffic import IP, NOT_IP, OVERFLOW, RX, TX, UNREADABLE, Counting, Counts
from fleutan.records import Records
from fleutan.sources.attribution import Claims, by_cookie, by_ends, by_listener, remembered_by, together, with_claims
from fleutan.sources.drops import ETHERTYPES
from fleutan.sources.lifecycle import HOLDER, LISTENER, taken
from fleutan.sources.owners import SOCKET_FIELDS, Read, read_processes
from fleutan.sources.words import Coded, Rule, Whole
from fleutan.table import Reading, Table

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

SOURCE = "net_dev_start_xmit, netif_receive_skb"
#: What ``proto`` says of the sum of flows that found no row, and of packets that could not be read.
OTHER, UNREAD = "other", "unreadable"
_ETHERTYPES = ETHERTYPES | {4: "802.2", 0x8863: "pppoe", 0x8864: "pppoe", 0x888E: "eapol", 0x88F7: "ptp"}
#: What one flow is to the search for its cookie.
_ENDS = ("netns_inode", "proto", "src", "dst", "sport", "dport")


class Place(NamedTuple):
    """A network namespace: its name, its devices by index, the addresses that it takes for its own.

    ``uppers`` are the devices above a device.
    """

    name: str
    devices: Mapping[int, str]
    addresses: frozenset[bytes]
    uppers: links.Uppers = {}  # noqa: RUF012  # a default of a NamedTuple, never written to


Places = Mapping[int, Place]


class Surroundings(NamedTuple):
    """What is asked of this host beside the counts; tests put others in its place."""

    places: Callable[[], Places]
    processes: Read


def read_places(spaces: Iterable[namespaces.Namespace] | None = None) -> dict[int, Place]:
    """These namespaces of this host, or all, by inode; without what cannot be entered."""
    found: dict[int, Place] = {}
    for space in namespaces.every()[0] if spaces is None else spaces:
        with suppress(FleutanError), namespaces.entered(space):
            found[space.inode] = Place(space.name, namespaces.interface_names(), own_addresses(), links.uppers())
    return found


def both(before: Places, after: Places) -> dict[int, Place]:
    """What there was at either time: a device or namespace that went keeps its name."""
    merged = {inode: _merged(before[inode], place) for inode, place in after.items() if inode in before}
    return {**before, **after, **merged}


def _merged(before: Place, after: Place) -> Place:
    devices, uppers = {**before.devices, **after.devices}, {**before.uppers, **after.uppers}
    return Place(after.name, devices, before.addresses | after.addresses, uppers)


HOST = Surroundings(read_places, read_processes)


def counting() -> Counting:
    """The programs that count for ``table``, to be entered."""
    return Counting()


def table(
    counts: Counts,
    wanted: Collection[str] = SOCKET_FIELDS,
    flows: Sequence[Table] = (),
    host: str = "",
    around: Surroundings = HOST,
    without: int | None = None,
    inside: Collection[int] | None = None,
) -> Table:
    """A Table of kind ``traffic``: packets, segments, bytes and skb_bytes by flow and where.

    ``src`` and ``sport`` are the end of this namespace; where a packet is ``forwarded`` they are
    its source.  ``wanted`` are fields of owners; ``flows`` are Tables with ``pids``, ``cookie``
    and ends (flows of the beginning and of the end, lifecycle for what lived between).  They tell
    the owners (``owner_by`` holder for the flow's own socket, listener for the one that waits at
    its local end) and the names of processes that have ended.  ``without`` is a process whose own
    flows are left out.  With ``inside`` only rows of these namespaces (by inode) are there.

    Frames that are not IP have a row per protocol (arp, lldp ...) and no ends; ``proto`` "other"
    is the sum, by device, of the flows that found no row.
    """
    records = traffic.parse(counts, inside)
    notes = _notes(records, counts.missed)
    if inside is not None:
        records = taken(records, np.flatnonzero(records.values["netns"]))
    columns = _columns(records, around.places(), counts.wall_ns)
    columns["cookie"] = _with_cookies(columns)
    claims, columns["owner_by"] = _claims(columns, flows)
    columns, owners = with_claims(columns, claims, {*wanted, "pids"}, around.processes, remembered_by(flows))
    at_ns, interval_ns = counts.ended_ns + counts.wall_ns, counts.ended_ns - counts.began_ns
    reading = Reading(host, "all", at_ns, interval_ns, SOURCE, notes)
    found = Table("traffic", columns, reading, {"owners": owners})
    return found if without is None else found.take(~_held_by(columns["pids"], without))


def _held_by(pids: Column, pid: int) -> Mask:
    """The rows that this process alone owns."""
    alone = [*((pid,) == members for members in pids.words or ()), False]
    held: Mask = np.array(alone, np.bool_)[pids.values]
    return held


def _columns(records: Records, places: Places, wall_ns: int) -> dict[str, Column]:
    """Everything but whose they are."""
    values = records.values
    is_ip = values["kind"] == IP
    ours, known = _is_ours(values, places)
    turned = (values["direction"] == RX) & (ours | ~known)
    columns = {name: rule.read(values[rule.word], records.known.get(rule.word)) for name, rule in _RULES.items()}
    columns |= _ends(values, turned, is_ip)
    columns["forwarded"] = Column(~ours & is_ip, known | ~is_ip)
    columns["ethertype"] = Column(values["ethertype"], np.isin(values["kind"], (NOT_IP, UNREADABLE)))
    columns["first_seen"], columns["last_seen"] = (Column(values[name] + wall_ns) for name in ("first_ns", "last_ns"))
    columns["proto"] = _each(values, ("kind", "proto", "ethertype"), _proto)
    columns["netns"] = _each(values, ("netns",), lambda inode: _named(places, inode))
    columns["dev"] = _each(values, ("netns", "ifindex"), lambda inode, index: _device(places, inode, index))
    columns["counted_above"] = Column(_is_counted_above(values, columns, places))
    return columns


_RULES: dict[str, Rule] = {
    "direction": Coded("direction", {RX: "rx", TX: "tx"}),
    "queue": Whole("queue"),
    "cpu": Whole("cpu"),
    "netns_inode": Whole("netns", unknown=0),
    "cookie": Whole("cookie"),
    "icmp_type": Whole("icmp_type"),
    "icmp_code": Whole("icmp_code"),
    "packets": Whole("packets"),
    "bytes": Whole("wire_bytes"),
    "skb_bytes": Whole("bytes"),
    "segments": Whole("segments"),
}


def _is_ours(values: Mapping[str, NDArray[Any]], places: Places) -> tuple[Mask, Mask]:
    """Which packets come from this namespace or are for it, and of which that is known.

    What a socket of this host sends is ours whatever its address, and so is what goes to many.
    """
    ours = values["cookie"] != 0
    known = ours.copy()
    rows = np.flatnonzero(~ours)
    received, spaces = values["direction"][rows] == RX, values["netns"][rows]
    end = np.where(received[:, None], values["dst"][rows], values["src"][rows])
    ours[rows] = _is_loopback(end) | (received & _is_for_many(end))
    halves = np.ascontiguousarray(end).view(np.int64)
    for inode in np.unique(spaces).tolist():
        if inode in places:
            there = spaces == inode
            known[rows[there]] = True
            own = np.frombuffer(b"".join(places[inode].addresses), np.int64).reshape(-1, 2)
            ours[rows[there]] |= alike.among([*halves[there].T], [*own.T])
    return ours, known | ours


def _is_loopback(words: NDArray[np.uint32]) -> Mask:
    """127.0.0.0/8 and ::1."""
    octets = _octets(words)
    four: Mask = _is_mapped(words) & (octets[:, 12] == 127)
    six: Mask = (octets[:, :15] == 0).all(axis=1) & (octets[:, 15] == 1)
    return four | six


def _is_for_many(words: NDArray[np.uint32]) -> Mask:
    """224.0.0.0/4, 255.255.255.255 and ff00::/8."""
    octets = _octets(words)
    four: Mask = _is_mapped(words) & ((octets[:, 12] >> 4 == 14) | (octets[:, 12:] == 255).all(axis=1))
    six: Mask = octets[:, 0] == 255
    return four | six


def _is_mapped(words: NDArray[np.uint32]) -> Mask:
    octets = _octets(words)
    mapped: Mask = (octets[:, :10] == 0).all(axis=1) & (octets[:, 10:12] == 255).all(axis=1)
    return mapped


def _octets(words: NDArray[np.uint32]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(words).view(np.uint8).reshape(-1, 16)


def _ends(values: Mapping[str, NDArray[Any]], turned: Mask, is_ip: Mask) -> dict[str, Column]:
    """Addresses and ports, ours first where ``turned``."""
    six = np.zeros(len(turned), np.bool_)
    one, other = (address.halves_of_words(values[name], six) for name in ("src", "dst"))
    columns = {
        "src": Column(np.where(turned[:, None], other, one), is_ip),
        "sport": Column(np.where(turned, values["dport"], values["sport"]), is_ip),
        "dst": Column(np.where(turned[:, None], one, other), is_ip),
        "dport": Column(np.where(turned, values["sport"], values["dport"]), is_ip),
    }
    family = np.where(is_ip, np.where(address.is_ipv4(one), 0, 1), -1).astype(np.int32)
    return {**columns, "family": Column(family, None, ("ipv4", "ipv6"))}


def _is_counted_above(values: Mapping[str, NDArray[Any]], columns: Mapping[str, Column], places: Places) -> Mask:
    """Which rows have their flow, in that direction and namespace, at a device above theirs too."""
    above = np.zeros(len(values["netns"]), np.bool_)
    stacked = {(inode, index): found for inode, place in places.items() for index, found in place.uppers.items()}
    if not stacked:
        return above
    flow, _ = alike.groups([values["direction"], *_keys(columns)])
    for (inode, index), uppers in stacked.items():
        here = (values["netns"] == inode) & (values["ifindex"] == index)
        over = (values["netns"] == inode) & np.isin(values["ifindex"], [*uppers])
        above |= here & np.isin(flow, flow[over])
    return above


def _each(values: Mapping[str, NDArray[Any]], words: Sequence[str], say: Callable[..., str | None]) -> Column:
    """A text column by several numbers of a row; ``say`` is asked once for each combination."""
    group, rows = alike.groups([values[word] for word in words])
    distinct = zip(*(values[word][rows].tolist() for word in words), strict=True)
    return text_column([say(*combination) for combination in distinct]).take(group)


def _keys(columns: Mapping[str, Column]) -> list[Ints]:
    """What tells flows apart, in both directions alike."""
    return [part for name in _ENDS for part in alike.parts(columns[name])]


def _proto(kind: int, proto: int, ethertype: int) -> str:
    """The protocol in IP, or what the frame holds in its place."""
    if kind == IP:
        return PROTOS.get(proto, f"proto-{proto}")
    if kind == NOT_IP:
        return _ETHERTYPES.get(ethertype, f"ethertype-{ethertype:#06x}")
    return UNREAD if kind == UNREADABLE else OTHER


def _named(places: Places, inode: int) -> str | None:
    if inode in places:
        return places[inode].name
    return str(inode) if inode else None


def _device(places: Places, inode: int, index: int) -> str | None:
    known = places[inode].devices.get(index) if inode in places else None
    return known or (f"if{index}" if index else None)


def _with_cookies(columns: Mapping[str, Column]) -> Column:
    """What is received has no socket yet: it gets the cookie of what is sent between the same ends.

    Where several sockets had them one after the other, the cookie stays unknown.
    """
    cookie = columns["cookie"]
    eligible = columns["proto"].mask() & columns["src"].mask()
    flow, first = alike.groups(_keys(columns))
    least, most = np.full(len(first), np.iinfo(np.int64).max), np.zeros(len(first), np.int64)
    known = cookie.mask()
    np.minimum.at(least, flow[known], cookie.values[known])
    np.maximum.at(most, flow[known], cookie.values[known])
    joined = ~known & eligible & (least[flow] == most[flow])
    return Column(np.where(joined, most[flow], cookie.values), known | joined)


def _claims(columns: Mapping[str, Column], flows: Sequence[Table]) -> tuple[Claims, Column]:
    """Who owns which row, and by what that is known; a row that is forwarded has no owner here."""
    ways = (HOLDER, LISTENER)
    codes = np.full(len(columns["cookie"]), -1, np.int32)
    ours = columns["src"].mask() & ~columns["forwarded"].values
    found: list[Claims] = []
    searches = [(search, known, HOLDER) for search in (by_cookie, by_ends) for known in reversed(flows)]
    for search, known, way in (*searches, *((by_listener, known, LISTENER) for known in reversed(flows))):
        found.append(search(columns, np.flatnonzero((codes < 0) & ours), known))
        codes[found[-1].rows] = ways.index(way)
    return together(found), Column(codes, None, ways)


def _notes(records: Records, missed: int) -> tuple[str, ...]:
    """What the reading lacks."""
    kind, packets = records.values["kind"], records.values["packets"]
    notes = []
    if folded := int(packets[kind == OVERFLOW].sum()):
        notes.append(f"{folded} packets of flows that found no row are counted by device only (proto {OTHER!r})")
    if unread := int(packets[kind == UNREADABLE].sum()):
        notes.append(f"the headers of {unread} packets could not be read (proto {UNREAD!r})")
    if missed:
        notes.append(f"{missed} packets came while another was counted on the same CPU and are not known")
    return tuple(notes)
