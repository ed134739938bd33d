# SPDX-License-Identifier: Apache-2.0
"""A batch of datagrams: their heads as columns, and where their samples lie.

What lives here knows a datagram's own fields and no sample's; ``packets`` and ``counters`` read
those that they are asked for.  Versions 2 and 4, whose samples have no lengths, are for
``messages``.

What is broken is kept as far as it can be read, and counted by the same reasons and names as in
``messages``: a sample longer than the rest of its datagram ends with it; a promise of more samples
than there are makes none; a datagram whose head is broken has none.  sFlow Version 5, section 5.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fleutan.protocols.sflow.columns.chains import HEAD, Chains, follow
from fleutan.protocols.sflow.columns.problems import Problems, add, add_by_name
from fleutan.protocols.sflow.columns.words import Words, halves, mapped, words_of
from fleutan.protocols.sflow.cursor import Reason
from fleutan.protocols.spans import Ints, Mask, Spans
from fleutan.records import Records

VERSION = 5
#: Words before ``sub_agent_id`` by the type of the agent's address: unknown, IPv4, IPv6.
BEFORE_SUB_AGENT = np.array([2, 3, 6])
_AFTER_ADDRESS = ("sub_agent_id", "sequence_number", "uptime", "sample_count")
_STRUCTURE = "datagram"


class Walk(NamedTuple):
    """Datagrams, and their samples in order.

    ``datagrams`` has a row a datagram: ``version``, ``agent``, ``sub_agent_id``,
    ``sequence_number``, ``uptime`` (milliseconds) and ``sample_count`` (what it promises), all but
    the first unknown where the head cannot be read; ``earlier`` ``(n,)`` are those of versions 2
    and 4, which are not read.  ``samples`` are entries of the datagrams (``owner`` is the row),
    ``tags`` their numbers.
    """

    words: Words
    datagrams: Records
    earlier: Mask
    samples: Chains
    tags: Ints
    problems: Problems


def walk(spans: Spans) -> Walk:
    """The heads of these datagrams, and where their samples begin and end; never raises."""
    words, problems = words_of(spans), Problems()
    readable, after = _readable(words, problems)
    datagrams = _heads(words, readable, after)
    rows = np.flatnonzero(readable)
    begin, ends = after[rows] + len(_AFTER_ADDRESS), words.ends[rows]
    counts = datagrams.values["sample_count"][rows]
    samples = follow(words, begin, ends, counts).in_order()
    tags = words.at(samples.at - HEAD)
    missing = samples.found < counts
    add(problems, Reason.MISSING, _STRUCTURE, missing)
    add(problems, Reason.TRAILING, _STRUCTURE, ~missing & (samples.reached < ends))
    add_by_name(problems, Reason.OVERRUN, tags[samples.overrun])
    earlier = datagrams.known["version"] & _earlier(datagrams.values["version"])
    # Some agents leave the padding of a sample's last structure out of its length.
    padded = np.minimum(samples.ends + 3 & ~3, ends[samples.owner])
    samples = samples._replace(owner=rows[samples.owner], ends=padded)
    return Walk(words, datagrams, earlier, samples, tags, problems)


def _readable(words: Words, problems: Problems) -> tuple[Mask, Ints]:
    """Which heads can be read, and the word behind the agent's address."""
    version, kind = words.at(words.starts), words.at(words.starts + 1)
    room = words.ends - 4 * words.starts
    before = BEFORE_SUB_AGENT.take(kind, mode="clip")
    ours = (room >= 4) & (version == VERSION)
    typed = ours & (room >= 8)
    addressed = typed & (kind < len(BEFORE_SUB_AGENT))
    whole = addressed & (room >= 4 * (before + len(_AFTER_ADDRESS)))
    add(problems, Reason.VERSION, _STRUCTURE, (room >= 4) & (version != VERSION) & ~_earlier(version))
    add(problems, Reason.ADDRESS, _STRUCTURE, typed & ~addressed)
    add(problems, Reason.CUT, _STRUCTURE, (room < 4) | (ours & ~typed) | (addressed & ~whole))
    return whole, words.starts + before


def _earlier(version: Ints) -> Mask:
    return np.equal(version, 2) | np.equal(version, 4)


def _heads(words: Words, readable: Mask, after: Ints) -> Records:
    block = words.blocks(words.starts, 6)
    version, kind, address = block[0], block[1], block[2:]
    agent = np.where((kind == 1)[:, None], mapped(address[0]), halves(address))
    values = {"version": version, "agent": agent}
    values |= zip(_AFTER_ADDRESS, words.blocks(after, len(_AFTER_ADDRESS)), strict=True)
    known = dict.fromkeys(_AFTER_ADDRESS, readable)
    known |= {"version": words.ends - 4 * words.starts >= 4, "agent": readable & (kind > 0)}
    return Records(len(kind), values, known)
