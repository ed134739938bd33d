# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.exports.sflow.test_packets import read

from fleutan.column import text_column
from fleutan.exports.sflow.packets import samples
from fleutan.linux.proc import Process
from fleutan.programs.agent.batches import Both, Read, Told, a_moment, of_discards, of_kernel, of_packets
from fleutan.protocols.sflow.batches import Sampled
from fleutan.protocols.sflow.layouts import DISCARDED_PACKET, FLOW_SAMPLE_EXPANDED
from fleutan.protocols.sflow.layouts.xdr import Layout
from fleutan.protocols.sflow.samples import Sample
from fleutan.protocols.spans import joined
from fleutan.records import Records
from fleutan.sources.discarded import Discards
from fleutan.sources.packets.columns import Packets, Tap, Totals
from fleutan.sources.packets.kernel_samples import KernelSamples
from fleutan.sources.packets.owning import Owners

ONES = np.ones(3, np.int64)
HEADERS = [b"one" * 9, b"", b"three"]


def written(layout: Layout, found: Sampled | None) -> list[Sample]:
    assert found is not None
    head = {**found.head, "sequence_number": np.arange(found.header.rows)}
    return read(samples(layout, replace(found, head=head)).each())


def elements(sample: Sample) -> list[tuple[str, tuple[object, ...]]]:
    return [(one.layout.name, one.values) for one in sample.elements if one.layout]


def kernel_samples(rows: int = 3) -> KernelSamples:
    row = np.arange(rows, dtype=np.int64)
    return KernelSamples(
        at_ns=row * 10**9,
        ifindex=row + 5,
        egress=row > 0,
        rate=row + 100,
        pool=row + 1000,
        drops=row,
        input=row + 5,
        output=row + 7,
        protocol=ONES[:rows],
        length=row + 60,
        stripped=ONES[:rows] * 4,
        header=joined(HEADERS[:rows]),
        queue=row - 1,
        depth=row * 100 - 1,
        delay=-ONES[:rows],
    )


def test_what_the_kernel_sampled_has_what_is_known_of_its_queue() -> None:
    found = written(FLOW_SAMPLE_EXPANDED, of_kernel(kernel_samples()))
    assert [one.named() for one in found] == [
        {
            "sequence_number": row,
            "ds_class": 0,
            "ds_index": row + 5,
            "sampling_rate": row + 100,
            "sample_pool": row + 1000,
            "drops": row,
            "input_format": 0,
            "input_value": row + 5,
            "output_format": 0,
            "output_value": row + 7,
        }
        for row in range(3)
    ]
    assert elements(found[0]) == [("sampled_header", (1, 60, 4, HEADERS[0]))]
    assert elements(found[2]) == [
        ("sampled_header", (1, 62, 4, HEADERS[2])),
        ("extended_timestamp", (2 * 10**9,)),
        ("extended_egress_queue", (1,)),
        ("extended_queue_depth", (199,)),
    ]
    assert of_kernel(kernel_samples(0)) is None


def discards(traps: list[str | None], groups: list[str | None]) -> Discards:
    row = np.arange(3, dtype=np.int64)
    return Discards(
        at_ns=row * 10**9,
        ifindex=row,
        input=row + 1,
        output=row + 2,
        reason=row + 256,
        linux_reason=text_column(["NO_SOCKET", None, "NO_SOCKET"]),
        symbol=text_column([None, "tcp_v4_rcv", "ip_forward"]),
        trap_group=text_column(groups),
        trap=text_column(traps),
        protocol=ONES,
        length=row + 60,
        stripped=ONES * 4,
        header=joined(HEADERS),
        drops=row * 5,
        cookie=row,
        netns=row,
    )


def test_dropped_packets_have_reason_function_and_trap() -> None:
    found = written(DISCARDED_PACKET, of_discards(discards([None, "ttl", "ttl"], [None, "l3", None])))
    assert found[1].named() == {
        "sequence_number": 1,
        "ds_class": 0,
        "ds_index": 1,
        "drops": 5,
        "input": 2,
        "output": 3,
        "reason": 257,
    }
    head = found[0].named()
    assert (head["ds_class"], head["ds_index"], head["drops"]) == (2, 1, 0), "at no interface of ours: the host"
    assert elements(found[0])[1:] == [("extended_linux_drop_reason", (b"NO_SOCKET",))]
    assert elements(found[1])[1:] == [
        ("extended_function", (b"tcp_v4_rcv",)),
        ("extended_hw_trap", (b"l3", b"ttl")),
        ("extended_timestamp", (10**9,)),
    ]
    assert elements(found[2])[1:-1] == [
        ("extended_function", (b"ip_forward",)),
        ("extended_linux_drop_reason", (b"NO_SOCKET",)),
        ("extended_hw_trap", (b"", b"ttl")),
    ]


