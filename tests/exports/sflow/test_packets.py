# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fleutan.exports.sflow.packets import FIXED, samples
from fleutan.protocols.sflow.batches import Sampled, Structure
from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.encoder import encode_element
from fleutan.protocols.sflow.layouts import DISCARDED_PACKET, FLOW_FORMS, FLOW_SAMPLE_EXPANDED
from fleutan.protocols.sflow.layouts.xdr import Elements, Layout
from fleutan.protocols.sflow.messages import parse
from fleutan.protocols.sflow.samples import Sample
from fleutan.protocols.spans import Spans, joined

HEAD = (5).to_bytes(4, "big") + (1).to_bytes(4, "big") + bytes([192, 0, 2, 1]) + bytes(12)
SYMBOL = FLOW_FORMS[1038][0]


def heads(layout: Layout, n: int) -> dict[str, np.ndarray]:
    names = [field.name for field in layout.fields if not isinstance(field.type, Elements)]
    return {name: np.arange(n, dtype=np.int64) * 7 + place for place, name in enumerate(names)}


def read(found: list[bytes]) -> list[Sample]:
    message = parse(HEAD + len(found).to_bytes(4, "big") + b"".join(found))
    assert message.problems == ()
    return list(message.samples)


def batch(
    layout: Layout, headers: list[bytes], structures: tuple[Structure, ...] = (), ready: tuple[Spans, ...] = ()
) -> Sampled:
    n = len(headers)
    length = np.array([len(one) + 4 for one in headers], np.int64)
    return Sampled(heads(layout, n), np.ones(n, np.int64), length, np.full(n, 4), joined(headers), structures, ready)


@given(
    st.lists(st.tuples(st.binary(max_size=130), st.booleans(), st.booleans(), st.binary(max_size=9)), max_size=9),
    st.sampled_from([FLOW_SAMPLE_EXPANDED, DISCARDED_PACKET]),
)
def test_what_is_written_is_read(rows: list[tuple[bytes, bool, bool, bytes]], layout: Layout) -> None:
    """Of any headers, with or without any structures, the reader of datagrams sees what was given."""
    headers = [row[0] for row in rows]
    timed, tcp = (np.array([row[place] for row in rows], bool) for place in (1, 2))
    fields = [field.name for field in FIXED["extended_tcp_info"].fields]
    structures = (
        Structure("extended_timestamp", timed, {"nanoseconds": np.flatnonzero(timed) + (1 << 60)}),
        Structure("extended_tcp_info", tcp, {name: np.flatnonzero(tcp) + at for at, name in enumerate(fields)}),
    )
    texts = [encode_element(Element(SYMBOL.tag, SYMBOL, (row[3],))) if row[3] else b"" for row in rows]
    found = read(samples(layout, batch(layout, headers, structures, (joined(texts),))).each())
    assert len(found) == len(rows)
    for at, (header, is_timed, is_tcp, symbol) in enumerate(rows):
        sample = found[at]
        expected: list[tuple[str, tuple[object, ...]]] = []
        assert sample.layout is layout
        assert sample.values == tuple(column[at] for column in heads(layout, len(rows)).values())
        expected.append(("sampled_header", (1, len(header) + 4, 4, header)))
        if symbol:
            expected.append(("extended_function", (symbol,)))
        if is_timed:
            expected.append(("extended_timestamp", (at + (1 << 60),)))
        if is_tcp:
            expected.append(("extended_tcp_info", tuple(at + place for place in range(len(fields)))))
        assert [(one.layout.name, one.values) for one in sample.elements if one.layout] == expected


def test_no_packets_are_no_samples() -> None:
    assert samples(FLOW_SAMPLE_EXPANDED, batch(FLOW_SAMPLE_EXPANDED, [])).each() == []


def test_numbers_of_the_whole_width_stay() -> None:
    given_ = batch(FLOW_SAMPLE_EXPANDED, [b"x"])
    head = {**given_.head, "sample_pool": np.array([0xFFFF_FFFF]), "output_value": np.array([0x3FFF_FFFF])}
    (found,) = read(samples(FLOW_SAMPLE_EXPANDED, Sampled(head, *(np.array([1]),) * 3, joined([b"x"]))).each())
    assert (found.named()["sample_pool"], found.named()["output_value"]) == (0xFFFF_FFFF, 0x3FFF_FFFF)
