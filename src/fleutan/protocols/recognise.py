# SPDX-License-Identifier: Apache-2.0
"""Which flow protocol datagrams are of, told by what is in them: ports say little, and some carry several.

sFlow: version in 32 bits, then the kind of the agent's address (sFlow version 5, 5; versions 2 and
4: RFC 3176).  NetFlow: version in 16 bits (``netflow.headers``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.netflow.wire.fixed import LAYOUTS
from fleutan.protocols.netflow.wire.headers import IPFIX, SIZES
from fleutan.protocols.netflow.wire.sets import TEMPLATE_SETS
from fleutan.protocols.netflow.wire.templates import FIRST_NUMBER
from fleutan.protocols.spans import number

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

UNKNOWN, NETFLOW, SFLOW = 0, 1, 2
#: Octets of an agent's address by its kind: IPv4, IPv6.
_ADDRESSES = {1: 4, 2: 16}
#: Octets of the header beside the address: version 5 has a sub-agent more.
_SFLOW = {2: 20, 4: 20, 5: 24}


class Recognised(NamedTuple):
    """``(n,)`` each: the family of protocols (UNKNOWN, NETFLOW, SFLOW) and the version of it (0: unknown)."""

    family: Ints
    version: Ints


def recognise(datagrams: Datagrams) -> Recognised:
    """What each datagram is, by its version and by whether counts and lengths near the beginning make sense."""
    family = np.full(len(datagrams.at_ns), UNKNOWN)
    version = np.zeros(len(datagrams.at_ns), np.int64)
    for kind, found, fine in (
        (NETFLOW, number(*datagrams.spans[:2], 2), _netflow(datagrams)),
        (SFLOW, number(*datagrams.spans[:2], 4), _sflow(datagrams)),
    ):
        family[fine], version[fine] = kind, found[fine]
    return Recognised(family, version)


def _netflow(datagrams: Datagrams) -> Mask:
    octets, starts, received = datagrams.spans
    sent = np.maximum(datagrams.sizes, received)
    version, count = number(octets, starts, 2), number(octets, starts + 2, 2)
    fine = np.zeros(len(starts), np.bool_)
    if not np.isin(version, list(SIZES)).any():
        return fine
    for one, layout in LAYOUTS.items():
        whole = (count > 0) & (SIZES[one] + count * layout.size <= sent)
        fine |= (version == one) & whole & (received >= SIZES[one])
    for one in TEMPLATE_SETS:
        length = count if one == IPFIX else sent
        whole = (length <= sent) & (np.minimum(length, received) >= SIZES[one])
        fine |= (version == one) & whole & _set_follows(datagrams, one, length)
    return fine


def _set_follows(datagrams: Datagrams, version: int, length: Ints) -> Mask:
    """Whether a set of a fitting number and length is next, or nothing."""
    octets, starts, received = datagrams.spans
    at, left = starts + SIZES[version], length - SIZES[version]
    kind, size = number(octets, at, 2), number(octets, at + 2, 2)
    fitting = ((kind >= FIRST_NUMBER) | np.isin(kind, TEMPLATE_SETS[version])) & (size >= 4)
    # IPFIX messages that say to be a little shorter than they are were seen.
    unseen = received < SIZES[version] + 4
    return (left < 4) | unseen | (fitting & (size <= np.maximum(datagrams.sizes, received) - SIZES[version]))


def _sflow(datagrams: Datagrams) -> Mask:
    octets, starts, received = datagrams.spans
    version, kind = number(octets, starts, 4), number(octets, starts + 4, 4)
    fine = np.zeros(len(starts), np.bool_)
    for one, header in _SFLOW.items():
        for address, size in _ADDRESSES.items():
            fine |= (version == one) & (kind == address) & (received >= header + size)
    return fine
