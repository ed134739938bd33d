# SPDX-License-Identifier: Apache-2.0
"""Jobs as a command of somebody's own, or a file, tells of them.

A job is ``{"nodes": ["n1", "n2"], "start": 1700000000, "end": "2023-11-14T23:00:00Z"}``; without
an end it has not ended.  Several are a list, or ``{"jobs": [...]}``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fleutan.errors import FleutanError
from fleutan.sources.jobs.found import OCTETS, Found, Unknown, found, read_json
from fleutan.sources.jobs.running import run

#: What stands for the job's id in a command.
PLACE = "{id}"
#: Where a file has jobs, and grid jobs, by their id.
JOBS, GRID_JOBS = "jobs", "grid_jobs"


def by_command(identity: str, words: Sequence[str], seconds: float) -> list[Found]:
    """What a command says of a job.  Raises FleutanError if it fails, or says what makes no sense."""
    ran = run([word.replace(PLACE, identity) for word in words], seconds)
    if ran.status:
        raise FleutanError(f"{words[0]}: {ran.trouble or f'exit status {ran.status}'}")
    return several(read_json(ran.output))


def in_file(identity: str, path: Path, where: str) -> list[Found]:
    """What a file, TOML or JSON by its name, says of a job.  Raises FleutanError if it cannot be read."""
    jobs = _contents(path).get(where)
    if not isinstance(jobs, dict) or identity not in jobs:
        raise Unknown(f"{path} has none of that id in {where}")
    return several(jobs[identity])


def _contents(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            octets = file.read(OCTETS + 1)
        said = read_json(octets) if path.suffix == ".json" else tomllib.loads(octets.decode())
    except OSError as error:
        raise FleutanError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise FleutanError(f"{path} is not TOML: {error}") from None
    except FleutanError as error:
        raise FleutanError(f"{path}: {error}") from None
    if not isinstance(said, dict):
        raise FleutanError(f"{path} is no table of jobs")
    return said


def several(said: Any) -> list[Found]:
    """The jobs that are told.  Raises FleutanError for what makes no sense."""
    if isinstance(said, dict) and JOBS in said:
        said = said[JOBS]
    records = said if isinstance(said, list) else [said]
    if not records:
        raise Unknown("nothing is told of it")
    return [_one(record) for record in records]


def _one(record: Any) -> Found:
    if not isinstance(record, dict) or not isinstance(record.get("nodes"), list):
        raise FleutanError("what is told is no job: it has no list of nodes")
    return found(record["nodes"], record.get("start"), record.get("end"))
