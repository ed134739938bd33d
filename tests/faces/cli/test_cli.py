# SPDX-License-Identifier: Apache-2.0
"""Exit status and error lines, inside this process and as a process of its own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from fleutan import __version__
from fleutan.errors import NotSupported, UsageError
from fleutan.faces import cli

FLEUTAN = [sys.executable, "-c", "from fleutan.faces.cli import main; main()"]


def status_of(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(words))
    return int(ended.value.code or 0)


def process(*words: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*FLEUTAN, *words], check=False, capture_output=True, env={**os.environ, **environ})


def shell(line: str) -> subprocess.CompletedProcess[bytes]:
    """A line of bash in which ``fleutan`` is the command."""
    start = f'fleutan() {{ {FLEUTAN[0]} -c "{FLEUTAN[2]}" "$@"; }}; {line}'
    return subprocess.run(["bash", "-c", start], check=False, capture_output=True)


# -- fine


@pytest.mark.parametrize("words", [("--help",), ("-h",), (), ("flows", "--help")])
def test_help(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(*words) == 0
    said = capsys.readouterr()
    assert said.out.startswith("Usage: fleutan")
    assert not said.err


def test_every_command_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    status_of("--help")
    listed = capsys.readouterr().out.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == sorted(cli.cli.commands)
    assert not any(line.endswith("...") for line in listed)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("--version") == 0
    assert capsys.readouterr().out == f"fleutan, version {__version__}\n"


def test_the_words_are_those_of_the_process() -> None:
    found = process("--version")
    assert (found.returncode, found.stderr) == (0, b"")


# -- wrong questions


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("flows", "--nonsense"), "no such option '--nonsense'; see 'fleutan flows -h'"),
        (("--debug",), "missing command; see 'fleutan -h'"),
        (("flaws",), "no such command 'flaws'. Did you mean 'flows'?"),
        (("completion",), "missing argument 'SHELL'. Choose from: bash, zsh, fish; see 'fleutan completion -h'"),
        (("flows", "-i", "0"), "0.0 is not in the range x>=0.01; see 'fleutan flows -h'"),
        (("flows", "--fields", "rttt"), "no field is called 'rttt'; did you mean rtt?"),
    ],
)
def test_a_wrong_question_is_told_in_one_line(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if words == ("--debug",):
        with pytest.raises(click.UsageError):
            cli.main(list(words))
        return
    assert status_of(*words) == 2
    found = capsys.readouterr()
    assert found.err.startswith("fleutan: ")
    assert found.err.endswith(f"{said}\n")
    assert found.err.count("\n") == 1
    assert not found.out


def test_a_filter_is_shown_with_the_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("flows", "rttt", ">", "5") == 2
    assert capsys.readouterr().err == ("fleutan: no field is called 'rttt'; did you mean rtt?\n  rttt > 5\n  ^\n")


def test_debug_shows_where_it_came_from() -> None:
    with pytest.raises(UsageError):
        cli.main(["--debug", "flows", "--fields", "rttt"])


# -- what can go wrong at run time


def answering(error: BaseException) -> click.Command:
    """A command that fails so."""

    @click.command("fail")
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (OSError(2, "No such file or directory", "/x"), 1, "fleutan: No such file or directory: /x\n"),
        (OSError("odd"), 1, "fleutan: odd\n"),
        (MemoryError(), 1, "fleutan: out of memory\n"),
        (KeyboardInterrupt(), 130, ""),
        (click.Abort(), 130, ""),
        (BrokenPipeError(), 141, ""),
    ],
)
def test_failures(error: BaseException, status: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    cli.cli.add_command(answering(error))
    try:
        assert status_of("fail") == status
    finally:
        del cli.cli.commands["fail"]
    assert capsys.readouterr().err == said


def test_a_failure_at_run_time_is_no_wrong_question(capsys: pytest.CaptureFixture[str]) -> None:
    cli.cli.add_command(answering(NotSupported("BPF", "there is no libbpf.so.1", "install libbpf1")))
    try:
        assert status_of("fail") == 1
    finally:
        del cli.cli.commands["fail"]
    assert capsys.readouterr().err == "fleutan: BPF: there is no libbpf.so.1; install libbpf1\n"


@pytest.mark.parametrize("words", ["--help", "fields", "flows", "flows --json"])
def test_a_full_disk(words: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    found = shell(f"fleutan {words} > /dev/full")
    assert found.returncode == 1
    assert found.stderr.splitlines()[-1] == b"fleutan: No space left on device"
    assert b"Traceback" not in found.stderr
    assert b"Exception" not in found.stderr


@pytest.mark.parametrize("words", ["--help", "flows", "fields"])
def test_standard_output_may_be_closed(words: str) -> None:
    found = shell(f"fleutan {words} >&-")
    assert (found.returncode, found.stderr) == (1, b"fleutan: standard output is closed\n")


@pytest.mark.parametrize("words", ["fields --json", "--help", "flows -a"])
def test_the_reader_of_the_pipe_may_be_gone(words: str) -> None:
    found = shell(f"fleutan {words} 2>&1 | true; echo ${{PIPESTATUS[0]}}")
    assert (found.stdout, found.stderr) == (b"141\n", b"")


def test_nobody_may_listen_to_errors() -> None:
    found = shell("fleutan flows --nonsense 2>&1 | true; echo ${PIPESTATUS[0]}; fleutan flows xyz 2>&-; echo $?")
    assert (found.stdout, found.stderr) == (b"2\n2\n", b"")


def test_an_encoding_that_lacks_signs_is_no_trouble() -> None:
    found = process("fields", "--json", PYTHONIOENCODING="ascii")
    assert (found.returncode, found.stderr) == (0, b"")


def test_a_stream_that_cannot_be_set_is_left_alone() -> None:
    cli._take_any_sign(io.StringIO())
    cli._discard(io.StringIO())


# -- what is imported


def modules(*words: str) -> set[str]:
    """What a command line has imported at its end."""
    code = f"""
import sys
from fleutan.faces.cli import main
try:
    main({list(words)!r})
except SystemExit as ended:
    assert not ended.code, ended.code
print(*sys.modules, file=sys.stderr)
"""
    # Coverage measures this process too, by modules of its own.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environ)
    return set(found.stderr.split())


def test_help_imports_next_to_nothing() -> None:
    found = modules("--help")
    assert not found & {"numpy", "duckdb", "rich", "json", "fleutan.fields", "fleutan.table", "subprocess", "asyncio"}


def test_a_plain_question_imports_no_database() -> None:
    heavy = {"duckdb", "nanoarrow", "rich", "rich.console", "asyncio", "pyroute2", "logging", "pandas", "json"}
    assert not modules("flows", "--source", "netlink") & heavy
    assert not modules("flows", "--lat", "--source", "netlink") & heavy
