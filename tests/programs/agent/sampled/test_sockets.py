# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.programs.agent.sampled.showing import HEADERS, ONES, elements, written

from fleutan.linux.proc import Process
from fleutan.programs.agent.sampled.sockets import Told, of_packets
from fleutan.protocols.sflow.layouts import FLOW_SAMPLE_EXPANDED
from fleutan.protocols.sflow.samples import Sample
from fleutan.protocols.spans import joined
from fleutan.records import Records
from fleutan.sources.packets.columns import Packets, Totals
from fleutan.sources.packets.deltas import Deltas
from fleutan.sources.packets.owning import Owners, with_owners

TCP = {"snd_mss": 1448, "rtt_us": 120, "retrans": 3}


def socket_packets() -> Packets:
    row = np.arange(3, dtype=np.int64)
    first, last = row == 0, row == 2
    columns = dict.fromkeys(("rate", "pool", "drops", "input", "output", "stripped"), row * 0)
    columns |= {"at_ns": row + 10**9, "ifindex": np.array([5, 5, 7]), "protocol": ONES, "length": row + 60}
    columns |= {"in_vlan": row + 100, "in_priority": row, "direction": row + 1, **{k: row + v for k, v in TCP.items()}}
    known = {"in_vlan": first, "in_priority": first, "direction": last, "rtt_us": last & False}
    return Packets(Records(3, columns, known), joined(HEADERS))


def test_counts_are_those_of_the_data_source_or_what_came_with_the_packet_if_that_is_more() -> None:
    packets = socket_packets()
    packets.columns.values["pool"] = np.array([0, 2000, 3])
    found = written(FLOW_SAMPLE_EXPANDED, of_packets(packets, {5: Totals(100, 1), 9: Totals(7, 7)}))
    told = [(one.named()["ds_index"], one.named()["sample_pool"], one.named()["drops"]) for one in found]
    assert told == [(5, 100, 1), (5, 2000, 1), (7, 3, 0)]


def test_a_packet_has_the_state_of_its_connection_or_the_time() -> None:
    found = written(FLOW_SAMPLE_EXPANDED, of_packets(socket_packets(), {}))
    unknown = 0xFFFF_FFFF
    assert elements(found[0])[1:] == [
        ("extended_switch", (100, 0, unknown, unknown)),
        ("extended_timestamp", (10**9,)),
    ]
    assert elements(found[1])[1:] == [("extended_timestamp", (10**9 + 1,))]
    ((name, _),) = elements(found[2])[1:]
    assert name == "extended_tcp_info"
    state = found[2].elements[1].named()
    assert (state["direction"], state["snd_mss"], state["retrans"]) == (3, 1450, 5)
    assert (state["rtt"], state["pmtu"]) == (unknown, unknown)
    plain = written(FLOW_SAMPLE_EXPANDED, of_packets(socket_packets(), {}, Told(tcp=False)))
    assert elements(plain[2])[1:] == [("extended_timestamp", (10**9 + 2,))]


def owned_packets() -> Packets:
    found = socket_packets()
    row = np.arange(3, dtype=np.int64)
    own = np.array([True, False, True])
    columns = {"is_own": own, "cookie": np.array([9, 0, 9]), "inode": np.array([2, 0, 2])}
    columns |= {"egress": ~own, "uid": row + 1000, "cgroup_id": row, "segs_out": row * 10}
    known = dict.fromkeys(("cookie", "uid", "cgroup_id"), own)
    return Packets(
        Records(3, {**found.columns.values, **columns}, {**found.columns.known, **known, "direction": own}),
        found.header,
    )


def test_a_packet_says_who_holds_its_socket_and_how_its_connection_fared() -> None:
    holds = (np.array([77]), np.array([2]))
    process = Process(77, comm="curl", cgroup="0::/system.slice/web.service\n")
    owners = Owners(lambda: holds, lambda _pids, _fields: [process])
    packets = with_owners(Deltas().of(owned_packets()), owners)
    found = written(FLOW_SAMPLE_EXPANDED, of_packets(packets, {}))
    names = [[name for name, _ in elements(one)] for one in found]
    assert names[0] == ["sampled_header", "socket_owner", "extended_switch", "extended_tcp_info"]
    assert names[1] == ["sampled_header", "extended_timestamp"]
    assert names[2] == ["sampled_header", "socket_owner", "tcp_deltas", "extended_tcp_info"]
    assert found[0].elements[1].values == (77, 1000, 9, 0, b"curl", b"web.service", b"")
    assert found[2].elements[1].values == (77, 1002, 9, 2, b"curl", b"web.service", b"")
    deltas = found[2].elements[2].named()
    assert (deltas["segs_out"], deltas["retrans"], deltas["rtt_change"]) == (20, 2, 2)


def told(found: list[Sample], name: str) -> list[dict[str, object] | None]:
    return [next((one.named() for one in sample.elements if one.layout and one.layout.name == name), None)
            for sample in found]  # fmt: skip


def test_a_packet_says_which_unit_it_belongs_to() -> None:
    packets = owned_packets()
    packets.columns.values["egress"] = np.array([True, False, False])
    numbers = Told(tcp=False, entities=lambda ids: np.where(ids == 7, 100_007, 0))
    packets.columns.values["cgroup_id"] = np.array([7, 7, 8])
    found = written(FLOW_SAMPLE_EXPANDED, of_packets(packets, {}, numbers))
    own = {"src_ds_class": 3, "src_ds_index": 100_007, "dst_ds_class": 0, "dst_ds_index": 0}
    assert told(found, "extended_entities") == [own, None, None], "the second has no socket, the third no unit"
    assert [one is None for one in told(found, "extended_timestamp")] == [True, False, False]
    packets.columns.values["egress"][0] = False
    (there, *_) = told(written(FLOW_SAMPLE_EXPANDED, of_packets(packets, {}, numbers)), "extended_entities")
    assert there == {"src_ds_class": 0, "src_ds_index": 0, "dst_ds_class": 3, "dst_ds_index": 100_007}


def test_one_of_the_structures_that_decoders_stumble_over_or_all() -> None:
    belongs = lambda ids: np.full(len(ids), 100_001)  # noqa: E731
    names = {"extended_tcp_info", "extended_entities", "extended_timestamp"}
    found = written(FLOW_SAMPLE_EXPANDED, of_packets(owned_packets(), {}, Told(entities=belongs)))
    assert [[name for name, _ in elements(one) if name in names] for one in found] == [
        ["extended_tcp_info"],
        ["extended_entities"],
        ["extended_tcp_info"],
    ]
    every = written(FLOW_SAMPLE_EXPANDED, of_packets(owned_packets(), {}, Told(entities=belongs, every=True)))
    assert all(names - {"extended_tcp_info"} <= {name for name, _ in elements(one)} for one in every)
    assert [one is None for one in told(every, "extended_tcp_info")] == [False, True, False]


def test_what_is_known_before_structures_is_for_other_forms() -> None:
    plain = of_packets(owned_packets(), {}).known
    assert list(plain.values) == ["at_ns", "egress"], "nobody asked for owners"
    found = owned_packets()
    records, text = found.columns, np.array([b"a", b"b", b"c"])
    owner = {"pid": np.array([7, 8, 9]), "comm": text, "unit": text, "container": text}
    owned = replace(found, columns=records._replace(values={**records.values, **owner}))
    known = of_packets(owned, {}).known
    assert (known.values["pid"].tolist(), known.known["pid"].tolist()) == ([7, 8, 9], [True, False, True])
    assert set(known.values) == {"at_ns", "egress", "pid", "uid", "cookie", "cgroup_id", "comm", "unit", "container"}
