# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from tests.protocols.netflow.flowing import MAPPED, MOMENT, NOW_NS, flow_columns

from fleutan.protocols.netflow.shapes import LONGEST, Shape, Specifier, shapes, spans, written
from fleutan.protocols.netflow.wire.templates import VARIABLE
from fleutan.records import Records


def named(shape: Shape) -> list[str]:
    return [one.column for one in shape]


@given(flow_columns())
def test_every_row_has_one_shape_of_just_what_it_knows(columns: Records) -> None:
    found = list(shapes(columns, 10))
    assert sorted(row for _, rows in found for row in rows.tolist()) == list(range(columns.rows))
    for shape, rows in found:
        for row in rows.tolist():
            known = {name for name in columns.values if name not in columns.known or columns.known[name][row]}
            assert set(named(shape)) - {""} == known


def test_families_make_shapes_and_masks_follow_their_address() -> None:
    values = {
        "src": np.array([[0, MAPPED | 1], [1, 1], [0, MAPPED | 2]]),
        "src_mask": np.array([24, 48, 16]),
    }
    four, six = sorted(shapes(Records(3, values, {}), 9), key=lambda one: one[1][0])
    assert four[0] == (Specifier("src", 0, 8, 4), Specifier("src_mask", 0, 9, 1))
    assert six[0] == (Specifier("src", 0, 27, 16), Specifier("src_mask", 0, 29, 1))
    assert (four[1].tolist(), six[1].tolist()) == ([0, 2], [1])


@pytest.mark.parametrize(("version", "element"), [(9, 232), (10, 1)])
def test_the_flow_back_is_of_an_enterprise_in_ipfix_only(version: int, element: int) -> None:
    columns = Records(1, {"reverse_bytes": np.array([1])}, {})
    ((shape, _),) = shapes(columns, version)
    assert shape == (Specifier("reverse_bytes", 29305 if version == 10 else 0, element, 8),)


def test_records_too_short_to_be_told_from_padding_are_filled_up() -> None:
    columns = Records(1, {"proto": np.array([6])}, {})
    ((shape, rows),) = shapes(columns, 10)
    assert shape == (Specifier("proto", 0, 4, 1), Specifier("", 0, 210, 3))
    assert written(columns, shape, rows, 10, MOMENT, {}).tobytes() == b"\6\0\0\0"


def test_octets_of_all_kinds_of_fields() -> None:
    values = {
        "src": np.array([[0, MAPPED | 0x0A000001]]),
        "dst": np.array([[1, 2]]),
        "sport": np.array([80]),
        "bytes": np.array([-1]),
        "src_mac": np.array([0x0242AC110002]),
        "end": np.array([NOW_NS]),
    }
    columns = Records(1, values, {})
    ((shape, rows),) = shapes(columns, 10)
    assert named(shape) == ["src", "dst", "end", "sport", "bytes", "src_mac"]
    octets = written(columns, shape, rows, 10, MOMENT, {}).tobytes()
    expected = "0a000001 0000000000000001 0000000000000002"
    assert octets == bytes.fromhex(expected) + (NOW_NS // 10**6).to_bytes(8) + bytes.fromhex(
        "0050 ffffffffffffffff 0242ac110002"
    )


def test_texts_take_the_octets_that_they_have_in_ipfix_only() -> None:
    known = {"comm": np.array([True, False, True, True])}
    values = {"pid": np.array([1, 2, 3, 4]), "comm": np.array([b"a", b"", b"long", b""])}
    columns = Records(4, values, known)
    by_rows = {tuple(rows.tolist()): shape for shape, rows in shapes(columns, 10)}
    assert by_rows.keys() == {(0, 2, 3), (1,)}
    shape = by_rows[0, 2, 3]
    assert shape == (Specifier("pid", 32473, 1, 4), Specifier("comm", 32473, 3, VARIABLE))
    found = spans(written(columns, shape, np.array([0, 2, 3]), 10, MOMENT, {}), shape)
    assert found.strings() == [b"\0\0\0\1\1a", b"\0\0\0\3\4long", b"\0\0\0\4\0"]
    assert list(shapes(columns, 9)) == [], "version 9 has no enterprises"


def test_a_text_that_is_too_long_is_cut() -> None:
    columns = Records(1, {"unit": np.array([b"u" * 400])}, {})
    ((shape, rows),) = shapes(columns, 10)
    (one,) = spans(written(columns, shape, rows, 10, MOMENT, {}), shape).strings()
    assert one == bytes([LONGEST]) + b"u" * LONGEST


def test_no_rows_and_no_columns_have_no_shape() -> None:
    assert list(shapes(Records(0, {"bytes": np.zeros(0, np.int64)}, {}), 10)) == []
    assert list(shapes(Records(2, {"exporter": np.zeros((2, 2), np.int64)}, {}), 10)) == []
