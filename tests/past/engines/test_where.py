# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from fleutan.errors import UsageError
from fleutan.past.engines.where import Where, understood


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("clickhouse://local", Where("clickhouse", "local")),
        ("clickhouse://ada@[::1]:8123", Where("clickhouse", "ada@[::1]:8123")),
        ("clickhouse://db:8443?files=/srv/lake", Where("clickhouse", "db:8443", "/srv/lake")),
        ("spark://local[2]", Where("spark", "local[2]")),
        (
            "spark://a:7077,b:7077?files=s3a://bucket/lake&spark.executor.memory=2g",
            Where("spark", "a:7077,b:7077", "s3a://bucket/lake", {"spark.executor.memory": "2g"}),
        ),
        ("trino://host", Where("trino", "host")),
    ],
)
def test_places(text: str, where: Where) -> None:
    assert understood(text) == where


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("spark", "'spark' is no engine"),
        ("spark://", "is no engine"),
        ("://host", "is no engine"),
        ("clickhouse://local?memory=2g", "'memory' is no option of clickhouse; there is files$"),
        ("spark://local?cores=2", "'cores' is no option of spark; there is files and Spark's own"),
        ("clickhouse://h?spark.x=1", "'spark.x' is no option of clickhouse"),
    ],
)
def test_what_is_no_place_is_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        understood(text)


def test_where_the_lake_is_for_the_engine() -> None:
    assert Where("spark", "local").lake(Path("lake")) == str(Path("lake").absolute())
    assert Where("spark", "local", "s3a://bucket/lake/").lake(Path("lake")) == "s3a://bucket/lake"
