# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

from fleutan.faces.cli.doctor import command, lines
from fleutan.faces.cli.terminal import Screen
from fleutan.sources.doctor import Finding

FINDINGS = [
    Finding("kernel", "ok", "6.18"),
    Finding("libbpf", "missing", "no libbpf.so.1", "apt install libbpf1 (Debian, Ubuntu); dnf install libbpf (Fedora)"),
    Finding("owners", "degraded", "3 of 75 processes keep their descriptors to themselves"),
]


def test_findings_and_remedies_in_lines() -> None:
    assert list(lines(FINDINGS, Screen())) == [
        "ok        kernel  6.18",
        "missing   libbpf  no libbpf.so.1",
        "                  -> apt install libbpf1 (Debian, Ubuntu); dnf install libbpf (Fedora)",
        "degraded  owners  3 of 75 processes keep their descriptors to themselves",
    ]


def test_lines_are_wrapped_on_a_terminal() -> None:
    found = list(lines(FINDINGS, Screen(50, colour=True)))
    assert found[0] == "\x1b[32mok      \x1b[0m  kernel  6.18"
    assert found[2:5] == [
        "                  -> apt install libbpf1 (Debian,",
        "                     Ubuntu); dnf install libbpf",
        "                     (Fedora)",
    ]


def test_a_very_narrow_terminal_still_has_words() -> None:
    assert all(len(line) <= 38 for line in lines(FINDINGS, Screen(10)))


def test_this_host(capsys: pytest.CaptureFixture[str]) -> None:
    command.main([], standalone_mode=False)
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} <= {"ok", "degraded", "missing", "->"}


def test_this_host_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    command.main(["--json"], standalone_mode=False)
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "fleutan/doctor/1"
    assert all(list(finding) == ["topic", "status", "detail", "remedy"] for finding in document["findings"])
