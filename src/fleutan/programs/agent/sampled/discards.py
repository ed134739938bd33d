# SPDX-License-Identifier: Apache-2.0
"""Packets that were dropped, with reason, function and trap: texts are encoded once for each that there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from fleutan.column import Column
from fleutan.observed import HOST, INTERFACE
from fleutan.programs.agent.sampled.fields import timed
from fleutan.protocols.sflow.batches import Sampled
from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.encoder import encode_element
from fleutan.protocols.sflow.layouts import FLOW_FORMS
from fleutan.protocols.spans import Spans, joined
from fleutan.sources.discarded import Discards

_FUNCTION, _TRAP, _REASON = (FLOW_FORMS[number][0] for number in (1038, 1041, 1042))


def of_discards(found: Discards) -> Sampled | None:
    """Packets that were dropped; of those at no interface of ours, as in a container, the host is the data source."""
    if not found.rows:
        return None
    ours = found.ifindex != 0
    head = {
        "ds_class": np.where(ours, INTERFACE, HOST),
        "ds_index": np.where(ours, found.ifindex, 1),
        "drops": found.drops,
        "input": found.input,
        "output": found.output,
        "reason": found.reason,
    }
    ready = (_texts(found.symbol, _function), _texts(found.linux_reason, _reason), *_traps(found))
    return Sampled(head, found.protocol, found.length, found.stripped, found.header, [timed(found.at_ns)], ready)


def _function(text: str) -> bytes:
    return encode_element(Element(_FUNCTION.tag, _FUNCTION, (text.encode(),)))


def _reason(text: str) -> bytes:
    return encode_element(Element(_REASON.tag, _REASON, (text.encode(),)))


def _texts(column: Column, encoded: Callable[[str], bytes]) -> Spans:
    """An element for each row that has a text."""
    words = joined([*map(encoded, map(str, column.words or ())), b""])
    return words.take(column.values.astype(np.int64))


def _traps(found: Discards) -> Iterator[Spans]:
    """Group and trap of devices' own drops, both or none."""
    groups, traps = found.trap_group.words or (), found.trap.words or ()
    if not groups and not traps:
        return
    pairs = np.stack((found.trap_group.values, found.trap.values), axis=1)
    each, place = np.unique(pairs, axis=0, return_inverse=True)
    elements = []
    for group, trap in each.tolist():
        texts = tuple("" if at < 0 else str(words[at]) for at, words in ((group, groups), (trap, traps)))
        elements.append(_trap(*texts) if any(texts) else b"")
    yield joined(elements).take(place.reshape(-1))


def _trap(group: str, trap: str) -> bytes:
    return encode_element(Element(_TRAP.tag, _TRAP, (group.encode(), trap.encode())))
