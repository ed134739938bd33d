# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from tests import lakes

from fleutan.config import Config, parse
from fleutan.errors import UsageError
from fleutan.faces import cli
from fleutan.faces.cli import collect, configured

FILE = b"""
[lake]
path = "lake"
flush_seconds = 2
waiting_bytes = "1 MB"
[record]
interval = 60
[collect]
ports = [9995]
queue_bytes = "8 MB"
[serve]
host = "127.0.0.2"
[serve.limits]
rows = 7
memory = "1 GB"
"""


def told(name: str, *words: str) -> dict[str, object]:
    """What a command with these options is given."""
    kept: dict[str, object] = {}

    @click.command(name)
    @click.option("--interval", type=float, default=10.0)
    @click.option("--port", "ports", type=int, multiple=True)
    @configured.option
    @click.pass_context
    def command(context: click.Context, /, **options: object) -> None:
        kept.update(options, config=configured.of(context), given=configured.given(context, options))

    found = CliRunner().invoke(command, [*words], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return kept


def test_a_file_says_what_options_are(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(FILE)
    found = told("record", "--config", str(file))
    assert (found["interval"], found["ports"]) == (60, ())
    assert found["given"] == {"interval": None, "ports": None}
    assert told("record", "--config", str(file), "--interval", "3")["interval"] == 3
    assert told("collect", "--config", str(file))["ports"] == (9995,)


def test_the_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(FILE)
    monkeypatch.setenv("FLEUTAN_CONFIG", str(file))
    found = told("record", "--port", "5")
    assert found["interval"] == 60
    assert found["given"] == {"interval": None, "ports": (5,)}


def test_without_a_file_options_are_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLEUTAN_CONFIG", raising=False)
    found = told("record")
    assert (found["interval"], found["config"]) == (10.0, Config())


def test_only_what_differs_is_said() -> None:
    config = parse(FILE, Path("/etc/settings.toml"))
    assert configured.said("collect", config) == {"lake": "/etc/lake", "ports": (9995,), "queue": str(8_000_000)}
    assert configured.said("serve", config) == {
        "lake": "/etc/lake",
        "hosts": ["127.0.0.2"],
        "rows": 7,
        "memory": "1000000000B",
    }
    assert configured.said("flows", config) == {}
    limits = configured.limits(config)
    assert (limits.flush_ns, limits.waiting_octets) == (2_000_000_000, 1_000_000)


def test_a_file_that_is_read_again_changes_what_was_not_given(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(FILE)
    told: list[object] = []

    @click.command("collect")
    @click.option("--headers", type=click.IntRange(0, 65535), default=128)
    @click.option("--port", "ports", type=int, multiple=True)
    @configured.option
    @click.pass_context
    def command(context: click.Context, /, **words: object) -> None:
        file.write_bytes(FILE + b"[lake.retention]\nrecords = { days = 2 }\n[jobs]\n")
        file.write_text(file.read_text().replace("ports = [9995]", "ports = [1]\nheaders = 64"))
        held = configured.held(context, dict(words))
        assert held.again() == ""
        told.extend((held.words, held.config.lake.retention["records"].age_ns))
        file.write_bytes(b"[collect]\nheaders = -1\n")
        assert "headers" in held.again()
        assert held.words["headers"] == 64

    found = CliRunner().invoke(command, ["--port", "5", "--config", str(file)], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    assert told == [{"headers": 64, "ports": (5,)}, 2 * 86_400 * 10**9]


def test_a_command_beside_another_has_what_its_section_says(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(FILE)
    with cli.cli.commands["serve"].make_context("serve", ["--config", str(file)]) as context:
        held = configured.held_beside(context, collect.command, {"lake": "other"})
        assert (held.words["lake"], held.words["ports"], held.words["headers"]) == ("other", (9995,), 128)
        file.write_bytes(FILE.replace(b"ports = [9995]", b"ports = [1]"))
        assert held.again() == ""
        assert (held.words["lake"], held.words["ports"]) == ("other", (1,))
        file.write_bytes(b"[collect]\nports = [0]\n")
        assert held.again().endswith("what ran before goes on")
        assert held.words["ports"] == (1,)


def test_what_is_not_put_in_order_has_nothing_to_keep_to() -> None:
    assert configured.keep(parse(b"[lake]\ncompaction = false\n", Path("x"))) is None
    kept = configured.keep(Config())
    assert kept is not None
    assert "records" in kept


@pytest.mark.parametrize("name", sorted(configured.WORDS))
def test_every_word_is_an_option_of_its_command(name: str) -> None:
    options = {parameter.name for parameter in cli.cli.commands[name].params}
    assert {word for word, _ in configured.WORDS[name]} <= options


def test_a_wrong_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(b"[record]\nintervall = 3\n")
    with pytest.raises(UsageError, match="intervall"):
        told("record", "--config", str(file))


def test_query_takes_the_lake_and_jobs_from_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lakes.sealed(tmp_path / "lake", records=lakes.records(30))
    (tmp_path / "jobs.toml").write_text('[jobs.7]\nnodes = ["10.0.0.1"]\nstart = 2026-01-15T09:00:00Z\n')
    file = tmp_path / "settings.toml"
    file.write_text('[lake]\npath = "lake"\n[jobs]\nsource = "file"\nfile = "jobs.toml"\n')
    with pytest.raises(SystemExit) as ended:
        cli.main(["query", "tuple", "--jobid", "7", "-f", "jsonl", "--config", str(file)])
    assert ended.value.code == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    meant = [row for row in lakes.records(30) if "10.0.0.1" in (row.get("src"), row.get("dst"))]
    assert len(rows) == len(meant) > 0
