# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fleutan.exports.sflowtool.counters import COUNTERS


def test_names_behind_a_prefix_and_names_of_its_own() -> None:
    assert COUNTERS[2007].names.split()[:2] == ["ipForwarding", "ipDefaultTTL"]
    assert COUNTERS[2205].names.split()[-1] == "vdi_usb_tx_bytes"
    assert COUNTERS[11].names.split()[0] == "PFC_requests"
    assert COUNTERS[2104].names.split()[1] == "vnio_pkts_in"
    assert COUNTERS[2003].names.split()[13:16] == ["cpuintr", "cpu_sintr", "cpuinterrupts"]
