# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.fields import BY_NAME
from fleutan.lake.kinds_host import HOST


@pytest.mark.parametrize("kind", HOST)
def test_the_fields_are_the_catalogues_each_once_and_time_is_the_first(kind: str) -> None:
    assert HOST[kind][0] == "time"
    assert set(HOST[kind]) <= set(BY_NAME)
    assert len(HOST[kind]) == len(set(HOST[kind]))


def test_rows_of_intervals_say_how_long_it_was() -> None:
    assert {kind for kind, names in HOST.items() if "interval" in names} == {"flows", "drops", "queues"}
