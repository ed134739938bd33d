# SPDX-License-Identifier: Apache-2.0
"""Spark, a master and two workers, against DuckDB; and what there is to say where it is not."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.lakes import AT, LASTS, Rows
from tests.past.engines import cluster
from tests.past.engines.questions import LATEST, QUESTIONS, Question, latest, told

from fleutan.errors import FilterError, FleutanError, NotSupported
from fleutan.past.engines.spark import SETTINGS, Spark, trouble
from fleutan.past.engines.where import Where, understood
from fleutan.past.modules import answer
from fleutan.past.request import Request
from fleutan.query.expression import Comparison, Pattern

ASKED = [number for number, question in enumerate(QUESTIONS) if not question.again]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("pyspark", reason="fleutan[spark] is not installed")
    pytest.importorskip("pyarrow", reason="fleutan[spark] is not installed")
    if not shutil.which("java"):
        pytest.skip("there is no Java")
    work = tmp_path_factory.mktemp("spark")
    with pytest.MonkeyPatch.context() as patch, cluster.running(work) as address:
        for name, value in cluster.environment(work).items():
            patch.setenv(name, value)
        yield address
        _end_gateway()


def _end_gateway() -> None:
    """Ends the process of Java that PySpark keeps for the next session."""
    from pyspark import SparkContext

    gateway: Any = SparkContext._gateway
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(cluster.DEADLINE_S)
    SparkContext._gateway = SparkContext._jvm = None


@pytest.fixture(scope="module")
def engine(address: str, kept: Path) -> Iterator[Spark]:
    with Spark(kept, understood(address)) as lake:
        yield lake


@pytest.mark.parametrize("number", ASKED, ids=lambda number: QUESTIONS[number].module)
def test_every_module_answers_as_duckdb_does(engine: Spark, right: list[Rows], number: int) -> None:
    assert told(engine, QUESTIONS[number]) == right[number]


def test_the_latest_of_a_group(engine: Spark) -> None:
    assert list(latest(engine)) == LATEST


def test_an_expression_that_it_does_not_take_is_the_filters_fault(engine: Spark) -> None:
    with pytest.raises(FilterError, match="Spark does not take its regular expression"):
        told(engine, Question("talkers", "", {}, Comparison(("comm",), "=", (Pattern("("),))))


def test_a_session_that_is_there_is_used_and_stays(engine: Spark, address: str, kept: Path, tmp_path: Path) -> None:
    session = engine._session
    with Spark(kept, Where("spark", "127.0.0.1:1", str(tmp_path))) as lake:
        assert lake._session is session
        with pytest.raises(FleutanError, match=r"Spark does not see the lake's files: \?files= says where"):
            list(answer(lake, Request("topaddr", AT, AT + LASTS)))
    assert session.range(3).count() == 3
    assert f"{session.sparkContext.master}?" in address


class Refused:
    """A builder of sessions that finds no master."""

    def __init__(self) -> None:
        self.words: dict[str, str] = {}

    def config(self, name: str, value: str) -> Refused:
        self.words[name] = value
        return self

    def master(self, name: str) -> Refused:
        return self.config("master", name)

    def getOrCreate(self) -> None:  # noqa: N802
        raise RuntimeError("An error occurred while calling None.x.\n: org.apache.spark.SparkException: gone\n\tat x")


def test_where_there_is_no_spark(tmp_path: Path) -> None:
    builder = Refused()
    where = understood("spark://one:7077,two:7077?spark.executor.memory=2g&spark.ui.enabled=true")
    with pytest.raises(FleutanError, match=r"^no Spark answers at spark://one:7077,two:7077: org\S+: gone$"):
        Spark(tmp_path, where)._started(builder)
    told = {"master": "spark://one:7077,two:7077", "spark.executor.memory": "2g", "spark.ui.enabled": "true"}
    assert builder.words == SETTINGS | told


@pytest.mark.parametrize("name", ["pyspark", "pyarrow"])
def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(NotSupported, match=r"py\w+ is not installed; pip install 'fleutan\[spark\]'"):  # noqa: SIM117
        with Spark(tmp_path, Where("spark", "local")):
            pass


def test_without_java_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("pyspark", reason="fleutan[spark] is not installed")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(NotSupported, match="there is no Java on this host"), Spark(tmp_path, Where("spark", "local")):
        pass


def test_what_java_says_becomes_a_line() -> None:
    """Whatever was called stands before it, and where it happened behind it."""
    said = "An error occurred while calling o1.x.\n: java.lang.IllegalStateException: stopped\n\tat org.apache.X"
    assert str(trouble(Exception(said))) == "Spark: java.lang.IllegalStateException: stopped"
    assert str(trouble(ValueError())) == "Spark: ValueError"
    assert str(trouble(Exception("[PATH_NOT_FOUND] x"))).startswith("Spark does not see the lake's files")
    assert isinstance(trouble(Exception("java.util.regex.PatternSyntaxException: y")), FilterError)
