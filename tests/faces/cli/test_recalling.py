# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests import lakes
from tests.lakes import AT, SECOND
from tests.past.test_flows import row

from fleutan.faces import cli


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [row(1, AT, rtt=100), row(2, AT, proto="udp", family="ipv6", src="2001:db8::1", dst="2001:db8::2")]
    return lakes.sealed(tmp_path_factory.mktemp("past") / "lake", flows=rows)


def run(capsys: pytest.CaptureFixture[str], lake: Path, *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(["flows", "--utc", *(("--lake", str(lake)) if "--lake" not in words else ()), *words])
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


def test_the_flows_of_a_moment(capsys: pytest.CaptureFixture[str], lake: Path) -> None:
    status, out, err = run(capsys, lake, "--at", f"@{AT // SECOND + 2}")
    assert (status, err) == (0, "")
    assert "c1(1)" in out
    assert "192.0.2.1#1001" in out


@pytest.mark.parametrize(
    ("words", "ports"), [(("-t",), [1001]), (("-u",), [1002]), (("-6",), [1002]), (("sport = 1001",), [1001])]
)
def test_options_choose_as_they_do_of_the_present(
    capsys: pytest.CaptureFixture[str], lake: Path, words: tuple[str, ...], ports: list[int]
) -> None:
    status, out, _ = run(capsys, lake, "--during", f"@{AT // SECOND}..@{AT // SECOND + 60}", "--json", *words)
    assert status == 0
    assert [flow["sport"] for flow in json.loads(out)["flows"]] == ports


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--at", "14:00", "--during", "today"), "--at and --during both say a time"),
        (("--at", "14:00", "-i", "5"), "--interval is of the present"),
        (("--at", "14:00", "-l"), "--listening is of the present"),
        (("--at", "when pigs fly"), ""),
        (("--at", "@1000000000"), "no flow was recorded then"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    capsys: pytest.CaptureFixture[str], lake: Path, words: tuple[str, ...], said: str
) -> None:
    status, out, err = run(capsys, lake, *words)
    assert (status, out) == (1 if "@1000000000" in words else 2, "")
    assert said in err


def test_a_lake_is_of_the_past_only(capsys: pytest.CaptureFixture[str], lake: Path) -> None:
    with pytest.raises(SystemExit):
        cli.main(["flows", "--lake", str(lake)])
    assert "--lake says where the past is" in capsys.readouterr().err
