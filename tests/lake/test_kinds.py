# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.fields import BY_NAME
from fleutan.lake.kinds import KINDS, ROLLED_KEYS, SQL_TYPES, Kind
from fleutan.lake.kinds_host import HOST

#: What every version since has written; fields come behind these, none goes.
FIRST = {
    "records": ("time", "node", "exporter", "agent", "protocol", "domain", "received", "end", "proto", "src"),
    "counters": ("time", "node", "exporter", "agent", "domain", "ds_class", "ds_index", "structure", "counter"),
    "minutes": ("time", "node", "kind", "exporter", "domain", "in_if", "out_if", "direction", "proto", "ethertype"),
    "ends": ("time", "node", "kind", "exporter", "side", "address", "port", "proto", "flows", "packets", "bytes"),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_the_fields_are_the_catalogues_each_once_with_time_and_node_first(kind: Kind) -> None:
    assert kind.names[:2] == ("time", "node")
    assert set(kind.names) <= set(BY_NAME)
    assert len(kind.names) == len(set(kind.names))


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_field_has_a_column_and_an_address_two(kind: Kind) -> None:
    columns = [name for name, _ in kind.columns]
    assert len(columns) == len(set(columns))
    assert columns[0] == "time_ns"
    for field in kind.fields:
        if field.type == "address":
            assert columns[columns.index(f"{field.key}_hi") + 1] == f"{field.key}_lo"
        else:
            assert field.key in columns
    assert {type_ for _, type_ in kind.columns} <= {*SQL_TYPES.values(), "INTEGER"}


@pytest.mark.parametrize(("kind", "names"), FIRST.items())
def test_fields_are_added_at_the_end(kind: str, names: tuple[str, ...]) -> None:
    assert KINDS[kind].names[: len(names)] == names


def test_rollups_are_kinds_with_sums_and_know_no_address_of_rows() -> None:
    assert {kind.name for kind in KINDS.values() if kind.rolled} == {"records", "samples"}
    for name in KINDS["records"].rolled:
        assert set(ROLLED_KEYS) | {"flows", "packets", "bytes"} <= set(KINDS[name].names)
        assert not {"src", "dst", "sport", "dport"} & set(KINDS[name].names)


def test_what_a_host_records_is_kept() -> None:
    assert set(HOST) <= set(KINDS)
