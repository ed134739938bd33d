# SPDX-License-Identifier: Apache-2.0
"""The sets of a batch with the headers above them, and within which scopes their numbers mean something.

What lives here knows no template.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.netflow.wire.headers import IPFIX, Bodies, Heads
from fleutan.protocols.netflow.wire.rejects import Rejects
from fleutan.protocols.netflow.wire.sets import Sets, walk
from fleutan.protocols.netflow.wire.templates import Scope

Ints = NDArray[np.int64]


class Arrived(NamedTuple):
    """Sets in order of arrival; ``scope`` ``(sets,)`` is the row of each one's in ``scopes``."""

    octets: NDArray[np.uint8]
    heads: Heads
    sets: Sets
    scopes: list[Scope]
    scope: Ints

    @property
    def datagram(self) -> Ints:
        """``(sets,)`` the row in the batch of each set's datagram, negative for what had waited."""
        return self.heads.datagram[self.sets.head]


def arrived(octets: NDArray[np.uint8], heads: Heads, bodies: Bodies, noted: Rejects) -> Arrived:
    """The sets in these datagrams."""
    return scoped(octets, heads, walk(octets, heads, bodies, noted))


def scoped(octets: NDArray[np.uint8], heads: Heads, sets: Sets) -> Arrived:
    """These sets of these headers."""
    port = np.where(heads.version == IPFIX, heads.sport, 0)
    keys = np.stack((heads.version, heads.source[:, 0], heads.source[:, 1], port, heads.domain), 1)
    order = np.lexsort(keys.T)
    new = np.ones(len(order), np.bool_)
    new[1:] = (np.diff(keys[order], axis=0) != 0).any(1)
    of_head = np.empty(len(order), np.int64)
    of_head[order] = np.cumsum(new) - 1
    scopes = [Scope(*key) for key in keys[order[new]].tolist()]
    return Arrived(octets, heads, sets, scopes, of_head[sets.head])
