# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
from tests.programs.agent.sampled.showing import elements, written
from tests.programs.agent.sampled.test_kernel import kernel_samples
from tests.programs.agent.sampled.test_sockets import owned_packets, socket_packets

from fleutan.linux.proc import Process
from fleutan.programs.agent.batches import Both, Read, a_moment
from fleutan.programs.agent.sampled.kernel import of_kernel
from fleutan.protocols.sflow.layouts import FLOW_SAMPLE_EXPANDED
from fleutan.sources.packets.columns import Packets, Tap, Totals
from fleutan.sources.packets.kernel_samples import KernelSamples
from fleutan.sources.packets.owning import Owners


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


def test_with_owners_packets_say_who_holds_their_sockets_and_how_their_connections_fared() -> None:
    sampler = Sampler()
    sampler.found[0] = owned_packets()
    holds = (np.array([77]), np.array([2]))
    process = Process(77, comm="curl", cgroup="0::/system.slice/web.service\n")
    both = Both(sampler, owners=Owners(lambda: holds, lambda _pids, _fields: [process]))
    found = written(FLOW_SAMPLE_EXPANDED, both.batch(0.0))
    names = [[name for name, _ in elements(one)] for one in found]
    assert names[0] == ["sampled_header", "socket_owner", "extended_switch", "extended_tcp_info"]
    assert names[2] == ["sampled_header", "socket_owner", "tcp_deltas", "extended_tcp_info"]


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
