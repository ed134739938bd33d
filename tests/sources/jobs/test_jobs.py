# SPDX-License-Identifier: Apache-2.0
"""Jobs by whoever is configured; what each says is tested beside."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from fleutan.errors import FleutanError, UsageError
from fleutan.sources.jobs import Job, grid_job, job

START_NS = 1_700_000_000 * 10**9
BOOK = {"a": ["192.0.2.1"], "b": ["192.0.2.2", "192.0.2.1"]}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@dataclass(frozen=True)
class Settings:
    source: str = "none"
    url: str | None = None
    grid_url: str | None = None
    command: tuple[str, ...] = ()
    grid_command: tuple[str, ...] = ()
    file: Path | None = None
    seconds: float = 10.0


def look_up(name: str) -> list[str]:
    return BOOK.get(name, [])


@pytest.fixture
def file(tmp_path: Path) -> Settings:
    path = tmp_path / "jobs.json"
    one = {"nodes": ["a", "b"], "start": 1_700_000_000}
    path.write_text(json.dumps({"jobs": {"7": one, "8": {"nodes": ["c"], "start": 1}}, "grid_jobs": {"9": [one, one]}}))
    return Settings("file", file=path)


JOB = Job(("a", "b"), ("192.0.2.1", "192.0.2.2"), START_NS, None)


def test_a_job_has_the_addresses_of_its_nodes(file: Settings) -> None:
    assert job("7", file, look_up) == (JOB,)
    assert grid_job("9", file, look_up) == (JOB, JOB)


def test_a_command_is_asked(file: Settings) -> None:
    script = 'echo "{\\"nodes\\": [\\"a\\"], \\"start\\": $1}"'
    mine = Settings(
        "command", command=("sh", "-c", script, "x", "{id}"), grid_command=("sh", "-c", script, "x", "1{id}")
    )
    assert job("7", mine, look_up)[0].start_ns == 7 * 10**9
    assert grid_job("7", mine, look_up)[0].start_ns == 17 * 10**9


def test_who_does_not_answer_is_said_with_the_job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:1/"
    with pytest.raises(FleutanError, match=r"^job 7: 127.0.0.1:1 does not answer"):
        job("7", Settings("oar", url=nowhere), look_up)
    with pytest.raises(FleutanError, match=r"^grid job 7: 127.0.0.1:1 does not answer"):
        grid_job("7", Settings("oar", grid_url=nowhere), look_up)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FleutanError, match=r"^job 7: scontrol: No such file"):
        job("7", Settings("slurm"), look_up)


@pytest.mark.parametrize("identity", ["", "-7", "7 8", "7;8", "../7", "x" * 65, "7\n", "é"])
def test_what_is_no_id_is_asked_of_nobody(file: Settings, identity: str) -> None:
    for ask in (job, grid_job):
        with pytest.raises(UsageError, match="is no id of a"):
            ask(identity, file, look_up)


@pytest.mark.parametrize("identity", ["7", "123_4", "123_[4-6]", "123+1", "123.batch", "12@rennes"])
def test_ids_of_every_batch_system_are_ids(file: Settings, identity: str) -> None:
    with pytest.raises(UsageError, match="has none of that id"):
        job(f"1{identity}", file, look_up)


@pytest.mark.parametrize("source", ["none", "oar", "command", "file"])
def test_where_nobody_is_asked_it_is_said_how(source: str) -> None:
    for ask in (job, grid_job):
        with pytest.raises(UsageError, match=r"nobody is asked about these: say who in \[jobs\]"):
            ask("7", Settings(source), look_up)


def test_slurm_has_no_grid_jobs() -> None:
    with pytest.raises(UsageError, match="nobody is asked"):
        grid_job("7", Settings("slurm"), look_up)


def test_a_node_without_address_is_said_with_the_job(file: Settings) -> None:
    with pytest.raises(FleutanError, match=r"^job 8: node c has no address") as raised:
        job("8", replace(file, seconds=10.0), look_up)
    assert not isinstance(raised.value, UsageError)
