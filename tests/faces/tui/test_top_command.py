# SPDX-License-Identifier: Apache-2.0
"""The command line of ``fleutan top``; that it runs is tested in ``test_run``."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from contextlib import suppress
from typing import NamedTuple

import click
import pytest

from fleutan.errors import UsageError
from fleutan.faces.cli import flows, top
from fleutan.live import Question

TOP = "import sys; from fleutan.faces.cli.top import command; command(sys.argv[1:], standalone_mode=False)"


def question(*words: str) -> Question:
    given = top.command.make_context("top", list(words)).params
    interval = given.pop("interval")
    assert interval > 0
    return top._question(given)


def test_options_are_those_of_flows() -> None:
    own = {parameter.name: parameter for parameter in top.command.params}
    theirs = {parameter.name: parameter for parameter in flows.command.params if parameter.name != "interval"}
    assert set(top.SHARED) == set(own) - {"interval", "paths"}
    assert all(own[name].opts == theirs[name].opts for name in top.SHARED if name != "resolve")


def test_options_choose_flows_as_in_flows() -> None:
    assert question("tcp", "and", "rtt", ">", "5ms").filter == "tcp and rtt > 5ms"
    found = question("-t", "-4", "-l", "-p", "nginx", "-p", "12", "--threshold", "idle_ms=5")
    assert (found.protos, found.family, found.states) == (("tcp", "mptcp"), "ipv4", "listening")
    assert found.also == ('comm = "nginx" or pid = 12',)
    assert dict(found.thresholds) == {"idle_ms": 5}
    assert (question().demanded, question("-a", "-6").states) == (frozenset(), "all")


def test_ipv4_and_ipv6_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="exclude each other"):
        question("-4", "-6")


@pytest.mark.parametrize("words", [["-i", "0"], ["-i", "x"], ["--json"]])
def test_wrong_options(words: list[str]) -> None:
    with pytest.raises(click.ClickException):
        top.command.make_context("top", words)


class Ended(NamedTuple):
    """How a program ended on a terminal, and all that it wrote."""

    status: int
    said: str


def on_terminal(*words: str, typed: str = "", kind: str = "xterm", lacking: str = "") -> Ended:
    """Runs it on a pseudo-terminal, where one of its streams may be none."""
    mine, theirs = pty.openpty()
    os.write(mine, typed.encode())
    given = {name: subprocess.DEVNULL if name == lacking else theirs for name in ("stdin", "stdout", "stderr")}
    with subprocess.Popen(
        [sys.executable, "-c", TOP, *words],
        stdin=given["stdin"],
        stdout=given["stdout"],
        stderr=given["stderr"],
        env={**os.environ, "TERM": kind},
    ) as program:
        os.close(theirs)
        written = b""
        with suppress(OSError):  # EIO: the last of those that had the terminal open has gone
            while part := os.read(mine, 65536):
                written += part
        status = program.wait(60)
    os.close(mine)
    return Ended(status, written.decode(errors="replace"))


def test_it_runs_until_q() -> None:
    ended = on_terminal("--source", "netlink", "-l", typed="q")
    assert ended.status == 0
    assert ended.said.count("\x1b[?1049h") == ended.said.count("\x1b[?1049l") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rtt >>"], "a value must follow '>'"),
        (["-N", "no-such-namespace"], "no network namespace called"),
        (["-4", "-6"], "exclude each other"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_drawn(words: list[str], said: str) -> None:
    ended = on_terminal(*words)
    assert ended.status == 1  # of an error that is raised; main() makes it 2
    assert said in ended.said
    assert "\x1b[?1049h" not in ended.said


@pytest.mark.parametrize(("stream", "name"), [("stdin", "input"), ("stdout", "output")])
def test_it_needs_a_terminal(stream: str, name: str) -> None:
    ended = on_terminal(lacking=stream)
    assert ended.status == 1
    assert f"standard {name} is none: use 'fleutan flows --watch'" in " ".join(ended.said.split())


def test_a_terminal_has_to_be_written_over() -> None:
    assert "can be written over (TERM)" in " ".join(on_terminal(kind="dumb").said.split())


def test_without_terminals_here_it_says_so() -> None:
    with pytest.raises(UsageError, match="needs a terminal"):
        top.command(["-t"], standalone_mode=False)


def test_textual_is_imported_by_this_command_only() -> None:
    code = "import sys; from fleutan.faces.cli import top; print([name for name in sys.modules if 'textual' in name])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout == "[]\n"


def test_an_interval_that_is_no_number() -> None:
    with pytest.raises(UsageError, match="-i nan: say seconds"):
        top.command.main(["-i", "nan"], standalone_mode=False)
