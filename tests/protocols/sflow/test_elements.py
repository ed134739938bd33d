# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.protocols.sflow.cursor import Cursor, Problem, Reason
from fleutan.protocols.sflow.elements import COUNTERS, FLOWS, Element, Forms, read_elements
from fleutan.protocols.sflow.layouts import COUNTER_FORMS, FLOW_FORMS


def tagged(tag: int, body: bytes, size: int | None = None) -> bytes:
    return struct.pack("!II", tag, len(body) if size is None else size) + body + bytes(-len(body) & 3)


def read(octets: bytes, count: int = 1, forms: Forms = FLOWS) -> tuple[list[Element], list[Problem], int]:
    cursor = Cursor(octets, 0, len(octets), [])
    return read_elements(cursor, count, forms, "flow_sample"), cursor.problems, cursor.at


def test_elements_of_known_length_and_of_changing_length() -> None:
    switch = tagged(1001, struct.pack("!4I", 1, 2, 3, 4))
    header = tagged(1, struct.pack("!4I", 1, 64, 4, 5) + b"abcde\0\0\0")
    elements, problems, at = read(switch + header, 2)
    assert elements[0] == Element(1001, FLOW_FORMS[1001][0], (1, 2, 3, 4))
    assert elements[1] == Element(1, FLOW_FORMS[1][0], (1, 64, 4, b"abcde"))
    assert elements[1].named() == {"protocol": 1, "frame_length": 64, "stripped": 4, "header": b"abcde"}
    assert (problems, at) == ([], len(switch + header))


def test_flows_and_counters_are_numbered_apart() -> None:
    octets = tagged(2101, struct.pack("!3I", 1, 2, 3))
    assert read(octets, forms=COUNTERS)[0][0].named() == {"state": 1, "cpuTime": 2, "nrVirtCpu": 3}
    element, problems, _ = read(octets)
    assert element[0].layout
    assert element[0].layout.name == "extended_socket_ipv6"
    assert problems == [Problem(Reason.CUT, 12, "extended_socket_ipv6")]


def test_unknown_structures_are_kept_and_passed_over() -> None:
    elements, problems, _ = read(tagged(2 << 12 | 1807, b"abcde") + tagged(1029, bytes(4)), 2)
    assert elements == [Element(9999, None, (), b"abcde"), Element(1029, FLOW_FORMS[1029][0], (0,))]
    assert elements[0].named() == {}
    assert problems == []


def test_longer_structures_keep_what_follows_the_known_fields() -> None:
    elements, problems, _ = read(tagged(1029, b"\0\0\0\7more"))
    assert elements == [Element(1029, FLOW_FORMS[1029][0], (7,), b"more")]
    assert problems == [Problem(Reason.TRAILING, 12, "extended_vni_egress")]


def test_shorter_structures_keep_the_fields_that_are_there() -> None:
    elements, problems, _ = read(tagged(1001, struct.pack("!2I", 1, 2) + b"ab"))
    assert elements[0].values == (1, 2)
    assert elements[0].rest == b"ab"
    assert elements[0].named() == {"src_vlan": 1, "src_priority": 2}
    assert problems == [Problem(Reason.CUT, 16, "extended_switch")]


@pytest.mark.parametrize(("size", "form", "rest"), [(80, 0, 0), (68, 1, 0), (84, 0, 4), (72, 1, 4), (64, 0, 0)])
def test_the_length_tells_which_form_was_sent(size: int, form: int, rest: int) -> None:
    elements, problems, _ = read(tagged(2003, bytes(size)), forms=COUNTERS)
    assert elements[0].layout is COUNTER_FORMS[2003][form]
    assert len(elements[0].rest) == rest
    reason = {64: [Reason.CUT], 72: [Reason.TRAILING], 84: [Reason.TRAILING]}.get(size, [])
    assert [problem.reason for problem in problems] == reason


def test_both_forms_of_a_wireless_payload() -> None:
    plain = struct.pack("!II", 1, 4) + b"abcd"
    whole = struct.pack("!5I", 1, 1, 64, 4, 4) + b"abcd"
    assert read(tagged(1013, plain))[0][0].values == (1, b"abcd")
    assert read(tagged(1013, whole))[0][0].values == (1, 1, 64, 4, b"abcd")


def test_a_length_beyond_the_sample_is_read_as_far_as_it_goes() -> None:
    elements, problems, at = read(tagged(1029, b"\0\0\0\7", size=2**32 - 1))
    assert elements[0].values == (7,)
    assert problems == [Problem(Reason.OVERRUN, 4, "0:1029")]
    assert at == 12
    elements, problems, _ = read(tagged(77, b"abcd", size=9))
    assert elements == [Element(77, None, (), b"abcd")]


def test_missing_elements_are_named() -> None:
    octets = tagged(1029, bytes(4)) + b"abc"
    elements, problems, at = read(octets, 3)
    assert len(elements) == 1
    assert problems == [Problem(Reason.MISSING, 12, "flow_sample")]
    assert at == 12


def test_elements_in_elements_go_one_level_deep() -> None:
    inner = tagged(1029, b"\0\0\0\7")
    deeper = tagged(1016, b"\0\0\0\1\0\0\0\1" + inner)
    outer = tagged(1016, struct.pack("!II", 1, 2) + inner + deeper)
    elements, problems, _ = read(outer)
    assert elements[0].values == (
        (((Element(1029, FLOW_FORMS[1029][0], (7,)), Element(1016, None, (), deeper[8:])),),),
    )
    assert problems == []


@given(st.binary(max_size=80), st.integers(0, 2**32 - 1), st.sampled_from([FLOWS, COUNTERS]), st.data())
def test_any_octets_are_read_within_their_bounds(octets: bytes, count: int, forms: Forms, data: st.DataObject) -> None:
    tag = data.draw(st.sampled_from(list(forms.others)))
    elements, problems, at = read(tagged(tag, octets, data.draw(st.integers(0, 100))), count, forms)
    assert at <= 8 + len(octets) + 3
    assert len(elements) <= 12
    assert all(problem.at <= 8 + len(octets) + 3 for problem in problems)
