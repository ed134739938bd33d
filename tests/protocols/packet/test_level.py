# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Container

import numpy as np

from fleutan.protocols.packet.kinds import Kind
from fleutan.protocols.packet.layouts import Layout, Member
from fleutan.protocols.packet.level import Group, Level, gathered
from fleutan.protocols.packet.names import Tunnel
from fleutan.protocols.spans import joined

HEADER = Layout(3, (Member("_version", 0, 4), Member("ttl", 8, 8), Member("tos", 16, 8)), (("_version", 4),))


def level(*strings: bytes, wanted: Container[str] | None = None) -> tuple[Level, Group]:
    spans = joined(strings)
    everything = np.arange(spans.rows)
    return Level(spans.octets, spans.starts, everything, wanted), Group(
        everything, spans.starts, spans.starts + spans.sizes
    )


def test_headers_are_read_whole_or_as_far_as_they_go() -> None:
    here, group = level(b"\x40\x01\x02", b"\x40\x03", b"", b"\x50\x04\x05", b"\x50")
    header = here.read(HEADER, group)
    found = here.records()
    assert header.group.rows.tolist() == [0]
    assert header["ttl"].tolist() == [1]
    assert found.values["ttl"].tolist() == [1, 3, 0, 0, 0]
    assert found.known["ttl"].tolist() == [True, True, False, False, False]
    assert found.known["tos"].tolist() == [True, False, False, False, False]
    assert found.values["truncated"].tolist() == [False, True, True, False, False]
    assert found.values["malformed"].tolist() == [False, False, False, True, True]


def test_what_only_a_port_suggested_is_not_malformed() -> None:
    here, group = level(b"\x50\x01\x02")
    assert not len(here.read(HEADER._replace(guessed=True), group).group.rows)
    assert not here.malformed.any()


def test_no_rows_are_a_header_without_rows() -> None:
    here, group = level(b"\x40\x01\x02")
    header = here.read(HEADER, group.take(np.array([False])))
    assert header["ttl"].tolist() == []


def test_sizes_that_headers_tell_must_be_possible_and_captured() -> None:
    here, group = level(b"abc", b"abc", b"abc")
    assert here.passable(group, np.array([2, 3, 4]), 3).tolist() == [False, True, False]
    assert here.malformed.tolist() == [True, False, False]
    assert here.truncated.tolist() == [False, False, True]


def test_places_are_told_from_the_beginning_of_each_row() -> None:
    here, group = level(b"abc", b"abc")
    here.mark("l3_at", group.moved(1))
    here.mark("l4_at", group.moved(2).take(np.array([False, True])))
    found = here.records()
    assert found.values["l3_at"].tolist() == [1, 1]
    assert found.values["l4_at"].tolist() == [0, 2]


def test_values_are_put_where_they_are_known() -> None:
    here, group = level(b"abc", b"abc")
    here.put_where(np.array([True, True]), "ttl", group.rows, np.array([1, 2]))
    here.put_where(np.array([False, True]), "tos", group.rows, np.array([1, 2]))
    assert "ttl" not in here.records().known
    assert here.records().known["tos"].tolist() == [False, True]


def test_tunnels_have_a_kind_an_id_and_packets_inside() -> None:
    here, group = level(b"abc", b"abc")
    here.enter(Tunnel.VXLAN, np.array([Kind.ETHERNET, Kind.END], np.uint8), group, np.array([5, 6]))
    assert here.records().values["tunnel"].tolist() == [Tunnel.VXLAN] * 2
    assert here.records().values["tunnel_id"].tolist() == [5, 6]
    ((codes, inside),) = here.inner
    assert (codes.tolist(), inside.rows.tolist()) == ([Kind.ETHERNET], [0])


def test_a_tunnel_of_unread_packets_is_still_one() -> None:
    here, group = level(b"abc")
    here.enter(Tunnel.GRE, np.zeros(1, np.uint8), group)
    assert here.inner == []
    assert here.records().values["tunnel"].tolist() == [Tunnel.GRE]


def test_what_nobody_wants_is_no_column() -> None:
    here, group = level(b"\x40\x01\x02", wanted=())
    here.read(HEADER, group)
    here.mark("l3_at", group)
    here.enter(Tunnel.GRE, np.zeros(1, np.uint8), group)
    assert here.records().values == {}


def test_groups_become_one() -> None:
    _, group = level(b"abc", b"de")
    assert gathered([group]) is group
    both = gathered([group, group.moved(1)])
    assert both.at.tolist() == [0, 3, 1, 4]
    assert group.take(np.array([True, True])) is group
