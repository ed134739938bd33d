# SPDX-License-Identifier: Apache-2.0
"""Lakes that tests of this room ask, made once, and what asks them as a command line would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import lakes
from tests.lakes import AT, LASTS, Row, Rows

from fleutan.past.engine import Lake, Limits
from fleutan.past.modules import answer
from fleutan.past.parameters import Moment, understood
from fleutan.table import Table

Ask = Callable[..., Rows]


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Flow records, sealed."""
    return lakes.sealed(tmp_path_factory.mktemp("records"), records=lakes.records())


@pytest.fixture(scope="session")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packet samples, sealed."""
    return lakes.sealed(tmp_path_factory.mktemp("samples"), samples=lakes.samples())


@pytest.fixture(scope="session")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Flows of two hosts, sealed."""
    return lakes.sealed(tmp_path_factory.mktemp("flows"), flows=lakes.flows())


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """All three, of records some that are sealed and some that are not."""
    root = tmp_path_factory.mktemp("mixed")
    lakes.sealed(root, records=lakes.records(), samples=lakes.samples(), flows=lakes.flows())
    with lakes.unsealed(root, records=LATE):
        yield root


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake without a row."""
    return lakes.sealed(tmp_path_factory.mktemp("bare"), records=[])


#: Records that are in a tail.
LATE = lakes.records(60, 9)


def tables(root: Path, module: str, filter_: str = "", limits: Limits | None = None, **words: Any) -> list[Table]:
    """What a module answers, of all the traffic unless the parameters say otherwise."""
    given = {name.replace("_", "-"): str(value) for name, value in words.items()}
    if not set(given) & {"time", "start", "end", "from", "to", "since", "during"}:
        given |= {"start": str(AT // 10**9), "end": str((AT + LASTS) // 10**9)}
    request = understood(module, given | {"filter": filter_}, Moment(AT + LASTS)).request
    with Lake(root, limits) as lake:
        return list(answer(lake, request))


def rows(root: Path, module: str, filter_: str = "", limits: Limits | None = None, **words: Any) -> Rows:
    """The same as dicts by field name."""
    return [row for table in tables(root, module, filter_, limits, **words) for row in named(table)]


def named(table: Table) -> Rows:
    """A Table's rows by field name."""
    columns = [column.objects() for column in table.columns.values()]
    return [dict(zip(table.columns, values, strict=True)) for values in zip(*columns, strict=True)]


def pairs(found: Rows, *keys: str) -> dict[tuple[Any, ...], tuple[int, int]]:
    """Bytes and packets by keys; no key comes twice."""
    told = {tuple(row[key] for key in keys): (row["bytes"], row["packets"]) for row in found}
    assert len(told) == len(found)
    return told


def with_ip(rows_: Rows) -> Rows:
    """Rows of IP."""
    return [row for row in rows_ if row.get("src") is not None]


def first(ranked: dict[tuple[Any, ...], tuple[int, int]], most: int) -> list[tuple[tuple[Any, ...], tuple[int, int]]]:
    """The keys with most bytes, ties by the keys' halves or numbers."""

    def order(item: tuple[tuple[Any, ...], tuple[int, int]]) -> Any:
        return -item[1][0], [
            lakes.halves(key) if isinstance(key, str) and key[-1].isdigit() else key for key in item[0]
        ]

    return sorted(ranked.items(), key=order)[:most]


__all__ = ["LATE", "Row", "first", "named", "pairs", "rows", "tables", "with_ip"]
