# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.exporting import AT_NS, batch, sent, sflow
from tests.exports.sflowtool.received import flow, header

from fleutan.programs.status import FOLDER, Status, read, table
from fleutan.sources.exported import Exporters, decoded
from fleutan.sources.exporters import Accounts


def accounts() -> Accounts:
    found = Accounts()
    flows = sent(9, src=["10.0.0.1"], dst=["10.0.0.2"], packets=[1], bytes=[9])
    found.add(decoded(batch(sflow(flow(header())), *flows), Exporters()))
    return found


def gone() -> int:
    """The number of a process that is no more."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def test_what_is_written_is_read_while_the_process_lives_and_gone_when_it_ends(tmp_path: Path) -> None:
    with Status(tmp_path, "collect") as status:
        assert read(tmp_path, "collect") == []
        status.write({"at": 1}, {"exporters": accounts().table()})
        status.write({"at": 2}, {"exporters": accounts().table(), "problems": []})
        [one] = read(tmp_path, "collect")
        assert (one["at"], one["lives"], one["problems"]) == (2, True, [])
        assert {path.name for path in (tmp_path / FOLDER).iterdir()} == {f"collect-{os.getpid()}.json"}
        assert read(tmp_path, "record") == []
    assert read(tmp_path, "collect") == []


def test_the_last_word_of_one_that_was_killed_stays_until_another_begins(tmp_path: Path) -> None:
    Status(tmp_path, "collect", gone()).__enter__().write({"at": 1}, {})
    [one] = read(tmp_path, "collect")
    assert not one["lives"]
    with Status(tmp_path, "record"):
        assert len(read(tmp_path, "collect")) == 1
    with Status(tmp_path, "collect"):
        assert read(tmp_path, "collect") == []


def test_what_is_no_document_is_left_out(tmp_path: Path) -> None:
    with Status(tmp_path, "collect", 1) as status:  # init lives, whoever asks
        status.write({"at": 1}, {})
        (tmp_path / FOLDER / "collect-77.json").write_text("{")
        (tmp_path / FOLDER / "collect-x.json").write_text("{}")
        assert [one["lives"] for one in read(tmp_path, "collect")] == [True, False]


def test_a_disk_that_refuses_it_is_nobodys_loss(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("no directory")
    with Status(tmp_path, "collect") as status:
        status.write({"at": 1}, {})
    assert (tmp_path / FOLDER).read_text() == "no directory"


def test_a_table_comes_back(tmp_path: Path) -> None:
    found = accounts().table()
    with Status(tmp_path, "collect") as status:
        status.write({}, {"exporters": found})
        [one] = read(tmp_path, "collect")
    back = table("exporters", one["exporters"], AT_NS)
    assert list(back.rows()) == list(found.rows())
    assert list(back.columns) == list(found.columns)
    assert back.reading.at_ns == AT_NS


@pytest.mark.parametrize(
    "row",
    [
        {"exporter": None, "agent": "2001:db8::1", "protocol": None, "rates": None, "domain": None},
        {"gauge": 0.5, "count": None, "v6only": True},
    ],
)
def test_unknown_stays_unknown(row: dict[str, object]) -> None:
    assert list(table("any", [row]).rows()) == [row]


def test_keys_of_later_versions_are_left_out() -> None:
    assert list(table("exporters", [{"exporter": "10.0.0.1", "colour": 3}]).rows()) == [{"exporter": "10.0.0.1"}]
    assert len(table("exporters", [])) == 0


def test_what_a_full_disk_left_is_taken_away(tmp_path: Path) -> None:
    left = tmp_path / FOLDER / f".collect-{gone()}.json"
    left.parent.mkdir()
    left.write_text("")
    with Status(tmp_path, "collect"):
        assert not left.exists()
        (tmp_path / FOLDER / f".collect-{os.getpid()}.json").write_text("")
    assert [*(tmp_path / FOLDER).iterdir()] == []
