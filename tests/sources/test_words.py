# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from fleutan.fields import BY_NAME, FIELDS, TRAFFIC, Field
from fleutan.linux.inetdiag import ATTRIBUTES, INET_DIAG_MSG, INFO
from fleutan.linux.iterators import _SOCKET, _TCP
from fleutan.linux.tcpinfo import Member
from fleutan.sources.owners import SOCKET_FIELDS
from fleutan.sources.words import (
    BPF_ONLY,
    NETLINK_ONLY,
    RULES,
    Coded,
    Flag,
    Looked,
    Named,
    Octets,
    Ratio,
    Whole,
    both,
    unknown,
)

#: Made of several words, or of none.
ELSEWHERE = {"src", "dst", "family", "dev", "netns", "user", *SOCKET_FIELDS}
ROWS = np.array([0, 5, -1], np.int64)
SECOND = np.array([False, True, True])


def test_every_field_of_a_flow_that_is_not_computed_has_a_rule() -> None:
    read = {field.name for field in FIELDS if field.source != "computed" and field.of_flows} - {*TRAFFIC}
    assert read - ELSEWHERE == set(RULES)


@pytest.mark.parametrize("field", [field for field in FIELDS if field.name in RULES], ids=lambda field: field.name)
def test_rules_give_the_types_of_the_catalogue(field: Field) -> None:
    rule = RULES[field.name]
    first = min(rule.words) if isinstance(rule, Coded) else 1
    values = np.array([b"cubic", b""]) if isinstance(rule, Named) else np.array([first, 0], np.int64)
    column = rule.read(values, np.array([True, False]))
    assert {np.dtype(np.int64): "int", np.dtype(np.float64): "float", np.dtype(np.bool_): "bool"}.get(
        column.values.dtype, "text"
    ) == field.type
    assert (column.words is not None) == (field.type == "text")
    assert column.mask().tolist() == [True, False]


def netlink_words() -> set[str]:
    """Every word that sock_diag has."""
    left: list[object] = [INET_DIAG_MSG, *ATTRIBUTES.values(), *INFO.values()]
    found = {"proto", "netns_inode"}
    while left:
        part = left.pop()
        if isinstance(part, Member):
            found.add(part.name)
        else:
            left.extend(part.values() if isinstance(part, dict) else part)  # type: ignore[arg-type]
    return found


def test_which_reader_gives_a_field_is_as_it_is_told() -> None:
    netlink = netlink_words()
    bpf = {name for _, _, names in (*_SOCKET, *_TCP) for name in names.split()} | {"netns_inode"}
    assert {name for name, rule in RULES.items() if rule.word not in netlink} == BPF_ONLY - {"dev"}
    only_netlink = {name for name, rule in RULES.items() if rule.word not in bpf}
    assert only_netlink - NETLINK_ONLY == {"mptcp_subflows", "mptcp_token"}  # sockets that iter/tcp does not show
    assert only_netlink > NETLINK_ONLY


def test_a_number_may_have_a_value_that_means_nothing() -> None:
    assert Whole("w").read(ROWS, None).objects() == [0, 5, -1]
    assert Whole("w", unknown=-1).read(ROWS, None).objects() == [0, 5, None]
    assert Whole("w", unknown=0).read(ROWS, SECOND).objects() == [None, 5, -1]


def test_a_product_that_does_not_fit_is_unknown() -> None:
    values = np.array([0, 100, -1, (1 << 62) // 8, (1 << 62) // 8 + 1], np.int64)
    assert Whole("w", factor=8).read(values, None).objects() == [0, 800, None, 1 << 62, None]
    assert Whole("w", factor=8, unknown=0).read(values[:2], np.array([True, False])).objects() == [None, None]


def test_fixed_point_and_bits() -> None:
    assert Ratio("w", 256).read(np.array([739, 0]), None).objects() == [739 / 256, 0.0]
    assert Flag("w").read(ROWS, SECOND).objects() == [None, True, True]


def test_a_code_without_a_word_is_unknown() -> None:
    rule = Coded("w", {0: "none", 3: "three", 5: "five", 12: "three"})
    column = rule.read(np.array([12, 5, 3, 7, 5]), np.array([True, True, True, True, False]))
    assert column.objects() == ["three", "five", "three", None, None]
    assert column.words == ("none", "three", "five")
    assert column.values.dtype == np.int32
    assert RULES["state"].read(np.array([3, 12, 10]), None).objects() == ["syn-recv", "syn-recv", "listen"]


def test_options_are_words_in_the_order_of_ss() -> None:
    assert RULES["options"].read(np.array([7, 0, 8 | 32]), None).objects() == ["ts sack wscale", None, "ecn fastopen"]


def test_names_are_decoded_once_each() -> None:
    values = np.array([b"cubic", b"", b"bbr", b"cubic", b"\xff", b"reno"], "S16")
    column = Named("w").read(values, np.array([True, True, True, True, True, False]))
    assert column.objects() == ["cubic", None, "bbr", "cubic", "�", None]
    assert column.words == ("cubic", "bbr", "�")
    assert Named("w").read(values[:0], None).objects() == []


@pytest.mark.parametrize("name", ["rtt", "dctcp_alpha", "v6only", "cong", "pids", "src"])
@pytest.mark.parametrize("rows", [0, 3])
def test_nothing_may_be_known(name: str, rows: int) -> None:
    column = unknown(name, rows)
    assert column.objects() == [None] * rows
    assert len(column) == rows
    assert BY_NAME[name].type != "address" or column.values.shape == (rows, 2)


def test_both() -> None:
    assert both(None, SECOND) is SECOND
    assert both(np.array([True, True, False]), SECOND).tolist() == [False, True, False]


def test_octets_are_a_number_in_network_order() -> None:
    rule = Octets("flow_label")
    column = rule.read(np.array([[0, 0, 7], [0x0F, 0xFF, 0xFE]], np.uint8), np.array([True, False]))
    assert column.objects() == [7, None]
    assert column.values.tolist() == [7, 0xFFFFE]


def test_small_numbers_are_looked_up_as_others_are() -> None:
    words = {0: "none", 6: "tcp", 17: "udp", 18: "tcp"}
    values = np.array([6, 17, 0, 5, 18, 19, -1, 1 << 60])
    known = np.array([True] * 4 + [False] + [True] * 3)
    for mask in (None, known):
        looked, coded = (rule.read(values, mask) for rule in (Looked(words), Coded("proto", words)))
        assert looked.objects() == coded.objects()
        assert looked.values.dtype == np.int32
    assert Looked(words).read(values, known).objects() == ["tcp", "udp", "none", None, None, None, None, None]
    assert Looked(words).read(values[:0], None).objects() == []
