# SPDX-License-Identifier: Apache-2.0
"""``fleutan collect``: what makes no sense, and a file that is imported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.exporting import captured, sent, sflow
from tests.exports.sflowtool.received import flow, header
from tests.faces.cli.test_cli import status_of


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--json",), "--json goes with --status"),
        (("-r", "x", "-b", "::1"), "-b is for ports"),
        (("-r", "x", "--sockets", "2"), "--sockets is for ports"),
        (("-r", "x", "--queue", "1MB"), "--queue is for ports"),
        (("-r", "x", "--status"), "leave -r out"),
        (("-p", "1", "--status"), "leave -p out"),
        (("-p", "0"), "-p"),
        (("--headers", "-1"), "--headers"),
        (("--queue", "much"), "--queue: 'much' is not a number"),
        (("--queue", "5ms"), "--queue: '5ms' does not fit"),
        (("--queue", "0"), "nothing could ever wait"),
        (("-b", "nowhere", "-p", "16343"), "'nowhere' is not an IP address"),
        (("anything",), "anything"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert status_of("collect", "--lake", str(tmp_path / "lake"), *words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "lake").exists()


def test_a_file_is_imported_and_what_could_not_be_read_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = str(tmp_path / "lake")
    told = sent(9, src=["10.0.0.1"], dst=["10.0.0.2"], packets=[3], bytes=[100])
    file = captured(tmp_path / "all.pcap", [*told, sflow(flow(header()), flow(header())), b"neither"])
    assert status_of("collect", "-r", file, "--lake", lake) == 0
    assert capsys.readouterr().err == "fleutan: note: 1 x datagram of no known protocol\n"
    query = "SELECT (SELECT sum(packets) FROM records) AS a, (SELECT count(header) FROM samples) AS b"
    assert status_of("sql", query, "--lake", lake) == 0
    assert capsys.readouterr().out.split()[-2:] == ["3", "2"]


def test_headers_are_left_out_where_that_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = str(tmp_path)
    file = captured(tmp_path / "samples.pcap", [sflow(flow(header()))])
    assert status_of("collect", "-r", file, "--lake", lake, "--headers", "0") == 0
    assert status_of("sql", "SELECT count(header) AS a, sum(dport) AS b FROM samples", "--lake", lake) == 0
    assert capsys.readouterr().out.split()[-2:] == ["0", "443"]


def test_a_file_that_is_none_and_a_lake_that_cannot_be_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of("collect", "-r", str(tmp_path / "none"), "--lake", str(tmp_path)) == 1
    file = captured(tmp_path / "some.pcap", [sflow(flow(header()))])
    assert status_of("collect", "-r", file, "--lake", file) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "cannot make a lake at" in lines[1]


def test_where_nobody_collects(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("collect", "--status", "--lake", str(tmp_path)) == 0
    assert capsys.readouterr().out == "nobody collects into this lake\n"
    assert status_of("collect", "--status", "--json", "--lake", str(tmp_path)) == 0
    assert capsys.readouterr().out == ""


def test_a_status_is_told_as_it_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / ".status"
    folder.mkdir()
    (folder / "collect-1.json").write_text('{"pid": 1, "stages": []}')
    assert status_of("collect", "--status", "--json", "--lake", str(tmp_path)) == 0
    assert json.loads(capsys.readouterr().out) == {"pid": 1, "stages": [], "lives": True}
