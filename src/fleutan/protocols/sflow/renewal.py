# SPDX-License-Identifier: Apache-2.0
"""Datagrams of versions 2 and 4 written anew as version 5, so that one reader of columns is enough.

What lives here decides what of an older datagram a newer one says.  Older ones are rare: each is
read as a message.  RFC 3176 (versions 2 and 4); sFlow Version 5, section 5.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fleutan.protocols.sflow import earlier
from fleutan.protocols.sflow.columns.problems import Problems
from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.encoder import element, encode, sample
from fleutan.protocols.sflow.layouts import COUNTERS_SAMPLE_EXPANDED, FLOW_FORMS, FLOW_SAMPLE_EXPANDED
from fleutan.protocols.sflow.layouts.xdr import Layout
from fleutan.protocols.sflow.messages import Message, parse
from fleutan.protocols.sflow.samples import Sample
from fleutan.protocols.spans import Mask, Spans, joined

VERSIONS = (2, 4)
_MULTIPLE = 2
_MULTIPLE_BIT = 1 << 31
_CLASS_BITS = 24
_SEQUENCE = 2  # AS_SEQUENCE, of a segment of a path


def renewed(spans: Spans, older: Mask) -> tuple[Spans, Problems]:
    """The datagrams, those where ``older`` ``(n,)`` is True as version 5, and what was wrong in these.

    What cannot be read of an older one is left out; one whose head cannot be read stays as it is.
    Never raises.  Where there is an older one, all octets are copied.
    """
    problems: Problems = Counter()
    if not older.any():
        return spans, problems
    strings = spans.strings()
    for row in np.flatnonzero(older).tolist():
        message = parse(strings[row])
        if message.sample_count is not None:
            problems.update((problem.reason, problem.structure) for problem in message.problems)
            strings[row] = encode(in_version_5(message))
    return joined(strings), problems


def in_version_5(message: Message) -> Message:
    """What a message of version 2 or 4 says, as one of version 5.

    Sub-agents, which older versions do not know, are 0; so are the characters' encodings of users,
    octets stripped from packets, and of version 2 what it does not say of routes.
    """
    samples = tuple(_RENEWED[one.tag](one) for one in message.samples if is_whole_head(one))
    return Message(5, message.agent, 0, message.sequence_number, message.uptime, len(samples), samples)


def is_whole_head(one: Sample) -> bool:
    """Whether all fields of a sample of these versions were read, and perhaps no element."""
    return one.layout is not None and len(one.values) == len(one.layout.fields)


def _flow(one: Sample) -> Sample:
    old = one.named()
    values = {
        **{name: old[name] for name in ("sequence_number", "sampling_rate", "sample_pool", "drops")},
        **_source(old["source_id"]),
        **_interface("input", old["input"]),
        **_interface("output", old["output"]),
    }
    return sample(FLOW_SAMPLE_EXPANDED, values, [_element(each) for each in one.elements if _is_whole(each)])


def _counters(one: Sample) -> Sample:
    old = one.named()
    values = {"sequence_number": old["sequence_number"], **_source(old["source_id"])}
    return sample(COUNTERS_SAMPLE_EXPANDED, values, filter(_is_whole, one.elements))


def _source(number: int) -> dict[str, int]:
    return {"ds_class": number >> _CLASS_BITS, "ds_index": number & (1 << _CLASS_BITS) - 1}


def _interface(name: str, number: int) -> dict[str, int]:
    """An index, or how many interfaces a packet went out at."""
    many = number & _MULTIPLE_BIT
    return {f"{name}_format": _MULTIPLE if many else 0, f"{name}_value": number & ~_MULTIPLE_BIT}


def _is_whole(one: Element) -> bool:
    return one.layout is not None and len(one.values) == len(one.layout.fields)


def _element(one: Element) -> Element:
    newest = FLOW_FORMS[one.tag][0]
    if one.layout is None or one.layout.fields == newest.fields:
        return Element(one.tag, newest, one.values)
    old = one.named()
    return element(newest, _CHANGED[one.layout](old) if one.layout in _CHANGED else _MORE[one.tag] | old)


def _listed_path(old: Mapping[str, Any]) -> Mapping[str, Any]:
    """A path of version 2, of which nothing tells sets apart."""
    path = ((_SEQUENCE, old["dst_as_path"]),) if old["dst_as_path"] else ()
    return {**_MORE[1003], "communities": (), "localpref": 0, **old, "dst_as_path": path}


_RENEWED: Mapping[int, Callable[[Sample], Sample]] = {1: _flow, 2: _counters}
#: What newer forms have more, by number.
_MORE: Mapping[int, dict[str, Any]] = {
    1: {"stripped": 0},
    1003: {"nexthop": b""},
    1004: {"src_charset": 0, "dst_charset": 0},
    1005: {"host": b""},
}
_CHANGED: Mapping[Layout, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {earlier.EXTENDED_2[3]: _listed_path}
