# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from fleutan.errors import FleutanError
from fleutan.sources.jobs import running
from fleutan.sources.jobs.running import Ran, run


def test_what_a_program_says_and_complains_about() -> None:
    script = "printf 'a b'; printf 'first\\n  last  line \\n\\n' >&2; exit 3"
    assert run(["sh", "-c", script], 10) == Ran(3, b"a b", "last line")


def test_it_reads_nothing_and_has_what_is_added_to_its_environment() -> None:
    assert run(["sh", "-c", "cat; echo $MINE $HOME"], 10, {"MINE": "x"}).output.split()[0] == b"x"


def test_words_are_seen_by_no_shell() -> None:
    assert run(["printf", "%s", "$HOME; `id`"], 10) == Ran(0, b"$HOME; `id`", "")


@pytest.mark.parametrize(
    ("word", "what"), [("/none/at/all", "No such file"), ("/etc", "Permission denied"), ("a\0", "null")]
)
def test_what_cannot_be_run_is_said(word: str, what: str) -> None:
    with pytest.raises(FleutanError, match=what):
        run([word], 10)


def test_what_takes_too_long_ends_with_all_that_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 1000 & echo $! $$ > {pids}.new; mv {pids}.new {pids}; wait"
    with pytest.raises(FleutanError, match=r"sh takes longer than 1 s"):
        run(["sh", "-c", script], 1)
    deadline = time.monotonic() + 10
    for pid in map(int, pids.read_text().split()):
        while running_still(pid):
            assert time.monotonic() < deadline


def running_still(pid: int) -> bool:
    """Whether it is there, and not merely waited for by nobody."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        os.kill(pid, 0)
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_no_more_than_an_answer_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "OCTETS", 10)
    assert len(run(["sh", "-c", "printf '%0100d' 7"], 10).output) == 11
