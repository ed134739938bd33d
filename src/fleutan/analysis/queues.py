# SPDX-License-Identifier: Apache-2.0
"""What the queues of devices carried since an earlier reading, and how evenly.

Works on the Tables ``traffic`` (counted by flow, direction, device, queue and CPU), ``queues``
and ``qdiscs``.  What CPUs and processes have to do with it is the business of ``cpus``, what
would change it that of ``advice``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from fleutan.analysis.figures import numbers
from fleutan.analysis.totals import places, totals
from fleutan.column import Column
from fleutan.fields import BY_NAME
from fleutan.table import Table

#: What a table counts by; a row with the same keys in both readings is the same thing.
IDENTITY = {
    "queues": ("netns_inode", "dev", "direction", "queue", "handle", "qdisc"),
    "qdiscs": ("netns_inode", "dev", "layer", "qdisc", "handle", "parent"),
    "cpus": ("cpu",),
    "interfaces": ("netns_inode", "dev", "direction"),
}
#: What one queue is in the tables traffic and queues.
QUEUE = ("netns", "dev", "direction", "queue")
COUNTERS = ("bytes", "packets", "segments")
#: From this multiple of its part on, the busiest queue or CPU is said to carry too much.
UNEVEN = 1.5
#: Up to this one, all are said to carry evenly.
EVEN = 1.2


class Balance(NamedTuple):
    """How a total is spread over ``parts``: ``busiest`` of them carries ``most``."""

    parts: int
    total: float
    busiest: Any
    most: float

    @property
    def share(self) -> float:
        """What the busiest carries of all, 0 to 1."""
        return self.most / self.total

    @property
    def ratio(self) -> float:
        """The busiest against the mean: 1 is even, ``parts`` is all on one."""
        return self.share * self.parts

    @property
    def uneven(self) -> bool:
        """Whether it is far from even."""
        return self.ratio >= UNEVEN

    def sentence(self, where: str, noun: str, what: str) -> str:
        """``eth0 tx: queue 2 carries 81 % of the bytes, 3.2 times an even part of 4 queues``."""
        if not self.uneven:
            how = " evenly, " if self.ratio <= EVEN else ", "
            return f"{where}: {self.parts} {noun}s carry the {what}{how}at most {self.share:.0%} each"
        return (
            f"{where}: {noun} {self.busiest} carries {self.share:.0%} of the {what}, "
            f"{self.ratio:.1f} times an even part of {self.parts} {noun}s"
        )


def since(before: Table, after: Table, interval_ns: int) -> Table:
    """The later table with its counters turned into what was counted since the earlier one.

    A thing that is new counts from 0 if it is a queueing discipline, which starts so; else, and
    where a counter went back (it was put in anew or it wrapped), the difference is unknown.
    """
    keys = IDENTITY[after.kind]
    rows = {key: row for row, key in enumerate(keys_of(before, keys))}
    match = np.array([rows.get(key, -1) for key in keys_of(after, keys)], np.int64)
    counted = {name: column for name, column in after.columns.items() if BY_NAME[name].kind == "counter"}
    columns = {name: _grown(before.columns.get(name), column, match, name) for name, column in counted.items()}
    return replace(after.with_columns(columns), reading=replace(after.reading, interval_ns=interval_ns))


#: The counters of a queueing discipline, which begin with it.
_OF_QDISC = frozenset({"qdisc_bytes", "qdisc_packets", "qdisc_drops", "overlimits", "requeues"})


def _grown(earlier: Column | None, later: Column, match: Any, name: str) -> Column:
    if earlier is None:
        return Column(later.values, np.zeros(len(later), np.bool_))
    start = np.append(earlier.values, 0)[match]
    started = np.append(earlier.mask(), name in _OF_QDISC)[match]
    grown = later.values - start
    return Column(grown, later.mask() & started & (grown >= 0))


def keys_of(table: Table, names: Sequence[str]) -> Iterable[tuple[Any, ...]]:
    """The values of some fields, row by row; for small tables."""
    return zip(*(table.columns[name].objects() for name in names), strict=True)


def with_loads(queues: Table, traffic: Table) -> Table:
    """The table of queues with the bytes, packets and segments that each carried, by the count of traffic.

    A queue without traffic carried 0.  Traffic of no queue that is known went by the device's
    only queue where it has but one.  Traffic of a queue that the table does not have (its device
    went, or its settings cannot be read) has a row with nothing else known.
    """
    loads = totals(traffic, QUEUE, COUNTERS)
    row_of = {key: row for row, key in enumerate(keys_of(queues, QUEUE))}
    sides = Counter(key[:-1] for key in row_of)
    row_of |= {(*key[:-1], None): row for key, row in row_of.items() if sides[key[:-1]] == 1}
    place = [row_of.get(key, -1) for key in keys_of(loads, QUEUE)]
    lost = np.array([row for row, found in enumerate(place) if found < 0], np.int64)
    rows = np.array([found for found in place if found >= 0], np.int64)
    kept = np.array([row for row, found in enumerate(place) if found >= 0], np.int64)
    columns = {name: _extended(column, loads.columns.get(name), lost) for name, column in queues.columns.items()}
    for name in COUNTERS:
        values = np.nan_to_num(numbers(loads, name)).astype(np.int64)
        carried = np.zeros(len(queues), np.int64)
        np.add.at(carried, rows, values[kept])
        columns[name] = Column(np.concatenate([carried, values[lost]]))
    return replace(queues, columns=columns)


def _extended(column: Column, other: Column | None, rows: Any) -> Column:
    """The column with the given rows of its namesake behind it, unknown where there is none."""
    if column.words is not None:
        words = list(column.words)
        more = [None] * len(rows) if other is None else other.take(rows).objects()
        words += [word for word in dict.fromkeys(more) if word is not None and word not in words]
        codes = [-1 if word is None else words.index(word) for word in more]
        return Column(np.concatenate([column.values, np.array(codes, np.int32)]), None, tuple(words))
    added = np.zeros(len(rows), column.values.dtype) if other is None else other.values[rows]
    known = np.zeros(len(rows), np.bool_) if other is None else other.mask()[rows]
    return Column(np.concatenate([column.values, added]), np.concatenate([column.mask(), known]))


def by_queue(traffic: Table) -> Table:
    """The volume of each flow by queue: CPUs summed up, queues in order, in each the least flow first."""
    flow = ("proto", "src", "sport", "dst", "dport", "netns_inode", "cookie")
    found = totals(traffic, (*QUEUE, *flow), COUNTERS)
    found = replace(found, columns={name: column for name, column in found.columns.items() if name != "cpu"})
    return found.take(np.lexsort([numbers(found, "bytes"), places(found, QUEUE)]))


def balances(loads: Table, counter: str = "bytes") -> dict[tuple[str, str, str], Balance]:
    """How evenly the queues of each device carry, by namespace, device and direction.

    Only of those that have several queues and carried something.
    """
    amounts: dict[tuple[str, str, str], dict[int, float]] = {}
    for (netns, dev, direction, queue), amount in zip(
        keys_of(loads, QUEUE), np.nan_to_num(numbers(loads, counter)).tolist(), strict=True
    ):
        amounts.setdefault((netns, dev, direction), {})[queue] = amount
    found = {key: balance(parts) for key, parts in amounts.items()}
    return {key: spread for key, spread in found.items() if spread is not None}


def balance(amounts: Mapping[Any, float]) -> Balance | None:
    """How evenly amounts are spread; None for fewer than two parts or for nothing at all."""
    total = sum(amounts.values())
    if len(amounts) < 2 or total <= 0:
        return None
    busiest = max(amounts, key=lambda part: amounts[part])
    return Balance(len(amounts), total, busiest, amounts[busiest])


def sentences(loads: Table, counter: str = "bytes") -> list[str]:
    """One line for every device and direction with several queues."""
    return [
        spread.sentence(f"{placed(netns, dev)} {direction}", "queue", counter)
        for (netns, dev, direction), spread in balances(loads, counter).items()
    ]


def placed(netns: str, dev: str) -> str:
    """The device, and where it is when that is not the host."""
    return dev if netns == "host" else f"{dev} in {netns}"
