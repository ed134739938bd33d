# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

import pytest

from fleutan.protocols.anonymous.elements import SECTIONS, Fate, fate
from fleutan.protocols.netflow.elements import element, field_9, iana, named, scope_9, vendors


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("octetDeltaCount", Fate.KEPT),
        ("sourceIPv4PrefixLength", Fate.KEPT),
        ("flowStartMilliseconds", Fate.KEPT),
        ("samplingProbability", Fate.KEPT),
        ("dataRecordsReliability", Fate.KEPT),
        ("applicationId", Fate.KEPT),
        ("mplsLabelStackSection3", Fate.KEPT),
        ("sourceIPv4Address", Fate.ADDRESS),
        ("sourceIPv6Prefix", Fate.ADDRESS),
        ("srhSegmentIPv6", Fate.ADDRESS),
        ("sourceMacAddress", Fate.MAC),
        ("userName", Fate.TEXT),
        ("interfaceName", Fate.TEXT),
        ("dataLinkFrameSection", Fate.PACKET),
        ("ipPayloadPacketSection", Fate.GONE),
        ("digestHashValue", Fate.GONE),
        ("mplsVpnRouteDistinguisher", Fate.GONE),
        ("basicList", Fate.GONE),
    ],
)
def test_what_becomes_of_elements(name: str, wanted: Fate) -> None:
    assert fate(named(name)) is wanted


def test_what_nobody_knows_is_gone() -> None:
    assert fate(element(0, 32000)) is Fate.GONE
    assert fate(element(99999, 1)) is Fate.GONE
    assert fate(field_9(60000)) is Fate.GONE


def test_a_scope_may_be_the_exporters_address() -> None:
    assert fate(scope_9(1)) is Fate.ADDRESS
    assert fate(scope_9(2)) is Fate.KEPT
    assert fate(scope_9(4)) is Fate.GONE


def test_all_addresses_that_are_named_so_are_taken_for_such() -> None:
    lines = "\n".join((iana.ELEMENTS, *vendors.ELEMENTS.values(), vendors.VERSION_9)).splitlines()
    named_so = [line.split() for line in lines if re.search(r"IPv?[46]\w*(Address|Prefix|Host)?\b|MacAddress", line)]
    # Lengths, counts, options and numbers of addresses are none.
    others = r"Length|distinctCount|Type|Size|Options|Tag|Flags|ICMP|icmp|next|IHL|total|payload|flowLabel|Extension"
    others += "|Behavior|Left|List|Section|ClientHost|CltHost"
    suspects = [line for line in named_so if not re.search(others, line[1])]
    assert len(suspects) > 40
    kinds = {line[1]: line[2] for line in suspects if line[2] not in ("ip4", "ip6", "mac")}
    assert kinds == {}


def test_sections_are_elements() -> None:
    assert all(fate(named(name)) is Fate.PACKET for name in SECTIONS)
