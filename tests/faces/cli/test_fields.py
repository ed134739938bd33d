# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

from fleutan.errors import UsageError
from fleutan.faces.cli.fields import command, table
from fleutan.fields import BY_NAME, FIELDS


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    command.main(list(words), standalone_mode=False)
    return capsys.readouterr().out


def test_every_field_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys).splitlines()
    assert lines[0].split() == ["FIELD", "KEY", "KIND", "UNIT", "MEANING"]
    assert [line.split()[0] for line in lines[1:]] == [field.name for field in FIELDS if field.of_flows]


def test_some_fields(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, "rtt_us", "peer").splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [["rtt", "rtt_us", "gauge"], ["dst", "dst", "key"]]


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (None, ["FIELD  KEY     KIND   UNIT  MEANING", f"ato    ato_us  gauge  us    {BY_NAME['ato'].help}"]),
        (
            58,
            [
                "FIELD  KEY     KIND   UNIT  MEANING",
                "ato    ato_us  gauge  us    delayed acknowledgement",
                " " * 28 + "timeout",
            ],
        ),
        (40, ["FIELD  MEANING", "ato    delayed acknowledgement timeout"]),
        (5, ["FIELD  MEANING", "ato    delayed acknowledgement", "       timeout"]),
    ],
)
def test_meanings_are_wrapped(width: int | None, lines: list[str]) -> None:
    assert list(table([BY_NAME["ato"]], width)) == lines


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(said(capsys, "--json", "rtt", "dst"))
    assert document["schema"] == "fleutan/fields/1"
    keys = ["name", "key", "kind", "type", "unit", "aliases", "help", "source"]
    assert [list(field) for field in document["fields"]] == [keys, keys]
    assert [field["unit"] for field in document["fields"]] == ["us", None]


def test_an_unknown_field() -> None:
    with pytest.raises(UsageError, match="did you mean rtt"):
        command.main(["rttt"], standalone_mode=False)
