# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fleutan.observed import Counters, Source
from fleutan.programs.agent.stream import LINGER, Identity, Stream
from fleutan.protocols.sflow.batches import Sampled
from fleutan.protocols.sflow.messages import Message, parse
from fleutan.protocols.spans import joined
from fleutan.sources.collectors import Collectors

AGENT = Identity(bytes([192, 0, 2, 1]), 7, 400)


class Kept(Collectors):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__([])
        self.kept: list[bytes] = []

    def send(self, datagrams: Sequence[bytes], now: float) -> None:  # noqa: ARG002
        self.kept += datagrams

    def messages(self) -> list[Message]:
        found = [parse(one) for one in self.kept]
        assert all(one.problems == () for one in found)
        return found


def named(index: int, name: str = "eth0") -> Counters:
    return Counters(Source(0, index), {"port_name": {"name": name}})


def packets(*indexes: int, discards: bool = False) -> Sampled:
    n = len(indexes)
    names = ["ds_class", "drops", "input", "output", "reason"] if discards else []
    names += [] if discards else ["ds_class", "sampling_rate", "sample_pool", "drops"]
    names += [] if discards else ["input_format", "input_value", "output_format", "output_value"]
    head = {name: np.zeros(n, np.int64) for name in names} | {"ds_index": np.array(indexes, np.int64)}
    ones = np.ones(n, np.int64)
    return Sampled(head, ones, ones * 64, ones * 4, joined([b"x" * 60] * n))


def test_samples_wait_for_others_but_not_for_long() -> None:
    kept = Kept()
    stream = Stream(AGENT, kept, 100.0)
    stream.counters([named(1), named(2)], 100.5)
    stream.tick(100.6)
    assert kept.kept == []
    stream.tick(100.5 + LINGER)
    (one,) = kept.messages()
    assert (one.agent, one.sub_agent_id, one.sequence_number, one.uptime) == (AGENT.address, 7, 1, 750)
    assert [sample.named()["ds_index"] for sample in one.samples] == [1, 2]
    stream.tick(200.0)
    assert len(kept.kept) == 1


def test_full_datagrams_go_at_once_and_the_rest_in_time() -> None:
    kept = Kept()
    stream = Stream(AGENT, kept, 0.0)
    stream.flows(packets(1, 1, 2, 1), 10.0)
    assert len(kept.kept) == 1
    stream.tick(10.0 + LINGER)
    found = [sample.named() for one in kept.messages() for sample in one.samples]
    assert [(one["ds_index"], one["sequence_number"]) for one in found] == [(1, 1), (1, 2), (2, 1), (1, 3)]
    assert all(len(one) <= AGENT.octets for one in kept.kept)
    assert stream.sent == len(kept.kept) == 2


def test_each_kind_of_sample_has_numbers_of_its_own() -> None:
    kept = Kept()
    stream = Stream(AGENT, kept, 0.0)
    stream.flows(packets(1), 0.0)
    stream.discards(packets(1, discards=True), 0.0)
    stream.counters([named(1)], 0.0)
    stream.flows(packets(), 0.0)
    stream.flush(0.1)
    found = [sample for one in kept.messages() for sample in one.samples]
    assert [(one.layout.name, one.named()["sequence_number"]) for one in found if one.layout] == [
        ("flow_sample_expanded", 1),
        ("discarded_packet", 1),
        ("counters_sample_expanded", 1),
    ]
    assert stream.told == {"flows": 1, "discards": 1, "counters": 1}


def test_what_cannot_be_written_is_counted_and_the_rest_goes() -> None:
    kept = Kept()
    stream = Stream(AGENT, kept, 0.0)
    wrong = [Counters(Source(2, 1), {"weather": {}}), Counters(Source(2, 1), {"host_cpu": {"load_one": "much"}})]
    stream.counters([*wrong, named(1)], 0.0)
    stream.flush(0.0)
    assert [len(one.samples) for one in kept.messages()] == [1]
    assert sum(stream.refused.values()) == 2
    assert all(reason.startswith("counters of 2:1: ") for reason in stream.refused)


def test_what_is_gone_begins_anew() -> None:
    kept = Kept()
    stream = Stream(AGENT, kept, 0.0)
    stream.counters([named(1), named(1)], 0.0)
    stream.forget([Source(0, 1)])
    stream.counters([named(1)], 0.0)
    stream.flush(0.0)
    assert [one.named()["sequence_number"] for one in kept.messages()[0].samples] == [1, 2, 1]
    assert stream.accounts() == []


def test_data_sources_of_several_kinds_are_numbered_apart() -> None:
    kept = Kept()
    stream = Stream(AGENT, kept, 0.0)
    found = packets(1, 1, 2, 1, discards=True)
    found.head["ds_class"][:] = [2, 0, 0, 2]
    stream.discards(found, 0.0)
    stream.flush(0.0)
    said = [sample.named() for one in kept.messages() for sample in one.samples]
    assert [(one["ds_class"], one["ds_index"], one["sequence_number"]) for one in said] == [
        (2, 1, 1),
        (0, 1, 1),
        (0, 2, 1),
        (2, 1, 2),
    ]
