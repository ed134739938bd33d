# SPDX-License-Identifier: Apache-2.0
"""What drivers call the counters that rtnetlink does not have: multicast, broadcast, priority flow control.

Names are those that ``ethtool -S`` shows.  There is no standard for them: a table says what is
known of which driver.  What lives here asks nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Names of one counter, the first that a driver has counts: those of what the system itself receives and
#: sends before those of the port, which also count what goes to others (virtual functions).
_NAMES: dict[str, tuple[str, ...]] = {
    "rx_multicast": (
        *("rx_vport_multicast_packets", "rx_multicast", "rx_multicast_packets", "rx_mcast_packets"),
        *("rx_mcast_frames", "rx_mcast_pkts", "rx_multicast_frames", "InMulticastPkts", "multicast"),
        *("a_multicast_frames_received_ok", "mac_rx_multi_pkt_num", "mmc_rx_multicastframe_g"),
        *("port_rx_multicast", "port.rx_multicast", "rx_multicast.nic", "HwIfInMcastPkts", "receive-multicast-packet"),
        "mcast pkts rx",
    ),
    "rx_broadcast": (
        *("rx_vport_broadcast_packets", "rx_broadcast", "rx_broadcast_packets", "rx_bcast_packets"),
        *("rx_bcast_frames", "rx_bcast_pkts", "rx_broadcast_frames", "InBroadcastPkts", "broadcast"),
        *("a_broadcast_frames_received_ok", "mac_rx_broad_pkt_num", "mmc_rx_broadcastframe_g"),
        *("port_rx_broadcast", "port.rx_broadcast", "rx_broadcast.nic", "HwIfInBcastPkts", "receive-broadcast-packet"),
        "bcast pkts rx",
    ),
    "tx_multicast": (
        *("tx_vport_multicast_packets", "tx_multicast", "tx_multicast_packets", "tx_mcast_packets"),
        *("tx_mcast_frames", "tx_mcast_pkts", "tx_multicast_frames", "OutMulticastPkts"),
        *("a_multicast_frames_xmitted_ok", "mac_tx_multi_pkt_num", "mmc_tx_multicastframe_g"),
        *("port_tx_multicast", "port.tx_multicast", "tx_multicast.nic", "HwIfOutMcastPkts", "tx-multicast-packets"),
        "mcast pkts tx",
    ),
    "tx_broadcast": (
        *("tx_vport_broadcast_packets", "tx_broadcast", "tx_broadcast_packets", "tx_bcast_packets"),
        *("tx_bcast_frames", "tx_bcast_pkts", "tx_broadcast_frames", "OutBroadcastPkts"),
        *("a_broadcast_frames_xmitted_ok", "mac_tx_broad_pkt_num", "mmc_tx_broadcastframe_g"),
        *("port_tx_broadcast", "port.tx_broadcast", "tx_broadcast.nic", "HwIfOutBcastPkts", "tx-broadcast-packets"),
        "bcast pkts tx",
    ),
    "storms": ("tx_pause_storm_error_events",),
}
#: The same of the eight priorities, which are added up: mlx5; mlx4, mlxsw; bnxt_en; ice, i40e; ixgbe; cxgb4; hns3.
#: Where frames that stop and that let go again are told apart, those that stop count, as in the kernel's own
#: answer (``ice_dcbnl_getpfc``).  Durations are in microseconds.
_OF_PRIORITY: dict[str, tuple[str, ...]] = {
    "pfc_rx": (
        *(r"rx_prio\d_pause", r"rx_pause_prio_\d", r"rx_pfc_ena_frames_pri\d"),
        *(r"(?:port\.)?rx_priority_\d_xoff(?:\.nic)?", r"rx_pb_\d_pxoff", r"rx_ppp\d_frames"),
        r"mac_rx_pfc_pri\d_pkt_num",
    ),
    "pfc_tx": (
        *(r"tx_prio\d_pause", r"tx_pause_prio_\d", r"tx_pfc_ena_frames_pri\d"),
        *(r"(?:port\.)?tx_priority_\d_xoff(?:\.nic)?", r"tx_pb_\d_pxoff", r"tx_ppp\d_frames"),
        r"mac_tx_pfc_pri\d_pkt_num",
    ),
    "pfc_duration": (r"rx_prio\d_pause_duration", r"rx_pause_duration_prio_\d", r"pfc_pri\d_rx_duration_us"),
}
_PRIORITIES = {name: [re.compile(pattern) for pattern in patterns] for name, patterns in _OF_PRIORITY.items()}

#: For what is known, where it stands among a driver's counters; several places are added up.
Places = dict[str, tuple[int, ...]]


def places(names: Sequence[str]) -> Places:
    """Where a driver has what is known here, by the names of its counters."""
    by_name: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        by_name.setdefault(name.strip(), []).append(place)
    found = {}
    for key, known in _NAMES.items():
        first = next((name for name in known if name in by_name), None)
        if first is not None:
            found[key] = tuple(by_name[first])  # vmxnet3 has one of the name for every queue
    for key, patterns in _PRIORITIES.items():
        for pattern in patterns:
            if matching := [place for name, at in by_name.items() if pattern.fullmatch(name) for place in at]:
                found[key] = tuple(matching)
                break
    return found


def totals(found: Places, counted: Sequence[int]) -> dict[str, int]:
    """What they come to."""
    return {key: sum(counted[place] for place in at) for key, at in found.items()}
