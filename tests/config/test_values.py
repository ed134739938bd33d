# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.config import values
from fleutan.config.values import Unknown, Value
from fleutan.lake.retention import DAY, DEFAULTS, Keep

HERE = Path("/etc")
NUMBER, WHOLE = values.number("a number", 0.5, 10), values.whole("a whole number", 1, 10)
CHOICE, PORTS = values.choice("a", "b"), values.several(values.PORT, "ports", 1)

READ: list[tuple[Value, Any, Any]] = [
    (NUMBER, 1, 1.0),
    (NUMBER, 0.5, 0.5),
    (WHOLE, 10, 10),
    (values.TRUTH, False, False),
    (values.TEXT, "Grüße", "Grüße"),
    (values.PATH, "a/b", Path("/etc/a/b")),
    (values.PATH, "/a/b", Path("/a/b")),
    (values.OCTETS, 0, 0),
    (values.OCTETS, "50 GB", 50 * 10**9),
    (values.OCTETS, "1.5KiB", 1536),
    (values.OCTETS, "7 B", 7),
    (values.ADDRESS, "::FFFF:0", "::ffff:0"),
    (values.ADDRESS, "192.0.2.1", "192.0.2.1"),
    (values.PORT, 65535, 65535),
    (CHOICE, "b", "b"),
    (PORTS, [1, 2, 1], (1, 2)),
    (values.COMMAND, ["x", "-v", "-v"], ("x", "-v", "-v")),
    (values.RETENTION, {}, dict(DEFAULTS)),
]


@pytest.mark.parametrize(("value", "said", "expected"), READ)
def test_what_is_meant_is_read(value: Value, said: Any, expected: Any) -> None:
    found = value.read(said, HERE)
    assert (found, type(found)) == (expected, type(expected))


REFUSED: list[tuple[Value, list[Any]]] = [
    (NUMBER, [0, 10.1, float("nan"), float("inf"), "1", True, None, []]),
    (WHOLE, [0, 11, 1.0, "1", True, 1 << 70]),
    (values.TRUTH, [0, "true", None]),
    (values.TEXT, ["", "a\nb", 7]),
    (values.PATH, ["", "a\0b", 7]),
    (values.OCTETS, [-1, 1.5, "", "GB", "1", "1 XB", "1,5 GB", "-1 GB", "9999999 TB", True]),
    (values.ADDRESS, ["localhost", "", 7, "10.0.0.0/8"]),
    (values.PORT, [0, 65536]),
    (CHOICE, ["c", 7, []]),
    (PORTS, [[], [0], 5, {}]),
    (values.COMMAND, [[], [7], "x"]),
    (values.RETENTION, [7, {"x": {}}, {"records": 7}, {"records": {"days": "x"}}]),
]


@pytest.mark.parametrize(("value", "said"), [(value, one) for value, several in REFUSED for one in several])
def test_what_is_not_is_refused_in_one_line(value: Value, said: Any) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        value.read(said, HERE)
    assert "\n" not in str(raised.value)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.sampled_from([value for value, *_ in READ]), ANY)
def test_any_value_is_read_or_refused(value: Value, said: Any) -> None:
    message = ""
    try:
        value.read(said, HERE)
    except ValueError as error:
        message = str(error)
    assert len(message) < 300


def test_a_long_value_is_cut() -> None:
    assert len(values.shown("x" * 1000)) == values.SHOWN


def test_bounds_of_a_kind_go_before_those_of_all() -> None:
    keep = values.RETENTION.read({"default": {"days": 7}, "hours": {"days": 0.5, "bytes": 0}}, HERE)
    assert keep["hours"] == Keep(DAY // 2, 0)
    assert keep["records"] == Keep(7 * DAY, DEFAULTS["records"].octets)


def test_an_unknown_kind_says_which_are_known() -> None:
    with pytest.raises(Unknown) as raised:
        values.RETENTION.read({"record": {}}, HERE)
    assert (raised.value.what, raised.value.word) == ("kind", "record")
    assert raised.value.known[:2] == ("default", "records")
