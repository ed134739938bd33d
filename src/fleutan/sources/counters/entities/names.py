# SPDX-License-Identifier: Apache-2.0
"""What containers and pods are called, by whoever knows: engines at their sockets, files of runtimes, the kubelet.

All are asked beside the loop (``asking``); until one tells, a container is called by its id, and a pod
by its uid.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from fleutan.errors import FleutanError
from fleutan.linux import bundles, engines
from fleutan.linux.engines import Container, Get
from fleutan.linux.unixhttp import get
from fleutan.sources.counters.entities.asking import EVERY_S, Asking
from fleutan.sources.counters.entities.kinds import CONTAINER, POD, UNIT, Entity

#: Containers whose host name an engine is asked for in one round.
INSPECTED = 100


class Name(NamedTuple):
    """What an entity is called, and the labels that go with it."""

    text: str
    labels: Mapping[str, str]


class Places(NamedTuple):
    """Where to ask: sockets of engines, the root of the files, how a socket is asked."""

    sockets: Sequence[str] = engines.SOCKETS
    root: str = ""
    proc: str = "/proc"
    get: Get = get


class Told(NamedTuple):
    """What was told of containers by their ids and of pods by their uids, without dashes, and by whom it was not."""

    containers: Mapping[str, Container]
    pods: Mapping[str, bundles.Pod]
    notes: tuple[str, ...] = ()


#: This host's.
HERE = Places()


class Names:
    """Names of entities.  With ``hostnames`` a container is called what it calls itself.

    ``first_pid`` gives a process of a control group by its path.
    """

    def __init__(
        self,
        first_pid: Callable[[str], int | None],
        hostnames: bool = False,
        places: Places = HERE,
        clock: Callable[[], float] = time.monotonic,
        every: float = EVERY_S,
    ) -> None:
        self._first_pid, self._hostnames, self._places = first_pid, hostnames, places
        self._wanted: Mapping[str, Entity] = {}
        self._asked: frozenset[str] = frozenset()
        self._asking = Asking(self._ask, Told({}, {}), clock, every)

    def look(self, entities: Mapping[str, Entity]) -> None:
        """Has those who know asked about these, by their keys, if it is time."""
        self._wanted = {key: entity for key, entity in entities.items() if entity.kind != UNIT}
        if self._wanted:
            self._asking.look(not self._asked.issuperset(self._wanted))

    def of(self, entity: Entity) -> Name:
        """What this one is called."""
        if entity.kind == UNIT:
            return Name(entity.name, {"unit": entity.name})
        if entity.kind == POD:
            return self._pod(entity)
        return self._container(entity)

    def notes(self) -> list[str]:
        """Who did not answer, and why."""
        return [*self._asking.answer.notes, *([self._asking.trouble] if self._asking.trouble else [])]

    def _pod(self, entity: Entity) -> Name:
        pod = self._asking.answer.pods.get(entity.key.replace("-", ""))
        labels = {"pod": pod.name, "namespace": pod.namespace} if pod else {"pod": entity.key}
        return Name(labels["pod"], {**labels, "pod_uid": entity.key})

    def _container(self, entity: Entity) -> Name:
        told = self._asking.answer.containers.get(entity.key, Container(entity.key))
        name = (told.hostname if self._hostnames else None) or told.name or told.pod or told.hostname or entity.name
        labels = {
            "container": told.name or entity.name,
            "container_id": entity.name if entity.name != entity.key.rpartition("/")[2] else None,
            "runtime": entity.runtime,
            "image": told.image,
            "pod": told.pod,
            "namespace": told.namespace,
        }
        return Name(name, {key: text for key, text in labels.items() if text})

    # -- in the thread

    def _ask(self) -> Told:
        wanted, before = self._wanted, self._asking.answer.containers
        self._asked = frozenset(wanted)
        found: dict[str, Container] = {}
        notes: list[str] = []
        for path in self._places.sockets:
            if os.path.exists(path):
                try:
                    found |= self._of_engine(path, wanted, before)
                except FleutanError as error:
                    notes.append(f"names of containers: {error}")
        by_podman = bundles.podman_names(self._places.root)
        for key, entity in wanted.items():
            if entity.kind == CONTAINER and key not in found:
                known = before.get(key)
                found[key] = known if known and known.name else self._of_files(entity, by_podman)
        pods = {pod.uid.replace("-", ""): pod for pod in bundles.pods(self._places.root)}
        return Told(found, pods, tuple(notes))

    def _of_engine(
        self, path: str, wanted: Mapping[str, Entity], before: Mapping[str, Container]
    ) -> dict[str, Container]:
        told = {one.id: one for one in engines.containers(path, self._places.get) if one.id in wanted}
        if not self._hostnames:
            return told
        told = {key: one._replace(hostname=before.get(key, one).hostname) for key, one in told.items()}
        with suppress(FleutanError):  # it went meanwhile, or the engine has had enough: the rest is for the next time
            for key in [key for key, one in told.items() if not one.hostname][:INSPECTED]:
                told[key] = told[key]._replace(hostname=engines.inspected(path, key, self._places.get))
        return told

    def _of_files(self, entity: Entity, by_podman: Mapping[str, str]) -> Container:
        key = entity.key
        found = (bundles.container(key, self._places.root) if "/" not in key else None) or Container(key)
        if not found.hostname and (pid := self._first_pid(entity.path)):
            found = found._replace(hostname=bundles.hostname(pid, self._places.proc))
        return found._replace(name=found.name or by_podman.get(key))
