# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.exports.influx import lines
from fleutan.observed import Counters, Source

AT = 1_700_000_000_000_000_001
#: The line protocol's grammar; within names and tags commas, equal signs and spaces have a backslash.
WORD = r"(?:[^\\,= \n]|\\[\\,= ]|\\(?![\\,= ])(?=.))+"
VALUE = r'"(?:[^"\\\n]|\\["\\])*"|-?\d+i|-?\d+(?:\.\d+)?(?:e[+-]\d+)?|true|false'
LINE = re.compile(rf"({WORD})((?:,{WORD}={WORD})*) ((?:{WORD}=(?:{VALUE}))(?:,{WORD}=(?:{VALUE}))*) (\d+)")


def parsed(line: bytes) -> tuple[str, dict[str, str], dict[str, str], int]:
    """Measurement, tags, fields as they are written, time; an AssertionError if it is no line."""
    match = LINE.fullmatch(line.decode())
    assert match, line
    tags = [(plain(name), plain(value)) for name, value in re.findall(rf",({WORD})=({WORD})", match[2])]
    fields = [(plain(name), value) for name, value in re.findall(rf"({WORD})=({VALUE})", match[3])]
    assert len({name for name, _ in tags}) == len(tags)
    return plain(match[1]), dict(tags), dict(fields), int(match[4])


def plain(word: str) -> str:
    return re.sub(r"\\([,= ])", r"\1", word)


def written(structures: dict[str, Any], labels: dict[str, str] | None = None) -> list[Any]:
    one = Counters(Source(0, 3), structures, labels or {})
    return [parsed(line) for line in lines([one], AT, "here")]


def test_a_structure_is_a_line() -> None:
    found = lines(
        [Counters(Source(0, 3), {"if_counters": {"ifInOctets": 5, "ifType": None}}, {"dev": "eth0"})], AT, "h"
    )
    assert found == [b"if_counters,dev=eth0,host=h,source=0:3 ifInOctets=5i 1700000000000000001"]


def test_values_have_types() -> None:
    fields = {"a": True, "b": False, "c": -1, "d": 1.5, "e": 'x"\\\ny', "f": bytes(6), "g": bytes(16), "h": 1e-7}
    (line,) = written({"weather": fields})
    assert line[2] == {
        "a": "true",
        "b": "false",
        "c": "-1i",
        "d": "1.5",
        "e": '"x\\"\\\\ y"',
        "f": '"00:00:00:00:00:00"',
        "g": f'"{"00" * 16}"',
        "h": "1e-07",
    }
    assert written({"host_cpu": {"load_one": 1}})[0][2] == {"load_one": "1.0"}


def test_the_unknown_is_no_field_and_no_line() -> None:
    nothing: dict[str, Any] = {"a": None, "b": float("nan"), "c": "", "d": b"", "e": 1 << 63, "f": [], "g": {}}
    assert written({"weather": nothing, "host_cpu": {"load_one": "much"}}) == []


def test_lists_have_a_line_for_each_item() -> None:
    found = written({"sfp": {"module_id": 3, "lanes": [(1, 6000), {"index": 2, "tx_power": 5}]}}, {"dev": "eth0"})
    assert [(line[0], line[1].get("item"), line[2]) for line in found] == [
        ("sfp", None, {"module_id": "3i"}),
        ("sfp_lanes", "0", {"index": "1i", "tx_bias_current": "6000i"}),
        ("sfp_lanes", "1", {"index": "2i", "tx_power": "5i"}),
    ]


@pytest.mark.parametrize(
    ("said", "read"),
    [("a b,c=d", "a b,c=d"), (r"by\x2duuid", r"by\x2duuid"), ("end\\", "end/"), ("\\ \\", "/ /"), ("a\nb", "a b")],
)
def test_labels_are_tags(said: str, read: str) -> None:
    (line,) = written({"x y": {"z": 1}}, {"unit": said, "empty": ""})
    assert line == ("x y", {"host": "here", "source": "0:3", "unit": read}, {"z": "1i"}, AT)


@given(
    st.dictionaries(st.text(), st.text(), max_size=4),
    st.dictionaries(st.sampled_from(["a", "b c"]), st.one_of(st.none(), st.integers(), st.floats(), st.text())),
)
def test_whatever_is_observed_is_a_line(labels: dict[str, str], fields: dict[str, Any]) -> None:
    for line in written({"weather": fields}, labels):
        assert line[1]["host"] == "here"
