# SPDX-License-Identifier: Apache-2.0
"""What is asked most of an AS path: its two ends."""

from __future__ import annotations

import numpy as np

from fleutan.protocols.sflow.columns.chains import follow
from fleutan.protocols.sflow.columns.structures import Structures
from fleutan.protocols.sflow.columns.words import Words
from fleutan.protocols.spans import Spans

GATEWAY = "extended_gateway"
PATH = f"{GATEWAY}.dst_as_path"


def path_ends(words: Words, paths: Spans) -> Structures:
    """The numbers of the destination (``dst_as``, the last) and of the peer towards it (``dst_peer_as``, the first).

    ``paths`` are whole segments within ``words``.  Both are unknown of an empty path: the packet
    goes no further than this system.  sFlow Version 5, section 5 (``extended_gateway``).
    """
    segments = follow(words, paths.starts >> 2, paths.starts + paths.sizes, paths.sizes, unit=4).in_order()
    segments = segments.take(segments.ends > 4 * segments.at)
    begins = np.flatnonzero(np.diff(segments.owner, prepend=-1))
    ends = np.append(begins[1:], len(segments.owner))[: len(begins)] - 1
    owner = segments.owner[begins]
    known = np.zeros(paths.rows, np.bool_)
    known[owner] = True
    peer, destination = np.zeros((2, paths.rows), np.int64)
    peer[owner] = words.at(segments.at[begins])
    destination[owner] = words.at((segments.ends[ends] >> 2) - 1)
    return Structures({"dst_as": destination, "dst_peer_as": peer}, {"dst_as": known, "dst_peer_as": known}, {})
