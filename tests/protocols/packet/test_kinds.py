# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from fleutan.protocols.packet import kinds
from fleutan.protocols.packet.kinds import LINK_TYPE, Kind, beginnings, layer_of
from fleutan.protocols.packet.names import Layer


def test_packets_begin_as_sflow_and_link_types_say() -> None:
    numbers = np.array([1, 7, 11, 12, 13, 14, 15, 0, -1, 1 << 40, LINK_TYPE + 113, LINK_TYPE + 105])
    expected = [Kind.ETHERNET, Kind.PPP, Kind.IPV4, Kind.IPV6, Kind.MPLS, Kind.PPP, 0, 0, 0, 0, Kind.SLL, 0]
    assert beginnings(numbers).tolist() == expected
    assert beginnings(numbers[:0]).tolist() == []


def test_numbers_lead_to_kinds() -> None:
    assert kinds.ETHERTYPES[[0x0800, 0x86DD, 0x88A8, 0x0600, 1500, 0xFFFF]].tolist() == [
        *(Kind.IPV4, Kind.IPV6, Kind.TAG, Kind.END, Kind.LLC, Kind.END)
    ]
    assert kinds.PROTOCOLS[[0, 6, 17, 44, 255]].tolist() == [Kind.END, Kind.TCP, Kind.UDP, Kind.END, Kind.END]
    assert kinds.NEXT_HEADERS[[0, 6, 44, 59]].tolist() == [Kind.EXTENSION, Kind.TCP, Kind.FRAGMENT, Kind.END]
    assert kinds.PORTS[[53, 4789, 8472, 6081, 2152]].tolist() == [
        *(Kind.END, Kind.VXLAN, Kind.VXLAN, Kind.GENEVE, Kind.GTP_U)
    ]


def test_each_kind_is_of_one_layer() -> None:
    layers = [(Kind.ETHERNET, Layer.LINK), (Kind.MPLS, Layer.LINK), (Kind.IP, Layer.NETWORK), (Kind.ARP, Layer.NETWORK)]
    layers += [(Kind.TCP, Layer.TRANSPORT), (Kind.ESP, Layer.TRANSPORT)]
    layers += [(Kind.PSEUDOWIRE, Layer.TUNNEL), (Kind.GTP_U, Layer.TUNNEL)]
    assert [layer_of(kind) for kind, _ in layers] == [layer for _, layer in layers]
