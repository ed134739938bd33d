# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.exports.sflowtool.names import COUNTERS, FLOWS, MISSPELT, Printed
from fleutan.protocols.sflow.layouts import COUNTER_FORMS, FLOW_FORMS
from fleutan.protocols.sflow.layouts.xdr import Layout


def fits(printed: Printed, layout: Layout) -> bool:
    words = [word.partition("=") for word in printed.names.split()]
    fields = {field for _, _, field in words if field}
    named = len(words) == len(layout.fields) if not fields else fields <= set(layout.names)
    return named and set(printed.always.split()) <= {name for name, _, _ in words}


@pytest.mark.parametrize("tag", FLOWS)
def test_each_name_of_flows_has_a_field(tag: int) -> None:
    assert fits(FLOWS[tag], FLOW_FORMS[tag][0])


@pytest.mark.parametrize("tag", COUNTERS)
def test_each_name_of_counters_has_a_field(tag: int) -> None:
    assert fits(COUNTERS[tag], COUNTER_FORMS[tag][0])


def test_names_are_given_once() -> None:
    for table in (FLOWS, COUNTERS):
        for printed in table.values():
            names = [word.partition("=")[0] for word in printed.names.split()]
            assert len(set(names)) == len(names)
    assert set(MISSPELT) <= set(COUNTERS[2201].names.split())


def test_names_behind_a_prefix_and_names_of_its_own() -> None:
    assert COUNTERS[2007].names.split()[:2] == ["ipForwarding", "ipDefaultTTL"]
    assert COUNTERS[2205].names.split()[-1] == "vdi_usb_tx_bytes"
    assert COUNTERS[11].names.split()[0] == "PFC_requests"
    assert COUNTERS[2104].names.split()[1] == "vnio_pkts_in"
    assert COUNTERS[2003].names.split()[13:16] == ["cpuintr", "cpu_sintr", "cpuinterrupts"]
