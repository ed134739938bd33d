# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fleutan.errors import UsageError
from fleutan.past.jobs import Lookup, expression, found, lookups_of, narrowed
from fleutan.past.request import Request
from fleutan.query.expression import And, Comparison, Everything
from fleutan.query.filter import parse
from fleutan.sources.jobs import Job

ONE = Job(("a",), ("192.0.2.1", "2001:db8::1"), 100, 200)
RUNNING = Job(("b",), ("192.0.2.2",), 50, None)


def lookups(*jobs: Job) -> dict[str, Lookup]:
    def look(word: str) -> Sequence[Job]:
        return [job for job in jobs if job.nodes == (word,)]

    return {"jobid": look, "gridjobid": look}


def test_both_parameters_name_jobs() -> None:
    words = {"jobid": "a", "gridjobid": "b", "filter": "icmp"}
    assert found(words, lookups(ONE, RUNNING)) == [ONE, RUNNING]
    assert found({"filter": "icmp"}, lookups(ONE)) == []


def test_nobody_who_knows_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"^jobid: nobody is named who knows of jobs"):
        found({"jobid": "4"}, {})


def test_either_end_is_a_node() -> None:
    assert expression([ONE, RUNNING]) == parse("host 192.0.2.1 or host 2001:db8::1 or host 192.0.2.2")


@pytest.mark.parametrize(("jobs", "window"), [((ONE,), (100, 200)), ((ONE, RUNNING), (50, 999)), ((), (1, 2))])
def test_without_a_time_it_is_that_of_the_jobs(jobs: tuple[Job, ...], window: tuple[int, int]) -> None:
    made = narrowed(Request("traffic", 1, 2), jobs, False, 999)
    assert (made.start_ns, made.end_ns) == window
    assert (made.filter == Everything()) == (not jobs)


def test_a_time_that_is_asked_for_stays() -> None:
    request = Request("traffic", 1, 2, parse("icmp"))
    made = narrowed(request, [ONE], True, 999)
    assert (made.start_ns, made.end_ns) == (1, 2)
    assert isinstance(made.filter, And)
    assert made.filter.terms[0] == Comparison(("proto",), "=", ("icmp",))


def test_settings_say_who_knows(tmp_path: Path) -> None:
    file = tmp_path / "jobs.toml"
    file.write_text('[jobs.7]\nnodes = ["192.0.2.9"]\nstart = 5\n[grid_jobs.8]\nnodes = ["192.0.2.10"]\nstart = 6\n')
    common: dict[str, Any] = {"url": None, "grid_url": None, "command": (), "grid_command": (), "seconds": 5.0}
    settings = SimpleNamespace(source="file", file=file, **common)
    known = lookups_of(settings)
    assert [job.addresses for job in (*known["jobid"]("7"), *known["gridjobid"]("8"))] == [
        ("192.0.2.9",),
        ("192.0.2.10",),
    ]
    assert lookups_of(SimpleNamespace(source="none", file=None, **common)) == {}
