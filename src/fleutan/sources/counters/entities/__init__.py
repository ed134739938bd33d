# SPDX-License-Identifier: Apache-2.0
"""Counters of what runs on this host: units of systemd, containers, pods, each a data source of its own.

What there is comes from control groups (``finding``), whoever made them: neither systemd nor an engine
has to answer.  What each is called is asked beside (``names``), what it used is read when it is due
(``accounts``), and its number is kept (``indexes``).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple
from uuid import NAMESPACE_DNS, uuid5

import numpy as np

from fleutan.linux.cgroupstats import files
from fleutan.linux.cgroupstats.disks import SYS, Disks
from fleutan.linux.cgroupstats.groups import Groups
from fleutan.linux.cgroupstats.hierarchies import Hierarchies, hierarchies
from fleutan.linux.host.identity import identifier
from fleutan.linux.proc import PROC
from fleutan.linux.unittraffic import Moved
from fleutan.observed import ENTITY, HOST, Counters, Source
from fleutan.protocols.spans import Ints
from fleutan.sources.counters.entities import indexes
from fleutan.sources.counters.entities.accounts import Account, Around, machine
from fleutan.sources.counters.entities.finding import REFRESH_S, Finder
from fleutan.sources.counters.entities.indexes import FORGET_S, Indexes
from fleutan.sources.counters.entities.kinds import Choice, Entity, identity
from fleutan.sources.counters.entities.names import HERE, Names, Places
from fleutan.sources.counters.entities.network import Networks
from fleutan.sources.counters.hoststructures import host_descr

#: The data source that all of them are part of.
PARENT = {"container_type": HOST, "container_index": 1}
#: Seconds between two writings of the numbers at the least.
SAVE_S = 10.0

Traffic = Callable[[], Mapping[int, Moved] | None]


class Settings(NamedTuple):
    """What is told, and how often it is looked for.

    ``hostnames`` has containers called what they call themselves; ``state`` is the file where
    numbers outlive a restart, None for none.
    """

    choice: Choice = Choice()
    refresh: float = REFRESH_S
    forget: float = FORGET_S
    hostnames: bool = False
    state: str | None = None


class Host(NamedTuple):
    """Where it is looked: None for the hierarchies of this machine."""

    where: Hierarchies | None = None
    proc: str = PROC
    sys: str = SYS
    etc: str = "/etc"
    places: Places = HERE
    clock: Callable[[], float] = time.monotonic


DEFAULTS, THIS = Settings(), Host()


class Entities:
    """The data sources of what runs here.

    ``uuid`` is the host's, None for what the machine says; ``traffic`` gives what the sockets of
    control groups moved, by their ids.
    """

    def __init__(
        self, uuid: bytes | None, settings: Settings = DEFAULTS, traffic: Traffic | None = None, host: Host = THIS
    ) -> None:
        where = hierarchies() if host.where is None else host.where
        groups = Groups(where, Disks(host.sys, host.clock), host.clock)
        self._uuid, self._settings, self._traffic, self._clock = uuid or _of_host(host), settings, traffic, host.clock
        self._networks = Networks(host.proc, host.clock)
        self._around = Around(groups, self._networks, machine(host.proc), host.proc)
        self._finder = Finder(where, settings.choice, host.clock, settings.refresh)
        self._names = Names(groups.first_pid, settings.hostnames, host.places, host.clock)
        self._has_groups = bool(where.walked())
        kept, self._load_note = indexes.load(settings.state) if settings.state else ({}, "")
        self._indexes, self._saved, self._save_note = Indexes(kept), -SAVE_S, ""
        self._present: dict[Source, Entity] = {}
        self._ids: dict[str, list[int]] = {}
        self._groups, self._numbers = np.zeros(1, np.int64), np.zeros(1, np.int64)
        self._accounts: dict[bytes, Account] = {}
        self._identities: dict[str, bytes] = {}
        self._without_number = 0

    def sources(self) -> list[Source]:
        """Those that the last look found; looks on for a moment."""
        if self._finder.advance():
            self._renew()
        return list(self._present)

    def read(self, wanted: Collection[Source]) -> Iterator[Counters]:
        """The counters of these; of one that is gone there are none."""
        entities = [(source, self._present[source]) for source in wanted if source in self._present]
        moved = self._traffic() if entities and self._traffic else None
        names = os.uname()
        for source, entity in entities:
            uuid = self._identities[entity.key]
            account = self._accounts.setdefault(uuid, Account(self._around))
            structures = account.read(entity, self._moved(entity, moved))
            if structures is not None:
                name = self._names.of(entity)
                descr = host_descr(name.text, uuid, names.machine, names.release)
                # In the order in which Host sFlow sends them.
                yield Counters(source, {**structures, "host_parent": PARENT, "host_descr": descr}, name.labels)

    def of_groups(self, ids: Ints) -> Ints:
        """The numbers of the data sources that control groups of v2, by their ids, are part of; 0 where there is none.

        Of a unit and a container in it that is the container.
        """
        at = np.minimum(np.searchsorted(self._groups, ids), len(self._groups) - 1)
        return np.where(self._groups[at] == ids, self._numbers[at], 0)

    def notes(self) -> list[str]:
        """What cannot be known and why."""
        left_out = self._finder.found.left_out + self._without_number
        said = (
            "" if self._has_groups else "units and containers: there are no control groups",
            f"units and containers: {left_out} more than there are numbers for are not told" if left_out else "",
            f"containers: {self._networks.trouble}" if self._networks.trouble else "",
            self._load_note,
            self._save_note,
        )
        return [*filter(None, said), *self._names.notes()]

    def close(self) -> None:
        """Writes the numbers where they changed."""
        self._save()

    def _moved(self, entity: Entity, moved: Mapping[int, Moved] | None) -> dict[int, Moved] | None:
        """Of the entity's groups; None where it has none that sockets can belong to."""
        ids = self._ids.get(entity.key)
        if moved is None or not ids:
            return None
        return {number: moved[number] for number in ids if number in moved}

    def _renew(self) -> None:
        now, found = self._clock(), self._finder.found
        self._identities = {
            key: self._identities.get(key) or identity(entity, self._uuid) for key, entity in found.entities.items()
        }
        numbers = {key: self._indexes.of(uuid, now) for key, uuid in self._identities.items()}
        self._present = {
            Source(ENTITY, number): found.entities[key] for key, number in numbers.items() if number is not None
        }
        self._without_number = len(numbers) - len(self._present)
        innermost = {group: numbers.get(keys[-1]) or 0 for group, keys in found.ids.items()}
        pairs = np.array(sorted({0: 0, **innermost}.items()), np.int64)
        self._groups, self._numbers = pairs[:, 0], pairs[:, 1]
        self._ids = {}
        for number, keys in found.ids.items():
            for key in keys:
                self._ids.setdefault(key, []).append(number)
        for uuid in self._indexes.forget(now, self._settings.forget):
            self._accounts.pop(uuid, None)
        self._names.look(found.entities)
        if self._indexes.changed and now - self._saved >= SAVE_S:
            self._save()

    def _save(self) -> None:
        if self._settings.state and self._indexes.changed:
            self._save_note = indexes.save(self._settings.state, self._indexes.numbers())
            self._indexes.changed, self._saved = False, self._clock()


def _of_host(host: Host) -> bytes:
    """What makes units of one host others than those of another: the machine's identifier, else the host's name."""
    for path in (f"{host.etc}/machine-id", f"{host.sys}/class/dmi/id/product_uuid"):
        if found := identifier(files.text(path) or ""):
            return found
    return uuid5(NAMESPACE_DNS, os.uname().nodename).bytes
