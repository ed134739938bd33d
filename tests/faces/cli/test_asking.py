# SPDX-License-Identifier: Apache-2.0
"""Answers of a host whose kernel is a file of recorded sockets, and whose time passes at once."""

from __future__ import annotations

import json
import os
import pty
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fleutan.errors import FleutanError, NotSupported, UsageError
from fleutan.faces.cli.answers import Pieces, Text
from fleutan.faces.cli.asking import LINES, run, tell, write
from fleutan.faces.cli.flows import Options
from fleutan.faces.cli.plans import plan
from fleutan.faces.cli.terminal import Screen
from fleutan.linux.namespaces import Namespace
from fleutan.linux.proc import Holders
from fleutan.linux.sockdiag import Dump
from fleutan.sources.capture import Kernel, Reader
from fleutan.table import Reading, Table

DATA = Path(__file__).parents[2] / "data" / "inetdiag"
HERE = Namespace(4026531840, "host", "/here")
Typed = Callable[..., Options]


class Clock:
    """A clock that sleeping sets forward; ``slept`` are the seconds of every sleep."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_ns += int(seconds * 1e9)

    def steady_ns(self) -> int:
        return self.now_ns


def recorded(protocol: int) -> Dump:
    if protocol != 6:
        raise NotSupported("listing udp sockets", "this kernel does not offer it (no udp_diag)")
    return Dump(memoryview((DATA / "tcp.bin").read_bytes()), False)


def no_bpf() -> Any:
    raise NotSupported("BPF", "there is no libbpf.so.1", "install libbpf1")


@contextmanager
def stay(_: Namespace) -> Iterator[None]:
    yield


def host(clock: Clock | None = None, **others: Any) -> Kernel:
    clock = clock or Clock()
    given: dict[str, Any] = {
        "load": no_bpf,
        "dump": recorded,
        "holders": lambda: Holders([], [], 0),
        "protocols": dict,
        "open_files": lambda: 100,
        "socket_counts": lambda: {"TCP": 10},
        "current": lambda: HERE,
        "entered": stay,
        "interfaces": lambda: {1: "lo"},
        "user": lambda: 0,
        "steady_ns": clock.steady_ns,
        "sleep": clock.sleep,
    }
    return Kernel(**given | others)


@pytest.fixture
def ask(options: Typed, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[str, str]]:
    """What is written to standard output and to standard error."""

    def asked(*words: str, kernel: Kernel | None = None, begun: bool = False) -> tuple[str, str]:
        with Reader(kernel=kernel or host()) as reader:
            run(options(*words), reader, reader.begin() if begun else None)
        found = capsys.readouterr()
        return found.out, found.err

    return asked


@pytest.mark.parametrize("begun", [False, True])
def test_one_answer_and_what_it_lacks(begun: bool, ask: Callable[..., tuple[str, str]]) -> None:
    out, err = ask("--fields", "proto,local", "-H", begun=begun)
    assert {line.split()[0] for line in out.splitlines()} == {"tcp"}
    assert err.startswith("fleutan: note: listing udp sockets: this kernel does not offer it")
    assert err.count("\n") == 1


@pytest.mark.parametrize("begun", [False, True])
def test_what_only_bpf_knows_is_asked_of_it(begun: bool, ask: Callable[..., tuple[str, str]]) -> None:
    out, err = ask("--fields", "cpu", "-H", begun=begun)
    assert set(out.split()) == {"-"}
    assert "there is no libbpf.so.1" in err


def test_an_interval(ask: Callable[..., tuple[str, str]]) -> None:
    clock = Clock()
    out, _ = ask("-i", "3", "--json", kernel=host(clock))
    document = json.loads(out)
    assert clock.slept == [3.0]
    assert document["interval_ms"] == 3000
    assert {flow["tx_rate_bps"] for flow in document["flows"]} <= {0, None}


def test_a_filter_that_needs_an_interval_is_refused_before_anything_is_read(options: Typed) -> None:
    with (
        Reader(kernel=host(dump=lambda _: pytest.fail("it was read"))) as reader,
        pytest.raises(UsageError, match="-i"),
    ):
        run(options("tx_rate", ">", "5"), reader, None)


def test_names(ask: Callable[..., tuple[str, str]]) -> None:
    out, _ = ask("-r", "--fields", "local", "src", "127.0.0.1")
    assert out.startswith("LOCAL")


@pytest.mark.parametrize("words", [("--count", "3", "-i", "2"), ("--watch", "--count", "3")])
def test_rounds_follow_each_other(words: tuple[str, ...], ask: Callable[..., tuple[str, str]]) -> None:
    clock = Clock()
    out, err = ask(*words, "--top", "1", "--fields", "proto", kernel=host(clock))
    rounds = [part.splitlines() for part in out.split("\n\n")]
    assert [(lines[0], lines[1]) for lines in rounds] == [("PROTO", "tcp")] * 3
    assert clock.slept == [2.0] * 3
    assert err.count("note") == 1


def test_each_round_is_a_document(ask: Callable[..., tuple[str, str]]) -> None:
    out, _ = ask("--count", "2", "-i", "1", "--json", "--top", "1")
    decoder = json.JSONDecoder()
    first, end = decoder.raw_decode(out)
    second, _ = decoder.raw_decode(out[end:].lstrip())
    assert first["schema"] == second["schema"] == "fleutan/flows/1"


def test_what_an_error_says_no_note_says_before(options: Typed, capsys: pytest.CaptureFixture[str]) -> None:
    why = "packets are not counted: there is no libbpf.so.1"
    table = Table("flows", {}, Reading("web1", notes=(why,)))
    with pytest.raises(FleutanError, match=why):
        tell(plan(options("-q", "-g", "proc")), [table])
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_rounds_stay_in_place(options: Typed, capsys: pytest.CaptureFixture[str]) -> None:
    mine, theirs = pty.openpty()
    before = os.environ.copy()
    os.environ.update(TERM="xterm", COLUMNS="70", LINES="9")
    with open(theirs, "w", encoding="utf-8") as terminal, open(mine, "rb", buffering=0) as seen:
        sys.stdout, kept = terminal, sys.stdout
        try:
            with Reader(kernel=host()) as reader:
                run(options("--watch", "--count", "2", "-i", "1"), reader, None)
            terminal.flush()
            text = seen.read(65536).decode()
        finally:
            sys.stdout = kept
            os.environ.clear()
            os.environ.update(before)
    assert text.startswith("\x1b[?1049h")
    assert "\x1b[?1049l" in text
    assert "note: listing udp sockets" in text
    assert not capsys.readouterr().err


@pytest.mark.parametrize(("encoding", "bytes_"), [("utf-8", "é…\nb\n".encode()), ("ascii", b"??\nb\n")])
def test_text_is_written_in_the_encoding_of_the_output(
    encoding: str, bytes_: bytes, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    write(Text(iter(["é…"]), ["b"]), Screen(encoding=encoding))
    assert capsysbinary.readouterr().out == bytes_


def test_long_text_is_written_to_its_end(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    write(Text(map(str, range(3 * LINES + 1)), []), Screen())
    assert capsysbinary.readouterr().out.split() == [b"%d" % number for number in range(3 * LINES + 1)]


def test_pieces_are_written_as_they_are(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    write(Pieces(iter([b"\xff", b"\n"])), Screen())
    assert capsysbinary.readouterr().out == b"\xff\n"
