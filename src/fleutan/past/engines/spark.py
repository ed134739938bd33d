# SPDX-License-Identifier: Apache-2.0
"""Spark over a lake's files, which its workers read: a driver in this process, the extra ``spark``.

Workers see the files under the names that they have here, unless ``?files=`` says another.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from fleutan.errors import FilterError, FleutanError, NotSupported
from fleutan.lake.kinds import Kind
from fleutan.past.engines.sealed import Sealed
from fleutan.past.engines.where import Where
from fleutan.past.statements import Statement
from fleutan.past.tables import tables
from fleutan.query.dialects import SPARK
from fleutan.table import Reading, Table

#: What a session has unless ``?spark.KEY=VALUE`` says otherwise.
SETTINGS = {
    "spark.app.name": "fleutan",
    "spark.ui.enabled": "false",
    "spark.log.level": "ERROR",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
}
_REMEDY = "pip install 'fleutan[spark]'"


class Spark(Sealed):
    """A lake that Spark reads; ``with`` starts a session, or takes this process's own, which stays."""

    name = "spark"
    dialect = SPARK

    def __init__(self, root: Path, where: Where) -> None:
        super().__init__(root, where)
        self._session: Any = None
        self._is_ours = False

    def __enter__(self) -> Self:
        sql = _pyspark()
        self._session = sql.SparkSession.getActiveSession()
        self._is_ours = self._session is None
        if self._is_ours:
            self._session = self._started(sql.SparkSession.builder)
        return self

    def __exit__(self, *trouble: object) -> None:
        if self._is_ours:
            self._session.stop()

    def _started(self, builder: Any) -> Any:
        location = self.where.location
        master = location if location.startswith("local") else f"spark://{location}"
        for key, value in {**SETTINGS, **self.where.options}.items():
            builder = builder.config(key, value)
        try:
            with warnings.catch_warnings(action="ignore"):
                return builder.master(master).getOrCreate()
        except Exception as error:  # Java's, by whatever class
            raise FleutanError(f"no Spark answers at {master}: {_first(error)}") from None

    def relation(self, kind: Kind, names: Sequence[str]) -> str:
        """Files as a view; columns that a file lacks are null."""
        schema = ", ".join(f"`{name}` {SPARK.type(type_)}" for name, type_ in kind.columns)
        lake = self.where.lake(self.root)
        lake = lake if "://" in lake else f"file://{lake}"
        view = f"fleutan_{kind.name}"
        try:
            reader = self._session.read.schema(schema).option("recursiveFileLookup", "true")
            reader.parquet(*(f"{lake}/{name}" for name in names)).createOrReplaceTempView(view)
        except Exception as error:  # Java's, by whatever class
            raise trouble(error) from None
        return view

    def tables(self, statement: Statement, name: str, reading: Reading) -> Iterator[Table]:
        """The answer, which Spark gathers in this process first."""
        try:
            found = self._session.sql(statement.sql, args=dict(statement.parameters)).toArrow()
        except Exception as error:  # Java's, by whatever class
            raise trouble(error) from None
        return tables(found, name, statement.names, reading)


def _pyspark() -> Any:
    """PySpark's SQL.  Raises NotSupported that names what is missing."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of pandas, which is not used
            import pyarrow  # noqa: F401
            from pyspark import sql
    except ImportError as error:
        raise NotSupported("spark://", f"{error.name} is not installed", _REMEDY) from None
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        raise NotSupported("spark://", "there is no Java on this host", "install a Java runtime, 17 or later")
    return sql


def _first(error: Exception) -> str:
    """The line that says it; of an error of Java's the one behind what was called."""
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return next((line[2:] for line in lines if line.startswith(": ")), lines[0])[:300]


def trouble(error: Exception) -> FleutanError:
    """What Spark says went wrong, in a line."""
    text = str(error)
    if "PatternSyntaxException" in text or "INVALID_PARAMETER_VALUE.PATTERN" in text:
        return FilterError("the filter cannot be evaluated: Spark does not take its regular expression")
    if "PATH_NOT_FOUND" in text or "FileNotFoundException" in text:
        return FleutanError("Spark does not see the lake's files: ?files= says where they are for it")
    return FleutanError(f"Spark: {_first(error)}")
