# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from tests.analysis.test_paths import path
from tests.faces.cli.conftest import table_of

from fleutan.errors import Gone
from fleutan.faces.tui.traced import Traced
from fleutan.live.paths import Answer

DEADLINE = 20.0


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < deadline


def answer(*routers: str) -> Answer:
    flows = table_of([{"dst": "10.9.0.77", "path": "p0"}, {"dst": "10.9.0.77", "path": None}])
    return Answer(flows, [path(*routers, name="p0", destination="10.9.0.77")])


def test_the_latest_answer_is_shown() -> None:
    answers = [answer("10.0.0.1", "10.9.0.77"), answer("10.0.0.2", "10.9.0.77")]
    with Traced(lambda: answers.pop(0) if len(answers) > 1 else answers[0], 0.01) as traced:
        until(lambda: len(traced.table()) and traced.table().columns["via"].objects() == ["10.0.0.2 10.9.0.77"])
        [row] = traced.table().rows()
        assert (row["path"], row["hop_count"], row["connections"], row["dst"]) == ("p0", 2, 1, "10.9.0.77")


def test_before_the_first_answer_there_is_none() -> None:
    assert len(Traced(lambda: answer("z"), 1).table()) == 0


def test_what_is_wrong_is_told_until_it_goes_well() -> None:
    fails = [Gone("the network namespace web")]

    def ask() -> Answer:
        if fails:
            raise fails.pop()
        return answer("10.9.0.77")

    with Traced(ask, 0.2) as traced:
        with pytest.raises(Gone):
            until(lambda: traced.table() and False)
        until(lambda: not fails)

        def well() -> bool:
            try:
                return len(traced.table()) == 1
            except Gone:
                return False

        until(well)
