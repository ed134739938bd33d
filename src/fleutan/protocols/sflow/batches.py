# SPDX-License-Identifier: Apache-2.0
"""Packets that an agent sampled, or saw dropped, as columns under the names of sFlow's structures.

What lives here describes; ``exports.sflow.packets`` writes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fleutan.protocols.spans import Ints, Mask, Spans
from fleutan.records import Records


@dataclass(frozen=True)
class Structure:
    """A structure of fixed size: ``rows`` have it, ``(n,)`` bool; ``columns`` are its fields, an entry for each of
    those rows.
    """

    name: str
    rows: Mask
    columns: Mapping[str, Ints]


@dataclass(frozen=True)
class Sampled:
    """A batch of ``n`` packets.

    ``head`` are the fields of the sample before its elements; ``protocol``, ``length`` and
    ``stripped`` those of ``sampled_header`` before ``header``.  ``ready`` are elements that are
    encoded already, none where a string is empty: each ``n`` strings.  They come behind the header,
    ``structures`` behind them.  ``known`` is what is known of the packets before any structure, for forms that have
    no structures: ``at_ns`` UTC, ``egress`` bool, and of who holds their sockets ``pid``, ``uid``, ``cookie``,
    ``cgroup_id``, and ``comm``, ``unit`` and ``container`` as octets.
    """

    head: Mapping[str, Ints]
    protocol: Ints
    length: Ints
    stripped: Ints
    header: Spans
    structures: Sequence[Structure] = ()
    ready: Sequence[Spans] = field(default=())
    known: Records = field(default=Records(0, {}, {}))
