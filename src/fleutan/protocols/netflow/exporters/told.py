# SPDX-License-Identifier: Apache-2.0
"""What option data tells of an exporter, and what holds at which place of a batch.

Sampling rates of samplers, interfaces and whole domains, and when an exporter's sysUpTime was 0.
What is told holds from its record on, not before it.

RFC 3954 8 (34, 35, 48 to 50), RFC 5477 8 and RFC 5476 6 (302 to 311), RFC 7011.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.netflow.exporters.state import State
from fleutan.protocols.netflow.wire.groups import Group
from fleutan.protocols.netflow.wire.sets import alike
from fleutan.protocols.netflow.wire.templates import Scope, places

Ints = NDArray[np.int64]

DOMAIN, SAMPLER, INTERFACE, BOOTED = "domain", "sampler", "interface", "booted"
#: Elements that name what a rate is of; others' rates are of the whole domain.
_OF = {
    "samplerId": SAMPLER,
    "selectorId": SAMPLER,
    "scopeInterface": INTERFACE,
    "ingressInterface": INTERFACE,
}
#: Elements that are a rate by themselves: one packet of so many.
_RATES = ("samplingInterval", "samplerRandomInterval")


class Told:
    """What is known of the domains of a batch, by place: the row of a set."""

    def __init__(self, state: State, scopes: list[Scope]) -> None:
        self._scopes = scopes
        self._lines: dict[tuple[int, str, int], tuple[list[int], list[int]]] = {}
        self.kinds: set[str] = set()
        for row, scope in enumerate(scopes):
            domain = state.domains.get(scope)
            for (kind, number), value in domain.told.items() if domain else ():
                self._add((row, kind, number), -1, value)

    def _add(self, key: tuple[int, str, int], place: int, value: int) -> None:
        places, values = self._lines.setdefault(key, ([], []))
        places.append(place)
        values.append(value)
        self.kinds.add(key[1])

    def learn(self, state: State, group: Group, scopes: Ints) -> None:
        """Takes what the option records of a group tell; ``scopes`` is the row of each one's scope."""
        sets = group.sets.tolist()
        for kind, numbers, values in _told(group):
            for place, scope, number, value in zip(sets, scopes.tolist(), numbers, values, strict=True):
                if value > 0:
                    state.tell(self._scopes[scope], (kind, number), value)
                    self._add((scope, kind, number), place, value)

    def settle(self) -> None:
        """Puts what was learned in order of place; before the first ``at``."""
        for key, (at, values) in self._lines.items():
            order = sorted(range(len(at)), key=at.__getitem__)
            self._lines[key] = ([at[one] for one in order], [values[one] for one in order])

    def at(self, kind: str, scopes: Ints, numbers: Ints, places: Ints) -> Ints:
        """``(n,)`` the value for each thing of that kind at its place; 0 where nothing is known."""
        found = np.zeros(len(scopes), np.int64)
        if kind not in self.kinds:
            return found
        for rows, scope, number in alike(scopes, numbers):
            line = self._lines.get((scope, kind, number))
            if line:
                values = np.array([0, *line[1]])
                found[rows] = values[np.searchsorted(line[0], places[rows], side="right")]
        return found


def _told(group: Group) -> Iterator[tuple[str, list[int], list[int]]]:
    """What, of which number, and the value, for each record."""
    names = places(group.layout.fields)
    nothing = [0] * group.rows
    if "systemInitTimeMilliseconds" in names:
        yield BOOTED, nothing, group.numbers(names["systemInitTimeMilliseconds"])[0].tolist()
    rate = rates(group, names)
    if rate is not None:
        kind, numbers = DOMAIN, nothing
        for name, of in _OF.items():
            if name in names:
                kind, numbers = of, group.numbers(names[name])[0].tolist()
                break
        yield kind, numbers, rate.tolist()


def rates(group: Group, names: dict[str, int]) -> Ints | None:
    """``(n,)`` one packet of how many each record says, 0 where not; None if it has no such field."""
    for name in _RATES:
        if name in names:
            return group.numbers(names[name])[0]
    if "samplingPacketInterval" in names:
        taken = group.numbers(names["samplingPacketInterval"])[0]
        left = group.numbers(names["samplingPacketSpace"])[0] if "samplingPacketSpace" in names else 0
        return _ratio(taken + left, taken)
    if "samplingPopulation" in names and "samplingSize" in names:
        return _ratio(group.numbers(names["samplingPopulation"])[0], group.numbers(names["samplingSize"])[0])
    return None


def _ratio(all_of_them: Ints, taken: Ints) -> Ints:
    return np.where(taken > 0, (all_of_them + taken // 2) // np.maximum(taken, 1), 0)
