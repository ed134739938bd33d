# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from click.testing import CliRunner

from fleutan.faces.cli import main
from fleutan.faces.cli.decode import FORMS, command


def test_help_names_every_form() -> None:
    said = CliRunner().invoke(command, ["--help"]).output
    assert all(f"--{name}" in said for name, _, _ in FORMS)
    assert "--summary" in said


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["src 10/8", "--summary"], "--summary accounts for all datagrams: leave the filter out"),
        (["--keep-source"], "--keep-source says how datagrams are sent on: name a target with -f"),
        (["--scale"], "--scale goes with --flows and --csv"),
        (["--sockets", "2", "-r", "x"], "--sockets is for ports"),
        (["-P"], "-P plays a file: name one with -r"),
        (["-L", "srcIP", "-j"], "-L and --jsonl are different forms"),
        (["--summary", "-l"], "--summary is a form of its own"),
        (["-i", "1"], "-i goes with --summary"),
        (["-N", "9"], "-N says as what records are sent: name a collector with -c"),
        (["-d", "2055"], "-d is a collector's port: name the collector with -c"),
        (["-s"], "-s says how records are sent"),
        (["-c", "192.0.2.9", "-N", "7"], "'7' is not one of"),
        (["-p", "0"], "0 is not in the range"),
        (["--summary=xml"], "'xml' is not one of"),
    ],
)
def test_what_cannot_be_meant(typed: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["decode", *typed])
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err


def test_what_can_be_meant_is_done(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["decode", "-r", "/dev/null", "--csv", "-o", "bytes"])
    assert ended.value.code == 0
    assert capfdbinary.readouterr() == (b"bytes\r\n", b"")
