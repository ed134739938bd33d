# SPDX-License-Identifier: Apache-2.0
"""What runs on a host and has counters of its own: units of systemd, containers, pods; and what identifies each.

All of it is read from the paths of control groups (``linux.cgroups``).  What is in a container is its
own business: the units in it are none of this host's.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from typing import NamedTuple

from fleutan.linux.cgroups import of_path

UNIT, CONTAINER, POD = "unit", "container", "pod"
SERVICE, SCOPE = ".service", ".scope"
_WHOLE_ID = re.compile(r"[0-9a-f]{64}")
_UUID_DIGITS = 32


class Entity(NamedTuple):
    """One of them; ``key`` is what stays the same for as long as it is the same one.

    Of a container the key is its id, or its runtime and name; of a pod its uid; of a unit its path.
    ``name`` is what the path says: the unit, the id or name of a container, the uid.
    """

    kind: str
    key: str
    path: str
    name: str
    runtime: str | None = None
    pod: str | None = None


class Choice(NamedTuple):
    """Which of them are told.  Containers of pods are told where pods are not."""

    services: bool = True
    scopes: bool = False
    containers: bool = True
    pods: bool = True

    def holds(self, entity: Entity) -> bool:
        """Whether this one is told."""
        if entity.kind == CONTAINER:
            return self.containers and not (entity.pod and self.pods)
        if entity.kind == POD:
            return self.pods
        return self.scopes if entity.name.endswith(SCOPE) else self.services


def begun(path: str, around: Sequence[Entity]) -> Entity | None:
    """What begins with this group, inside of what is around it; None where nothing does."""
    kinds = {entity.kind for entity in around}
    if CONTAINER in kinds:
        return None
    told = of_path(path)
    if told.container:
        whole = _WHOLE_ID.search(path.rpartition("/")[2])
        key = whole[0] if whole else f"{told.runtime or ''}/{told.container}"
        return Entity(CONTAINER, key, path, told.container, told.runtime, told.pod)
    if kinds:
        return None
    if told.pod:
        return Entity(POD, told.pod, path, told.pod, pod=told.pod)
    if told.unit and path.endswith((SERVICE, SCOPE)):
        return Entity(UNIT, path, path, told.unit)
    return None


def identity(entity: Entity, host: bytes) -> bytes:
    """Its UUID: of containers the first half of the id, of pods the uid, else made of the host's (RFC 9562, 5.5)."""
    digits = entity.key.replace("-", "")[:_UUID_DIGITS]
    if entity.kind != UNIT and len(digits) == _UUID_DIGITS and re.fullmatch("[0-9a-f]+", digits):
        return bytes.fromhex(digits)
    space = uuid.UUID(bytes=host[:16].ljust(16, b"\0"))
    return uuid.uuid5(space, f"{entity.kind}:{entity.key}").bytes
