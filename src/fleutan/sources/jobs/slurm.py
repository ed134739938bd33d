# SPDX-License-Identifier: Apache-2.0
"""Jobs of Slurm, by its own commands: scontrol for those that it still holds, sacct for earlier ones.

scontrol(1), sacct(1).  Times are asked for as seconds since 1970 (``SLURM_TIME_FORMAT``), since they
come in the time zone of who asks otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from fleutan.errors import FleutanError
from fleutan.sources.jobs.found import NODES, Found, Unknown, found, read_json
from fleutan.sources.jobs.running import Ran, run

#: What both commands find in their environment.
ENVIRONMENT = {"SLURM_TIME_FORMAT": "%s"}
#: A job that is in one of these has not ended: the end that Slurm tells is the one of its time limit.
GOING = {"RUNNING", "SUSPENDED", "STOPPED", "CONFIGURING", "COMPLETING", "RESIZING", "SIGNALING", "STAGE_OUT"}
WAITING = {"PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT"}
_NOTHING = {"", "None", "Unknown", "(null)", "N/A", "None assigned"}
_PART = re.compile(r"((?:[^,\[\]]|\[[^\]]*\])+)(?:,|$)")
_RANGE = re.compile(r"([0-9]+)(?:-([0-9]+))?")


def jobs(identity: str, seconds: float) -> list[Found]:
    """The job; of an array, those of its jobs that have begun.  Raises FleutanError as ``found`` and ``run`` do."""
    ran = run(["scontrol", "show", "job", identity, "--json"], seconds, ENVIRONMENT)
    if ran.status == 0 and ran.output.lstrip().startswith(b"{"):
        records = read_json(ran.output).get("jobs")
        if isinstance(records, list) and records:
            return _began(of_json, records)
    elif _is_old(ran):
        text = run(["scontrol", "--oneliner", "show", "job", identity], seconds, ENVIRONMENT)
        if text.status == 0:
            return _began(of_text, text.output.decode("utf-8", "replace").strip().splitlines())
    return _began(_of, _accounted(identity, seconds))


def _is_old(ran: Ran) -> bool:
    """Whether this scontrol knows no JSON, and took ``--json`` for something else."""
    return ran.status == 0 or "option" in ran.trouble or "json" in ran.trouble.lower()


def _accounted(identity: str, seconds: float) -> list[list[str]]:
    """State, beginning, end and nodes of each job in the accounts, which outlive it."""
    words = ["sacct", "--allocations", "--noheader", "--parsable2", "--allusers", "--format=State,Start,End,NodeList"]
    ran = run([*words, f"--jobs={identity}"], seconds, ENVIRONMENT)
    if ran.status:
        raise FleutanError(f"sacct: {ran.trouble or f'exit status {ran.status}'}")
    lines = [line.split("|", 3) for line in ran.output.decode("utf-8", "replace").splitlines()]
    if found := [line for line in lines if len(line) == 4]:
        return found
    raise Unknown("neither scontrol nor sacct knows it")


def _began(read: Callable[[Any], Found], records: Iterable[Any]) -> list[Found]:
    """Those that can be read.  Raises what the first one raised, if none can."""
    read_ones, wrong = [], FleutanError("scontrol says nothing of it")
    for record in reversed(list(records)):
        try:
            read_ones.append(read(record))
        except FleutanError as error:
            wrong = error
    if not read_ones:
        raise wrong
    return read_ones[::-1]


def of_json(record: Any) -> Found:
    """A job as scontrol's JSON has it, of the versions of its schema."""
    if not isinstance(record, dict):
        raise FleutanError("scontrol's answer is no job")
    state = record.get("job_state")
    state = state[0] if isinstance(state, list) and state else state
    times = _number(record.get("start_time")), _number(record.get("end_time"))
    return _of((str(state), *times, record.get("nodes")))


def _number(said: Any) -> Any:
    """Since Slurm 23.02 a number may say that it is none."""
    if not isinstance(said, dict):
        return said
    return said.get("number") if said.get("set") and not said.get("infinite") else None


def of_text(text: str) -> Found:
    """A job as scontrol's text has it."""
    said = dict(re.findall(r"(?:^|\s)(JobState|StartTime|EndTime|NodeList)=(\S*)", text))
    return _of((said.get("JobState", ""), said.get("StartTime"), said.get("EndTime"), said.get("NodeList")))


def _of(said: Sequence[Any]) -> Found:
    state, start, end, nodes = said
    state = (state.split() or [""])[0]  # "CANCELLED by 1000"
    if state in WAITING:
        raise FleutanError(f"it has not begun: it is {state}")
    listed = "" if nodes is None or nodes in _NOTHING else str(nodes)
    return found(expanded(listed), _time(start), None if state in GOING else _time(end))


def _time(said: Any) -> Any:
    """What ``found`` understands: a date without a zone is of this host."""
    if not isinstance(said, str) or said.isdecimal():
        return said
    if said in _NOTHING:
        return None
    try:
        return datetime.fromisoformat(said).astimezone()
    except ValueError:
        return said


def expanded(text: str) -> Iterator[str]:
    """Every name in a list of hosts: ``rack[1-2]n[01-03,7],login``.  Raises FleutanError for what is none.

    At most NODES and one more are given.
    """
    left = NODES + 1
    at = 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            raise FleutanError(f"{text[at : at + 40]!r} is no list of nodes")
        at = part.end()
        for name in _names(part[1]):
            yield name
            left -= 1
            if not left:
                return


def _names(part: str) -> Iterator[str]:
    before, bracket, rest = part.partition("[")
    if not bracket:
        yield part
        return
    inside, _, after = rest.partition("]")
    for piece in inside.split(","):
        match = _RANGE.fullmatch(piece)
        if match is None:
            raise FleutanError(f"{part[:40]!r} is no list of nodes")
        first, last = match[1], match[2] or match[1]
        for number in range(int(first), int(last) + 1):
            for name in _names(after) if after else ("",):
                yield f"{before}{number:0{len(first)}}{name}"
