# SPDX-License-Identifier: Apache-2.0
"""``fleutan record``, from the command line to the lake."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from fleutan.errors import UsageError
from fleutan.faces.cli import configured, main, record
from fleutan.programs.recording.settings import Settings


def typed(*words: str) -> dict[str, Any]:
    return record.command.make_context("record", list(words)).params


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        ((), Settings()),
        (("-i", "60", "-N", "web", "--source", "netlink"), Settings(60.0, "web", "netlink")),
        (("--once",), Settings(count=1, aligned=False)),
        (("--count", "5"), Settings(count=5, aligned=False)),
        (("--for", "35", "-i", "10"), Settings(count=4, aligned=False)),
        (("--for", "0.2"), Settings(count=1, aligned=False)),
        (("--paths", "5", "--packets", "128", "--one-in", "7"), Settings(paths=5.0, packets=128, one_in=7)),
    ],
)
def test_options_are_settings(words: tuple[str, ...], settings: Settings) -> None:
    assert record.settings(typed(*words)) == settings


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--once", "--for", "3"), "--once and --for"),
        (("--once", "--count", "3"), "--once and --count"),
        (("--one-in", "3"), "--packets"),
    ],
)
def test_options_that_contradict_each_other_are_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        record.settings(typed(*words))


def test_an_interval_comes_into_the_lake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["record", "--once", "-i", "0.2", "--lake", str(tmp_path / "lake"), "-N", str(os.getpid())])
    assert ended.value.code == 0
    assert (tmp_path / "lake" / ".open").is_dir()
    assert capsys.readouterr().out == ""


def test_a_lake_that_cannot_be_made_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as ended:
        main(["record", "--once", "--lake", str(tmp_path / "file" / "lake")])
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("fleutan: cannot make a lake at ")


def test_a_namespace_that_is_none_is_a_wrong_question(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["record", "--once", "--lake", str(tmp_path), "-N", "no-such-namespace-of-tests"])
    assert ended.value.code == 2
    assert "no-such-namespace-of-tests" in capsys.readouterr().err


def test_a_file_is_read_again_where_that_is_ordered(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("[record]\ninterval = 5\n")
    words = ["--config", str(file), "--count", "3"]
    with record.command.make_context("record", words) as context:
        held = configured.held(context, dict(context.params))
        assert record.settings(held.words).seconds == 5
        file.write_text('[lake]\npath = "other"\n[record]\ninterval = 60\n')
        assert held.again(record.settings) == ""
        assert record.settings(held.words).seconds == 60
        assert held.words["root"] == str(tmp_path / "other")
        for broken in ("[record]\ninterval = 0\n", "[record]\none_in = 5\n"):
            file.write_text(broken)
            assert held.again(record.settings).endswith("; what ran before goes on")
            assert record.settings(held.words).seconds == 60
