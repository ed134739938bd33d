# SPDX-License-Identifier: Apache-2.0
"""Flow columns made at will, for tests of what writes them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from fleutan.protocols.netflow.shapes import Moment
from fleutan.records import Records

NOW_NS = 1_700_000_000 * 10**9
MOMENT = Moment(NOW_NS, 10_000_000)
MAPPED = 0xFFFF_0000_0000

_FOUR = st.integers(0, 2**32 - 1).map(lambda number: (0, MAPPED | number))
# No IPv4-mapped one, and not the unspecified address, which templates of both families use as a blank.
_SIX = st.tuples(st.integers(1, 2**62), st.integers(-(2**62), 2**62))
#: Milliseconds of a time of day within a count of 32 bits before MOMENT.
_TIME = st.integers(0, 2**31 - 1).map(lambda ago: NOW_NS - ago * 10**6)
BITS = {
    **dict.fromkeys(("proto", "tos", "direction", "end_reason", "nat_event", "firewall_event"), 8),
    **dict.fromkeys(("sport", "dport", "vlan", "post_vlan", "post_sport", "post_dport", "icmp", "tcp_flags"), 16),
    **dict.fromkeys(("in_if", "out_if", "src_as", "dst_as", "vrf"), 32),
    **dict.fromkeys(("src_mac", "dst_mac"), 48),
    **dict.fromkeys(("packets", "bytes", "flows", "flow_id", "reverse_packets", "reverse_bytes"), 63),
    **dict.fromkeys(("src_mask", "dst_mask"), 7),
}
#: Column to its values; a rate of 0 means that none is known.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    **{name: st.integers(0, (1 << bits) - 1) for name, bits in BITS.items()},
    **dict.fromkeys(("src", "dst", "next_hop", "bgp_next_hop", "post_src", "post_dst"), st.one_of(_FOUR, _SIX)),
    **dict.fromkeys(("start", "end"), _TIME),
    "sampling_rate": st.integers(1, 2**32 - 1),
}


@st.composite
def flow_columns(draw: st.DrawFn, names: tuple[str, ...] = tuple(VALUES), most: int = 12) -> Records:
    """Up to ``most`` flows of some of these columns, in some rows of which some are unknown."""
    rows = draw(st.integers(0, most))
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=8, unique=True))
    values, known = {}, {}
    for name in chosen:
        values[name] = np.array(draw(st.lists(VALUES[name], min_size=rows, max_size=rows)), np.int64)
        if name in ("src", "dst", "next_hop", "bgp_next_hop", "post_src", "post_dst"):
            values[name] = values[name].reshape(rows, 2)
        if draw(st.booleans()):
            known[name] = np.array(draw(st.lists(st.booleans(), min_size=rows, max_size=rows)), np.bool_)
    return Records(rows, values, known)


def rows_of(flows: Records, names: set[str]) -> list[dict[str, Any]]:
    """Each row's known values of these columns."""
    return [
        {
            name: column[row].tolist()
            for name, column in flows.values.items()
            if name in names and (name not in flows.known or flows.known[name][row])
        }
        for row in range(flows.rows)
    ]
