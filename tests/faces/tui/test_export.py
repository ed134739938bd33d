# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleutan.faces.tui import export
from fleutan.faces.tui.model import Model
from fleutan.faces.tui.rounds import Round

Make = Callable[..., Any]


def document(model: Model) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(b"".join(export.pieces(model)))
    return found


def test_flows_as_they_stand(model: Model) -> None:
    found = document(model)
    assert {name: found[name] for name in ("schema", "host", "netns", "interval_ms")} == {
        "schema": "fleutan/flows/1",
        "host": "web1",
        "netns": "host",
        "interval_ms": 1000,
    }
    assert found["flows"][0]["comm"] is None
    assert [flow["cookie"] for flow in found["flows"]] == model.table.take(model.lines.rows)["cookie"].tolist()
    assert found["flows"][0]["tx_rate_bps"] == 12_000_000
    assert found["flows"][0]["limit"] == "app"
    assert "owner" not in found["flows"][0]


def test_groups_have_sums_and_medians(model: Model) -> None:
    model.open(2)
    model.toggle_group()
    found = document(model)
    assert (found["schema"], found["by"]) == ("fleutan/groups/1", ["proc"])
    assert found["groups"][0] == {
        "proc": "postgres(77)",
        "user": "root",
        "unit": "postgresql.service",
        "rtt_us_p50": 3000,
        "tx_rate_bps": 12_000_000,
        "rx_rate_bps": 80_000,
        "retrans_rate_pps": 2.5,
        "flows": 1,
    }
    assert len(found["groups"]) == 3


def test_the_history_of_a_flow(model: Model, second: Make) -> None:
    model.watch()
    found = document(model)
    assert (found["schema"], len(found["flows"]), len(found["points"])) == ("fleutan/history/1", 1, 12)
    assert found["points"][-1] == {
        "at": "2027-01-15T08:00:12Z",
        "tx_rate_bps": 12_000_000,
        "rx_rate_bps": 80_000,
        "rtt_us": 3000,
        "cwnd": 30,
        "retrans_rate_pps": 2.5,
        "limit": "app",
    }
    model.take(Round(second(13, [])))
    model.reset()
    model.take(Round(second(14, [])))
    found = document(model)
    assert (found["flows"], found["points"][0]["tx_rate_bps"]) == ([], None)


def test_other_tables(model: Model, second: Make, make_table: Make) -> None:
    drops = make_table([{"dev": "eth0", "queue": 3}], ("dev", "queue"), "drops")
    model.take(Round(second(13), others={"drops": drops}))
    model.open(9)
    found = document(model)
    assert (found["schema"], found["drops"]) == ("fleutan/drops/1", [{"dev": "eth0", "queue": 3}])


def test_a_name_is_a_plain_one(model: Model) -> None:
    assert export.name_for(model) == "fleutan-web1-20270115-080012.json"
    model.live = replace(model.live, reading=replace(model.live.reading, host="../a b"))
    assert export.name_for(model) == "fleutan-.._a_b-20270115-080012.json"


def test_no_file_is_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "half.json"

    def broken() -> Iterator[bytes]:
        yield b"{"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        export.save(str(path), broken())
    assert not path.exists()
    assert export.save(str(path), [b"{", b"}"]) == 2
    with pytest.raises(FileExistsError):
        export.save(str(path), [b"x"])
    assert path.read_bytes() == b"{}"
