# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from fleutan.protocols.capture.frames import NO_FRAMES, Frames, joined
from fleutan.protocols.packet.kinds import BEGINNINGS, Kind
from fleutan.protocols.spans import joined as strings


def frames(*link_types: int) -> Frames:
    numbers = np.arange(len(link_types))
    spans = strings([b"frame"] * len(link_types))
    return Frames(spans, numbers + 10, numbers + 20, numbers > 0, np.array(link_types), numbers + 30)


def test_rows_keep_what_belongs_to_them() -> None:
    taken = frames(1, 113, 9).take(np.array([2, 0]))
    assert taken.link_types.tolist() == [9, 1]
    assert taken.lengths.tolist() == [12, 10]
    assert taken.at_ns.tolist() == [22, 20]
    assert taken.timed.tolist() == [True, False]
    assert taken.interfaces.tolist() == [32, 30]
    assert taken.spans.starts.tolist() == [10, 0]


@pytest.mark.parametrize(
    ("link_type", "kind"),
    [
        *((1, Kind.ETHERNET), (101, Kind.IP), (12, Kind.IP), (14, Kind.IP), (228, Kind.IPV4), (229, Kind.IPV6)),
        *((113, Kind.SLL), (276, Kind.SLL2), (0, Kind.NULL), (108, Kind.NULL), (9, Kind.PPP), (219, Kind.MPLS)),
    ],
)
def test_link_types_say_how_a_packet_begins(link_type: int, kind: Kind) -> None:
    assert BEGINNINGS[int(frames(link_type).kinds()[0])] is kind
    assert frames(link_type).unread() == {}


def test_what_is_not_read_is_named() -> None:
    assert frames(105, 1, 127, 105, 4711).unread() == {
        "IEEE 802.11": 2,
        "IEEE 802.11 with radiotap header": 1,
        "link type 4711": 1,
    }


def test_parts_of_one_buffer_become_one() -> None:
    whole = frames(1, 113, 9)
    parts = [whole.take(np.array([0])), whole.take(np.array([1, 2]))]
    again = joined(parts)
    assert again.spans.strings() == whole.spans.strings()
    assert [column.tolist() for column in again[1:]] == [column.tolist() for column in whole[1:]]
    assert joined(parts[:1]) is parts[0]
    assert joined([]) is NO_FRAMES
    assert NO_FRAMES.spans.rows == 0
