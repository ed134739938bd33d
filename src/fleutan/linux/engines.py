# SPDX-License-Identifier: Apache-2.0
"""What container engines tell of their containers: Docker's Engine API, which Podman's service speaks too.

Answers are read field by field: what is missing, or of another type, is None.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from fleutan.errors import FleutanError
from fleutan.linux import unixhttp
from fleutan.linux.jsonfields import at, items, read, text

#: Where they listen.
SOCKETS = ("/run/docker.sock", "/run/podman/podman.sock")
_ID = re.compile(r"[0-9a-f]{64}")

Get = Callable[[str, str], bytes]


class Container(NamedTuple):
    """A container: its whole id, its name, image, host name, and of Kubernetes' the pod's name and namespace."""

    id: str
    name: str | None = None
    image: str | None = None
    hostname: str | None = None
    pod: str | None = None
    namespace: str | None = None


def containers(path: str, get: Get = unixhttp.get) -> list[Container]:
    """Those that run.  Raises FleutanError where the engine does not tell."""
    return listed(get(path, "/containers/json"), path)


def inspected(path: str, container: str, get: Get = unixhttp.get) -> str | None:
    """A container's host name.  Raises FleutanError where the engine does not tell."""
    told = _json(get(path, f"/containers/{container}/json"), path)
    return text(at(told, "Config", "Hostname"))


def listed(octets: bytes, path: str = "") -> list[Container]:
    """The answer to /containers/json; what is no container is passed over.  Raises FleutanError for what is no list."""
    told = _json(octets, path)
    if not isinstance(told, list):
        raise FleutanError(f"{path}: its answer is no list of containers")
    return [made for one in told if (made := _container(one))]


def _container(told: Any) -> Container | None:
    number = text(at(told, "Id"))
    if number is None or not _ID.fullmatch(number):
        return None
    labels = at(told, "Labels")
    return Container(
        number,
        _name(at(told, "Names")),
        text(at(told, "Image")),
        None,
        text(at(labels, "io.kubernetes.pod.name")),
        text(at(labels, "io.kubernetes.pod.namespace")),
    )


def _name(told: Any) -> str | None:
    """The first that is its own: one with a second "/" is what a container that links to it calls it."""
    names = [name for one in items(told) if (name := text(one))]
    own = [name for name in names if "/" not in name[1:]]
    return next((name.removeprefix("/") for name in own or names), None) or None


def _json(octets: bytes, path: str) -> Any:
    try:
        return read(octets)
    except ValueError:
        raise FleutanError(f"{path}: its answer is no JSON") from None
