# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from fleutan.errors import UsageError
from fleutan.faces.cli.flows import Options, command

Typed = Callable[..., Options]


def test_options_are_the_words(options: Typed) -> None:
    found = options("tcp", "-p", "1", "-p", "a", "--json", "-i", "2", "--top", "3")
    assert found.filter == ("tcp",)
    assert found.process == ("1", "a")
    assert (found.form, found.interval, found.top) == ("json", 2.0, 3)
    assert (found.header, found.every, found.resolve) == (True, False, False)


@pytest.mark.parametrize(("words", "wanted"), [(("-r",), True), (("-n",), False), (("-r", "-n"), False), ((), False)])
def test_names_or_numbers(words: tuple[str, ...], wanted: bool, options: Typed) -> None:
    assert options(*words).resolve is wanted


@pytest.mark.parametrize(
    ("words", "form"), [((), "text"), (("--json", "--csv"), "csv"), (("--jsonl",), "jsonl"), (("--text",), "text")]
)
def test_the_last_form_is_meant(words: tuple[str, ...], form: str, options: Typed) -> None:
    assert options(*words).form == form


@pytest.mark.parametrize(
    ("words", "cpu", "filter_"),
    [
        ((), None, ()),
        (("--cpu",), "flows", ()),
        (("--cpu", "load"), "load", ()),
        (("--cpu=load",), "load", ()),
        (("--cpu", "-i", "1"), "flows", ()),
        (("--cpu", "port", "443"), "flows", ("port", "443")),
        (("--cpu", "flows", "tcp"), "flows", ("tcp",)),
        (("--", "--cpu", "load"), None, ("--cpu", "load")),
    ],
)
def test_cpu_takes_its_own_words_only(
    words: tuple[str, ...], cpu: str | None, filter_: tuple[str, ...], options: Typed
) -> None:
    found = options(*words)
    assert (found.cpu, found.filter) == (cpu, filter_)


def test_every_option_has_a_place(options: Typed) -> None:
    assert set(vars(options())) == set(Options.__annotations__)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--lat", "--vol"], "--lat and --vol are different questions"),
        (["--lat", "--vol", "--limits"], "--lat and --vol and --limits"),
        (["-4", "-6"], "-4 and -6 exclude each other"),
        (["--count", "2"], "--count goes with -i or --watch"),
        (["--cpu", "-q"], "--cpu and --qdisc are different questions"),
        (["-i", "nan"], "-i nan: say seconds, 86400 at most"),
        (["-i", "inf"], "-i inf: say seconds"),
        (["-i", "1e6"], "-i 1e\\+06: say seconds"),
        (["-N", "no such namespace"], "no network namespace called 'no such namespace'"),
    ],
)
def test_what_excludes_each_other(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        command.main(words, standalone_mode=False)


@pytest.mark.parametrize("source", ["netlink", "bpf"])
def test_this_host_is_read(source: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    if source == "bpf" and os.geteuid():
        pytest.skip("BPF iterators need root, or CAP_BPF and CAP_PERFMON")
    command.main(["-a", "--source", source, "--fields", "proto,state", "-H"], standalone_mode=False)
    assert all(len(line.split()) == 2 for line in capfdbinary.readouterr().out.splitlines())
