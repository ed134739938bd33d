# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.protocols.sflow.reasons import REASONS, reason, reason_as_sflowtool


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0, "net_unreachable"),
        (15, "precedence_cutoff"),
        (256, "unknown"),
        (257, "ttl_exceeded"),
        (258, "acl"),
        (279, "unresolved_neigh"),
        (306, "blackhole_nexthop"),
        (327, "invalid_proto"),
        (332, "dev_hdr"),
        (337, "tcp_md5notfound"),
        (356, "tcp_minttl"),
        (366, "tc_egress"),
        (371, "socket_filter"),
        (372, "bgp_flowspec"),
        (16, "NotFound"),
        (255, "NotFound"),
        (373, "NotFound"),
    ],
)
def test_reasons_have_the_names_of_the_list(number: int, name: str) -> None:
    assert reason(number) == name


def test_sflowtool_lacks_three_and_has_two_elsewhere() -> None:
    differing = {number for number in range(512) if reason(number) != reason_as_sflowtool(number)}
    assert differing == {33, 36, 332, 366, 372}
    assert reason_as_sflowtool(33) == "dev_hdr"


def test_each_name_stands_for_one_reason() -> None:
    assert len(REASONS) == 16 + 117
    assert len(set(REASONS.values())) == len(REASONS)
