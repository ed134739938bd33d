# SPDX-License-Identifier: Apache-2.0
"""What a batch system knows of a job: on which nodes it ran, and from when to when.

What lives here asks whom the settings name, and finds the nodes' addresses.  What is asked of the
lake about them is known elsewhere.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple, Protocol

from fleutan.errors import FleutanError, UsageError
from fleutan.sources.jobs import oar, slurm, told
from fleutan.sources.jobs.found import Found, Unknown
from fleutan.sources.jobs.resolving import Resolve, addresses_of, resolved

#: Ids of all batch systems, arrays and parts of jobs among them; none can be taken for an option.
_IDENTITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+:@\[\]-]{0,63}")


class Lookup(Protocol):
    """Who is asked: ``source`` is "oar", "slurm", "command", "file" or "none"; each needs its own of the others."""

    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def url(self) -> str | None: ...  # noqa: D102
    @property
    def grid_url(self) -> str | None: ...  # noqa: D102
    @property
    def command(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def grid_command(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def file(self) -> Path | None: ...  # noqa: D102
    @property
    def seconds(self) -> float: ...  # noqa: D102


class Job(NamedTuple):
    """Where and when a job ran: nodes by name, all their addresses, ns UTC; ``end_ns`` is None while it runs."""

    nodes: tuple[str, ...]
    addresses: tuple[str, ...]
    start_ns: int
    end_ns: int | None


def job(identity: str, lookup: Lookup, resolve: Resolve = addresses_of) -> tuple[Job, ...]:
    """The job, which may consist of several.

    Raises UsageError for what is no id, or one that nobody knows, and if nobody is to be asked;
    FleutanError if whoever is asked does not answer, the job has not begun, or a node has no address.
    """
    return _looked_up("job", identity, lookup, resolve)


def grid_job(identity: str, lookup: Lookup, resolve: Resolve = addresses_of) -> tuple[Job, ...]:
    """The jobs that a grid job consists of.  Raises as ``job`` does."""
    return _looked_up("grid job", identity, lookup, resolve)


def _looked_up(what: str, identity: str, lookup: Lookup, resolve: Resolve) -> tuple[Job, ...]:
    if not _IDENTITY.fullmatch(identity):
        raise UsageError(f"{identity[:70]!r} is no id of a {what}")
    try:
        jobs = _job(identity, lookup) if what == "job" else _grid_job(identity, lookup)
        addresses = resolved([node for one in jobs for node in one.nodes], lookup.seconds, resolve)
    except (UsageError, Unknown) as error:
        raise UsageError(f"{what} {identity}: {error}") from None
    except FleutanError as error:
        raise FleutanError(f"{what} {identity}: {error}") from None
    return tuple(Job(one.nodes, _all(one, addresses), one.start_ns, one.end_ns) for one in jobs)


def _all(one: Found, addresses: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(address for node in one.nodes for address in addresses[node]))


def _job(identity: str, lookup: Lookup) -> list[Found]:
    if lookup.source == "oar" and lookup.url:
        return [oar.job(identity, lookup.url, lookup.seconds)]
    if lookup.source == "slurm":
        return slurm.jobs(identity, lookup.seconds)
    if lookup.source == "command" and lookup.command:
        return told.by_command(identity, lookup.command, lookup.seconds)
    if lookup.source == "file" and lookup.file:
        return told.in_file(identity, lookup.file, told.JOBS)
    raise _nobody()


def _grid_job(identity: str, lookup: Lookup) -> list[Found]:
    if lookup.source == "oar" and lookup.grid_url:
        return oar.grid_job(identity, lookup.grid_url, lookup.seconds)
    if lookup.source == "command" and lookup.grid_command:
        return told.by_command(identity, lookup.grid_command, lookup.seconds)
    if lookup.source == "file" and lookup.file:
        return told.in_file(identity, lookup.file, told.GRID_JOBS)
    raise _nobody()


def _nobody() -> UsageError:
    return UsageError("nobody is asked about these: say who in [jobs] of the configuration")