def test_without_traps_there_is_no_such_structure() -> None:
    found = written(DISCARDED_PACKET, of_discards(discards([None] * 3, [None] * 3)))
    assert all("extended_hw_trap" not in dict(elements(one)) for one in found)
    empty = discards([None] * 3, [None] * 3)
    assert of_discards(replace(empty, at_ns=empty.at_ns[:0])) is None


TCP = {"snd_mss": 1448, "rtt_us": 120, "retrans": 3}


def socket_packets() -> Packets:
    row = np.arange(3, dtype=np.int64)
    first, last = row == 0, row == 2
    columns = dict.fromkeys(("rate", "pool", "drops", "input", "output", "stripped"), row * 0)
    columns |= {"at_ns": row + 10**9, "ifindex": np.array([5, 5, 7]), "protocol": ONES, "length": row + 60}
    columns |= {"in_vlan": row + 100, "in_priority": row, "direction": row + 1, **{k: row + v for k, v in TCP.items()}}
    known = {"in_vlan": first, "in_priority": first, "direction": last, "rtt_us": last & False}
    return Packets(Records(3, columns, known), joined(HEADERS))


class Sampler:
    """Gives these packets once."""

    def __init__(self) -> None:
        self.found: list[Packets | None] = [socket_packets(), None]

    def wait(self, seconds: float) -> None:
        assert seconds > 0

    def read(self) -> Packets | None:
        return self.found.pop(0)

    def totals(self) -> dict[Tap, Totals]:
        return {Tap(5, False): Totals(100, 1), Tap(5, True): Totals(1000, 2), Tap(9, True): Totals(1, 1)}


def test_both_ways_of_a_device_are_one_data_source() -> None:
    both = Both(Sampler())
    found = written(FLOW_SAMPLE_EXPANDED, both.batch(0.0))
    told = [(one.named()["ds_index"], one.named()["sample_pool"], one.named()["drops"]) for one in found]
    assert told == [(5, 550, 3), (5, 1100, 3), (7, 0, 0)]
    assert both.batch(0.0) is None


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
    sampler = Sampler()
    sampler.found[0] = owned_packets()
    holds = (np.array([77]), np.array([2]))
    process = Process(77, comm="curl", cgroup="0::/system.slice/web.service\n")
    both = Both(sampler, owners=Owners(lambda: holds, lambda _pids, _fields: [process]))
    found = written(FLOW_SAMPLE_EXPANDED, both.batch(0.0))
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
    sampled = of_kernel(kernel_samples())
    assert sampled is not None
    assert sampled.known.values["egress"].tolist() == [False, True, True]
    assert sampled.known.values["at_ns"].tolist() == [0, 10**9, 2 * 10**9]
    plain = of_packets(owned_packets(), {}).known
    assert list(plain.values) == ["at_ns", "egress"], "nobody asked for owners"
    found = owned_packets()
    records, text = found.columns, np.array([b"a", b"b", b"c"])
    owner = {"pid": np.array([7, 8, 9]), "comm": text, "unit": text, "container": text}
    owned = replace(found, columns=records._replace(values={**records.values, **owner}))
    known = of_packets(owned, {}).known
    assert (known.values["pid"].tolist(), known.known["pid"].tolist()) == ([7, 8, 9], [True, False, True])
    assert set(known.values) == {"at_ns", "egress", "pid", "uid", "cookie", "cgroup_id", "comm", "unit", "container"}


def test_a_source_is_read_until_nothing_is_there() -> None:
    class Source:
        def __init__(self) -> None:
            self.found = [kernel_samples(), None]

        def wait(self, seconds: float) -> None:
            assert seconds == 3

        def read(self) -> KernelSamples | None:
            return self.found.pop(0)

    waited: list[float] = []
    Read(Source(), of_kernel, waited.append).wait(5)
    assert waited == [5]
    a_moment(0.0)
    one = Read(Source(), of_kernel)
    one.wait(3)
    batch = one.batch(0.0)
    assert batch is not None
    assert batch.header.rows == 3
    assert one.batch(0.0) is None
