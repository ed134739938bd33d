# SPDX-License-Identifier: Apache-2.0
"""Counters of network interfaces and of the switches and routers that have them.

From sFlow Version 5 and its structures for 802.11, LAG, optics, PFC, OpenFlow, port names,
Broadcom's buffers and tables, and Open vSwitch.
"""

from __future__ import annotations

from fleutan.protocols.sflow.layouts.xdr import I32, MAC, U8, U32, U64, Array, Layout, row, string

LANE = row(
    "index tx_bias_current tx_power tx_power_min tx_power_max tx_wavelength",
    "rx_power rx_power_min rx_power_max rx_wavelength",
    U32,
)

LAYOUTS = (
    Layout(
        0,
        1,
        "if_counters",
        row(
            *("ifIndex ifType", U32, "ifSpeed", U64, "ifDirection ifStatus", U32, "ifInOctets", U64),
            *("ifInUcastPkts ifInMulticastPkts ifInBroadcastPkts ifInDiscards ifInErrors ifInUnknownProtos", U32),
            *("ifOutOctets", U64, "ifOutUcastPkts ifOutMulticastPkts ifOutBroadcastPkts ifOutDiscards", U32),
            *("ifOutErrors ifPromiscuousMode", U32),
        ),
    ),
    Layout(
        0,
        2,
        "ethernet_counters",
        row(
            "dot3StatsAlignmentErrors dot3StatsFCSErrors dot3StatsSingleCollisionFrames",
            "dot3StatsMultipleCollisionFrames dot3StatsSQETestErrors dot3StatsDeferredTransmissions",
            "dot3StatsLateCollisions dot3StatsExcessiveCollisions dot3StatsInternalMacTransmitErrors",
            "dot3StatsCarrierSenseErrors dot3StatsFrameTooLongs dot3StatsInternalMacReceiveErrors",
            "dot3StatsSymbolErrors",
            U32,
        ),
    ),
    Layout(
        0,
        3,
        "tokenring_counters",
        row(
            "dot5StatsLineErrors dot5StatsBurstErrors dot5StatsACErrors dot5StatsAbortTransErrors",
            "dot5StatsInternalErrors dot5StatsLostFrameErrors dot5StatsReceiveCongestions",
            "dot5StatsFrameCopiedErrors dot5StatsTokenErrors dot5StatsSoftErrors dot5StatsHardErrors",
            "dot5StatsSignalLoss dot5StatsTransmitBeacons dot5StatsRecoverys dot5StatsLobeWires",
            "dot5StatsRemoves dot5StatsSingles dot5StatsFreqErrors",
            U32,
        ),
    ),
    Layout(
        0,
        4,
        "vg_counters",
        row(
            *("dot12InHighPriorityFrames", U32, "dot12InHighPriorityOctets", U64),
            *("dot12InNormPriorityFrames", U32, "dot12InNormPriorityOctets", U64),
            *("dot12InIPMErrors dot12InOversizeFrameErrors dot12InDataErrors dot12InNullAddressedFrames", U32),
            *("dot12OutHighPriorityFrames", U32, "dot12OutHighPriorityOctets", U64),
            *("dot12TransitionIntoTrainings", U32),
            *("dot12HCInHighPriorityOctets dot12HCInNormPriorityOctets dot12HCOutHighPriorityOctets", U64),
        ),
    ),
    Layout(
        0, 5, "vlan_counters", row("vlan_id", U32, "octets", U64, "ucastPkts multicastPkts broadcastPkts discards", U32)
    ),
    Layout(
        0,
        6,
        "ieee80211_counters",
        row(
            "dot11TransmittedFragmentCount dot11MulticastTransmittedFrameCount dot11FailedCount dot11RetryCount",
            "dot11MultipleRetryCount dot11FrameDuplicateCount dot11RTSSuccessCount dot11RTSFailureCount",
            "dot11ACKFailureCount dot11ReceivedFragmentCount dot11MulticastReceivedFrameCount dot11FCSErrorCount",
            "dot11TransmittedFrameCount dot11WEPUndecryptableCount dot11QoSDiscardedFragmentCount",
            "dot11AssociatedStationCount dot11QoSCFPollsReceivedCount dot11QoSCFPollsUnusedCount",
            "dot11QoSCFPollsUnusableCount dot11QoSCFPollsLostCount",
            U32,
        ),
    ),
    Layout(
        0,
        7,
        "lag_port_stats",
        row(
            *("dot3adAggPortActorSystemID dot3adAggPortPartnerOperSystemID", MAC, "dot3adAggPortAttachedAggID", U32),
            *("dot3adAggPortActorAdminState dot3adAggPortActorOperState", U8),
            *("dot3adAggPortPartnerAdminState dot3adAggPortPartnerOperState", U8),
            "dot3adAggPortStatsLACPDUsRx dot3adAggPortStatsMarkerPDUsRx dot3adAggPortStatsMarkerResponsePDUsRx",
            "dot3adAggPortStatsUnknownRx dot3adAggPortStatsIllegalRx dot3adAggPortStatsLACPDUsTx",
            "dot3adAggPortStatsMarkerPDUsTx dot3adAggPortStatsMarkerResponsePDUsTx",
            U32,
        ),
    ),
    Layout(
        0,
        10,
        "sfp",
        row(
            *("module_id module_total_lanes module_supply_voltage", U32, "module_temperature", I32),
            *("lanes", Array(LANE)),
        ),
    ),
    Layout(0, 11, "pfc", row("requests indications pause_duration storm_detected storm_restored", U32)),
    # Hundredths of a per cent, -1 where it is not known.
    Layout(0, 1001, "processor", row("5s_cpu 1m_cpu 5m_cpu", I32, "total_memory free_memory", U64)),
    Layout(0, 1002, "radio_utilization", row("elapsed_time on_channel_time on_channel_busy_time", U32)),
    Layout(0, 1004, "of_port", row("datapath_id", U64, "port_no", U32)),
    Layout(0, 1005, "port_name", row("name", string(255))),
    Layout(0, 2207, "ovs_dp_stats", row("hits misses lost mask_hits flows masks", U32)),
    Layout(4413, 1, "bst_device_buffers", row("uc_pc mc_pc", I32)),
    Layout(
        4413,
        2,
        "bst_port_buffers",
        row(
            *("ingress_uc_pc ingress_mc_pc egress_uc_pc egress_mc_pc", I32),
            *("egress_queue_uc_pc egress_queue_mc_pc", Array(I32)),
        ),
    ),
    Layout(
        4413,
        3,
        "hw_tables",
        row(
            "host_entries host_entries_max ipv4_entries ipv4_entries_max ipv6_entries ipv6_entries_max",
            "ipv4_ipv6_entries ipv4_ipv6_entries_max long_ipv6_entries long_ipv6_entries_max",
            "total_routes total_routes_max ecmp_nexthops ecmp_nexthops_max mac_entries mac_entries_max",
            "ipv4_neighbors ipv6_neighbors ipv4_routes ipv6_routes",
            "acl_ingress_entries acl_ingress_entries_max acl_ingress_counters acl_ingress_counters_max",
            "acl_ingress_meters acl_ingress_meters_max acl_ingress_slices acl_ingress_slices_max",
            "acl_egress_entries acl_egress_entries_max acl_egress_counters acl_egress_counters_max",
            "acl_egress_meters acl_egress_meters_max acl_egress_slices acl_egress_slices_max",
            U32,
        ),
    ),
)
