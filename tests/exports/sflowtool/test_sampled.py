# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
from tests.exports.sflowtool.received import PACKET, counter_element, counters, discard, flow, flow_element, header

from fleutan.exports.sflowtool.legacy import _COLUMN_OF
from fleutan.exports.sflowtool.rows import DROP, FLOW
from fleutan.exports.sflowtool.sampled import ODD, counter_lines, drop_lines, flow_lines, reasons_of
from fleutan.exports.sflowtool.samples import sample_parts
from fleutan.protocols.sflow.columns import Walk, walk
from fleutan.protocols.sflow.encoder import encode
from fleutan.protocols.sflow.layouts import FLOW_FORMS
from fleutan.protocols.sflow.layouts.xdr import Fixed
from fleutan.protocols.sflow.messages import Message
from fleutan.protocols.sflow.samples import Sample
from fleutan.protocols.spans import joined


def walked(*samples: Sample) -> Walk:
    return walk(joined([encode(Message(5, bytes([10, 9, 8, 7]), 0, 7, 1000, len(samples), samples))]))


def test_usual_samples_are_rows_and_odd_ones_lines() -> None:
    odd = flow(flow_element(3, 60, 47, bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]), 10, 20, 18, 40))
    found = flow_lines(walked(flow(header(), sampling_rate=7), odd, discard(header()), flow(sampling_rate=9)))
    assert found.places.tolist() == [0, 3]
    assert found.rows.kind.tolist() == [FLOW] * 2
    assert found.rows.last.tolist() == [7, 9]
    assert found.rows.dport.tolist() == [443, 0]
    [(place, line)] = found.others
    assert place == 1
    assert line.startswith(b"FLOW,10.9.8.7,3,4,")
    assert line.endswith(b",60,60,400\n")


def test_only_what_is_kept_has_lines() -> None:
    some = walked(flow(header()), flow(header(), header()), flow(header()))
    assert flow_lines(some, np.array([False, False, True])).places.tolist() == [2]
    assert not flow_lines(some, np.array([True, False, False])).others
    assert [place for place, _ in flow_lines(some, np.array([False, True, False])).others] == [1]


def test_drops_have_their_reason() -> None:
    found = drop_lines(walked(flow(header()), discard(header(), reason=258)))
    assert (found.rows.kind.tolist(), found.rows.last.tolist(), found.places.tolist()) == ([DROP], [258], [1])
    assert reasons_of([258]) == [b"acl"]


def test_of_several_interfaces_in_a_sample_the_last_counts() -> None:
    one, two = counter_element(1, *range(19)), counter_element(1, *range(1, 20))
    found = counter_lines(walked(flow(), counters(one, two), counters(counter_element(2101, 1, 2, 3)), counters(one)))
    assert [place for place, _ in found] == [1, 3]
    assert [line.split(b",")[2] for _, line in found] == [b"1", b"0"]
    assert counter_lines(walked(flow())) == []


def test_no_structure_that_fills_columns_is_forgotten() -> None:
    """Structures of fixed fields whose print has a name that a column is read from are read, or are odd."""
    for tag, forms in FLOW_FORMS.items():
        for layout in forms:
            if all(isinstance(field.type, Fixed) for field in layout.fields):
                values = [bytes(field.type.size) if field.type.code.endswith(("s", "x")) else 0
                          for field in layout.fields if isinstance(field.type, Fixed)]  # fmt: skip
                pieces = sample_parts(flow(flow_element(tag, *values)), faithful=False).pieces[1:]
                names = {name for outline, _ in pieces for name, _ in outline.entries}
                assert not names & _COLUMN_OF.keys() or tag in (1001, *ODD), layout.name


def test_a_header_that_is_cut_says_nothing() -> None:
    octets = encode(Message(5, bytes([10, 9, 8, 7]), 0, 7, 1000, 1, (flow(header(PACKET)),)))
    found = flow_lines(walk(joined([octets[:-8]])))
    assert (found.places.tolist(), found.others) == ([0], [])
    assert not found.rows.ends_known[0]
