# SPDX-License-Identifier: Apache-2.0
"""An interface in the words of sFlow's structures.

What lives here knows both words, and asks nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleutan.linux.bonding import Port
from fleutan.linux.linkstats import Lacp, Stats
from fleutan.linux.optics import Optics
from fleutan.sources.counters.devices import Interface

#: ifType (IANAifType-MIB) by ARPHRD_* (include/uapi/linux/if_arp.h): what hosts have.
ETHERNET, OTHER, WIRELESS = 6, 1, 71
_TUNNEL = 131
_TYPES = {
    1: ETHERNET,
    24: 144,  # IEEE 1394
    32: 199,  # InfiniBand
    512: 23,  # PPP
    519: OTHER,  # raw IP
    768: _TUNNEL,  # IP in IP
    769: _TUNNEL,
    772: 24,  # loopback
    776: _TUNNEL,  # sit
    778: _TUNNEL,  # GRE
    823: _TUNNEL,
    801: WIRELESS,
    802: WIRELESS,
    803: WIRELESS,
    65534: _TUNNEL,  # none: tun, WireGuard
}
_FULL_DUPLEX, _HALF_DUPLEX, _UNKNOWN = 1, 2, 0
_ADMIN_UP, _OPER_UP = 1, 2


def if_counters(one: Interface, counted: Stats, of_driver: Mapping[str, int]) -> dict[str, int | None]:
    """Structure 1.  Unicast packets are those that are not known to be multicast or broadcast.

    That no multicast packet was received may mean that the device does not count them: it is unknown then.
    """
    multicast_in = of_driver.get("rx_multicast", counted.multicast or None)
    broadcast_in = of_driver.get("rx_broadcast")
    multicast_out, broadcast_out = of_driver.get("tx_multicast"), of_driver.get("tx_broadcast")
    return {
        "ifIndex": one.ifindex,
        "ifType": WIRELESS if one.wireless else _TYPES.get(one.arphrd, OTHER),
        "ifSpeed": one.speed or 0,
        "ifDirection": _UNKNOWN if one.full_duplex is None else _FULL_DUPLEX if one.full_duplex else _HALF_DUPLEX,
        "ifStatus": one.up * _ADMIN_UP | one.running * _OPER_UP,
        "ifInOctets": counted.rx_bytes,
        "ifInUcastPkts": _rest(counted.rx_packets, multicast_in, broadcast_in),
        "ifInMulticastPkts": multicast_in,
        "ifInBroadcastPkts": broadcast_in,
        "ifInDiscards": counted.rx_dropped + counted.rx_missed_errors,
        "ifInErrors": counted.rx_errors,
        "ifInUnknownProtos": None,
        "ifOutOctets": counted.tx_bytes,
        "ifOutUcastPkts": _rest(counted.tx_packets, multicast_out, broadcast_out),
        "ifOutMulticastPkts": multicast_out,
        "ifOutBroadcastPkts": broadcast_out,
        "ifOutDiscards": counted.tx_dropped,
        "ifOutErrors": counted.tx_errors,
        "ifPromiscuousMode": int(one.promiscuous),
    }


def _rest(packets: int, *others: int | None) -> int:
    """Counters of the port and of the system are not read at the same moment: they may differ by a few."""
    return max(0, packets - sum(filter(None, others)))


def lag_port_stats(one: Interface, port: Port, lacp: Lacp | None) -> dict[str, Any]:
    """Structure 7.  Linux has no states but those in operation."""
    actor, partner = one.lacp
    counted = lacp or Lacp()
    return {
        "dot3adAggPortActorSystemID": port.actor,
        "dot3adAggPortPartnerOperSystemID": port.partner,
        "dot3adAggPortAttachedAggID": one.master,
        "dot3adAggPortActorAdminState": None,
        "dot3adAggPortActorOperState": actor,
        "dot3adAggPortPartnerAdminState": None,
        "dot3adAggPortPartnerOperState": partner,
        "dot3adAggPortStatsLACPDUsRx": counted.lacpdu_rx,
        "dot3adAggPortStatsMarkerPDUsRx": counted.marker_rx,
        "dot3adAggPortStatsMarkerResponsePDUsRx": counted.marker_resp_rx,
        "dot3adAggPortStatsUnknownRx": counted.lacpdu_unknown_rx,
        "dot3adAggPortStatsIllegalRx": counted.lacpdu_illegal_rx,
        "dot3adAggPortStatsLACPDUsTx": counted.lacpdu_tx,
        "dot3adAggPortStatsMarkerPDUsTx": counted.marker_tx,
        "dot3adAggPortStatsMarkerResponsePDUsTx": counted.marker_resp_tx,
    }


def sfp(one: Interface, optics: Optics) -> dict[str, Any]:
    """Structure 10; lanes have their fields in order.  A module does not tell the wavelength that it receives."""
    return {
        "module_id": one.ifindex,
        "module_total_lanes": len(optics.lanes),
        "module_supply_voltage": optics.voltage,
        "module_temperature": optics.temperature,
        "lanes": [(*lane, None) for lane in optics.lanes],
    }


def pfc(of_driver: Mapping[str, int]) -> dict[str, int | None]:
    """Structure 11.  Requests are what this interface sent, indications what it received (IEEE8021-PFC-MIB).

    The duration is how long it was stopped.
    """
    return {
        "requests": of_driver.get("pfc_tx"),
        "indications": of_driver.get("pfc_rx"),
        "pause_duration": of_driver.get("pfc_duration"),
        "storm_detected": of_driver.get("storms"),
        "storm_restored": None,
    }
