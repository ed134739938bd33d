# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
from typing import Any

import pytest
from tests.linux.packets.test_psample import FAMILY, messages, sample

from fleutan.errors import NotSupported, UsageError
from fleutan.linux.packets.psample import parse
from fleutan.sources.packets.kernel_samples import Account, KernelSamples
from fleutan.sources.packets.psample import Groups, PsampleSource, samples_of

IPV4 = b"\x45" + bytes(19) + b"payload"
FRAME = bytes(range(12)) + b"\x08\0" + IPV4
NOW = 1_700_000_000_000_000_000


def made(*bodies: bytes, groups: Groups = Groups(), header: int = 128, **account: Any) -> KernelSamples:  # noqa: B008
    return samples_of(parse(messages(*bodies), FAMILY), groups, Account(**account), header, NOW)


def test_a_sample_in_words_of_sflow() -> None:
    numbers: dict[str, Any] = {"input": 3, "output": 4, "length": 1514, "rate": 100, "at_ns": 5, "protocol": 0x0800}
    found = made(sample(FRAME, queue=2, depth=7000, latency=900, **numbers))
    assert (found.rows, found.at_ns.tolist(), found.ifindex.tolist(), found.egress.tolist()) == (1, [5], [3], [False])
    assert (found.rate.tolist(), found.pool.tolist(), found.drops.tolist()) == ([100], [100], [0])
    assert (found.input.tolist(), found.output.tolist()) == ([3], [4])
    assert (found.protocol.tolist(), found.length.tolist(), found.stripped.tolist()) == ([1], [1518], [4])
    assert found.header.strings() == [FRAME]
    assert (found.queue.tolist(), found.depth.tolist(), found.delay.tolist()) == ([2], [7000], [900])


def test_what_is_not_told_is_unknown() -> None:
    found = made(sample(FRAME))
    assert (found.at_ns.tolist(), found.ifindex.tolist(), found.output.tolist()) == ([NOW], [0], [0])
    assert (found.queue.tolist(), found.depth.tolist(), found.delay.tolist()) == ([-1], [-1], [-1])


def test_groups_say_which_way_packets_go() -> None:
    bodies = [sample(FRAME, group=group, input=3, output=4) for group in (7, 8, 9)]
    both = made(*bodies, groups=Groups(7, egress=True))
    assert (both.ifindex.tolist(), both.egress.tolist()) == ([3, 4], [False, True])
    assert made(*bodies, groups=Groups(7)).ifindex.tolist() == [3]
    assert made(*bodies, groups=Groups(7, ingress=False, egress=True)).ifindex.tolist() == [4]
    assert made(*bodies).rows == 0
    assert made().rows == 0


def test_packets_of_devices_without_frames() -> None:
    six = struct.pack("!IHBB32s", 6 << 28, 0, 17, 64, bytes(32))
    vlan = bytes(12) + b"\x81\0\0\5\x08\0" + IPV4
    looks = b"\x45" + bytes(11) + b"\x08\0" + IPV4  # a frame for 45:...
    found = made(
        sample(IPV4[:12] + b"\x10\x09" + IPV4[14:], protocol=0x0800, length=500),
        sample(six[:12] + b"\x20\x01" + six[14:], protocol=0x86DD, length=600),
        sample(vlan, protocol=0x0800),
        sample(looks, protocol=0x0800),
        sample(IPV4, protocol=0x0806),
        sample(IPV4),
        sample(b"", protocol=0x0800),
    )
    assert found.protocol.tolist() == [11, 12, 1, 1, 1, 1, 1]
    assert found.length.tolist()[:3] == [500, 600, 1518]
    assert found.stripped.tolist() == [0, 0, 4, 4, 4, 4, 4]


def test_as_many_octets_are_kept_as_are_wanted() -> None:
    assert made(sample(FRAME), header=20).header.strings() == [FRAME[:20]]


def test_fewer_are_told_where_fewer_are_wanted() -> None:
    bodies = [sample(FRAME, input=3, sequence=number) for number in (0, 1, 3, 4)]
    found = made(*bodies, wanted=lambda _: 200)
    assert (found.rate.tolist(), found.pool.tolist(), found.drops.tolist()) == ([200, 200], [200, 500], [0, 1])
    assert len(found.header.strings()) == 2


def test_a_group_that_cannot_be_is_refused() -> None:
    for group in (0, (1 << 32) - 1):
        with pytest.raises(UsageError, match=f"psample has no group {group}"):
            PsampleSource(Groups(group))


def test_the_kernel_gives_them_or_says_why_not() -> None:
    try:
        with PsampleSource(Groups(31)) as source:
            source.wait(0)
            assert source.read() is None
            assert source.notes() == []
    except NotSupported as error:
        pytest.skip(f"needs psample: {error}")
