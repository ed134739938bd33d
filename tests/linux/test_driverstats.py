# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.linux.driverstats import places, totals


def told(**counted: int) -> dict[str, int]:
    return totals(places(list(counted)), list(counted.values()))


def of(names: str, *values: int) -> dict[str, int]:
    return totals(places(names.split("|")), values or tuple(range(1, 1 + names.count("|") + 1)))


def test_a_driver_that_counts_kinds_of_packets() -> None:
    assert told(rx_packets=1, rx_multicast=2, tx_broadcast=3) == {"rx_multicast": 2, "tx_broadcast": 3}


def test_what_the_system_itself_received_comes_before_what_the_port_did() -> None:
    assert of("rx_multicast.nic|port.rx_multicast|rx_multicast") == {"rx_multicast": 3}


def test_counters_of_each_queue_are_added_up() -> None:
    assert of("  bcast pkts rx|x|  bcast pkts rx") == {"rx_broadcast": 4}


@pytest.mark.parametrize(
    ("rx", "tx"),
    [
        ("rx_prio{}_pause", "tx_prio{}_pause"),
        ("rx_pause_prio_{}", "tx_pause_prio_{}"),
        ("rx_pfc_ena_frames_pri{}", "tx_pfc_ena_frames_pri{}"),
        ("rx_priority_{}_xoff.nic", "tx_priority_{}_xoff.nic"),
        ("port.rx_priority_{}_xoff", "port.tx_priority_{}_xoff"),
        ("rx_pb_{}_pxoff", "tx_pb_{}_pxoff"),
        ("rx_ppp{}_frames", "tx_ppp{}_frames"),
        ("mac_rx_pfc_pri{}_pkt_num", "mac_tx_pfc_pri{}_pkt_num"),
    ],
)
def test_priorities_are_added_up(rx: str, tx: str) -> None:
    names = [form.format(priority) for priority in range(8) for form in (rx, tx)]
    assert totals(places(["other", *names]), [1000, *([3, 5] * 8)]) == {"pfc_rx": 24, "pfc_tx": 40}


def test_durations_and_storms() -> None:
    names = "rx_prio0_pause|rx_prio0_pause_duration|rx_prio3_pause_duration|rx_prio0_pause_transition"
    found = of(f"{names}|tx_pause_storm_error_events|rx_global_pause")
    assert found == {"pfc_rx": 1, "pfc_duration": 5, "storms": 5}
    assert of("pfc_pri0_rx_duration_us|pfc_pri1_rx_duration_us|pfc_pri1_tx_duration_us") == {"pfc_duration": 3}


def test_nothing_is_known_of_other_names() -> None:
    assert of("rx_queue_0_packets|peer_ifindex|rx_pause") == {}
    assert totals({}, []) == {}
