# SPDX-License-Identifier: Apache-2.0
"""Completion as a shell asks for it: words in, lines out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest

from fleutan.faces.cli.completion import VARIABLE, command
from fleutan.fields import FIELDS

FLEUTAN = [sys.executable, "-c", "from fleutan.faces.cli import main; main()"]


def completed(line: str) -> list[str]:
    """What bash offers for the last word of the line."""
    words = line.split(" ")
    environ = {**os.environ, VARIABLE: "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    found = subprocess.run(FLEUTAN, check=True, capture_output=True, text=True, env=environ)
    assert not found.stderr
    return [offered.partition(",")[2] for offered in found.stdout.splitlines() if offered]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("fleutan fl", ["flows"]),
        ("fleutan flows --fields min_", ["min_rtt"]),
        ("fleutan flows --fields rtt,min_", ["rtt,min_rtt"]),
        ("fleutan flows --fields local,loc", []),
        ("fleutan flows --fields loc", ["local"]),
        ("fleutan flows --sort delivery_", ["delivery_rate"]),
        ("fleutan flows -g pee", ["peer"]),
        ("fleutan flows -g proc,por", ["proc,port"]),
        ("fleutan flows -g rtt_", []),
        ("fleutan flows -N al", ["all"]),
        ("fleutan flows --bins q", ["quantile"]),
        ("fleutan flows --threshold loss_s", ["loss_share=", "loss_segments="]),
        ("fleutan flows --source n", ["netlink"]),
        ("fleutan flows portr", ["portrange"]),
        ("fleutan fields cont", ["container"]),
        ("fleutan completion z", ["zsh"]),
    ],
)
def test_words(line: str, offered: list[str]) -> None:
    assert completed(line) == offered


def test_every_field_is_offered() -> None:
    assert set(completed("fleutan flows --sort ")) == {field.name for field in FIELDS if field.of_flows}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    if shell == "bash" and not which("bash"):
        pytest.skip("there is no bash")
    command.main([shell], standalone_mode=False)
    assert VARIABLE in capsys.readouterr().out


def test_bash_takes_the_script(tmp_path: Path) -> None:
    if not which("bash"):
        pytest.skip("there is no bash")
    program = tmp_path / "fleutan"
    program.write_text(f"#!{FLEUTAN[0]}\n{FLEUTAN[2]}\n")
    program.chmod(0o755)
    line = """
        eval "$(fleutan completion bash)"
        COMP_WORDS=(fleutan flows --fields rtt,min_) COMP_CWORD=3
        _fleutan_completion fleutan
        echo "${COMPREPLY[@]}"
    """
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    found = subprocess.run(["bash", "-c", line], check=True, capture_output=True, text=True, env=environ)
    assert found.stdout.split() == ["rtt,min_rtt"]
