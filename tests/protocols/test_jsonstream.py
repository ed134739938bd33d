# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from fleutan.protocols.jsonstream import Objects

OBJECTS = st.dictionaries(
    st.text(), st.recursive(st.one_of(st.none(), st.text(), st.integers()), st.lists, max_leaves=4)
)


@settings(max_examples=30)
@given(st.lists(OBJECTS), st.integers(1, 50), st.sampled_from([b"", b"\n", b" \r\n\t"]))
def test_objects_are_found_however_they_come(objects: list[object], size: int, between: bytes) -> None:
    whole = b"".join(json.dumps(one).encode() + between for one in objects)
    stream = Objects(10_000)
    found = [one for at in range(0, len(whole), size) for one in stream.add(whole[at : at + size])]
    assert [json.loads(one) for one in found] == objects
    assert stream.passed_over == 0


def test_what_is_no_object_is_passed_over() -> None:
    stream = Objects(100)
    assert stream.add(b'} noise "\n{"a": "}\\"{"} x {}') == [b'{"a": "}\\"{"}', b"{}"]
    assert stream.passed_over == len(b'} noise "') + 1


def test_an_object_that_is_too_long_is_passed_over() -> None:
    stream = Objects(20)
    assert stream.add(b'{"a": "' + b"x" * 20) == []
    assert stream.passed_over == 27
    assert stream.add(b'{"a": "' + b"x" * 20 + b'"}{}') == [b"{}"]
    assert stream.passed_over == 27 + 29
    assert stream.add(b'{"b": 1}') == [b'{"b": 1}']


@given(st.lists(st.binary()))
def test_no_more_is_held_than_may_be(pieces: list[bytes]) -> None:
    stream = Objects(30)
    for one in pieces:
        stream.add(one)
    assert len(stream._held) <= 30
