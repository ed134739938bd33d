# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest
from tests.linux.packets.test_dropmon import ALERT, trapped
from tests.linux.packets.test_psample import FAMILY, messages

from fleutan.errors import NotSupported
from fleutan.linux.netlink import attribute
from fleutan.linux.packets.dropmon import Dropmon, Trapped, parse
from fleutan.sources.discarded import Discards
from fleutan.sources.trapped import Quota, TrappedPackets, discards_of

NOW = 1_800_000_000_000_000_000


def made(*bodies: bytes, header: int = 128) -> Discards:
    found = parse(messages(*bodies), FAMILY)
    return discards_of(found, found.starts * 0, header, NOW)


def by(trap: bytes) -> bytes:
    """A packet that this trap dropped."""
    head = ALERT + attribute(14, struct.pack("=H", 1)) + attribute(10, struct.pack("=I", 60))
    return head + attribute(16, trap + b"\0")


def test_a_trapped_packet_in_words_of_sflow() -> None:
    found = made(trapped(b"x" * 60), header=20)
    assert (found.rows, found.at_ns.tolist()) == (1, [1_700_000_000_000_000_000])
    assert (found.ifindex.tolist(), found.input.tolist(), found.output.tolist()) == ([70_000], [70_000], [0])
    assert (found.reason.tolist(), found.linux_reason.objects(), found.symbol.objects()) == ([263], [None], [None])
    assert (found.trap_group.objects(), found.trap.objects()) == (["l2_drops"], ["source_mac_is_multicast"])
    assert (found.protocol.tolist(), found.length.tolist(), found.stripped.tolist()) == ([1], [1518], [4])
    assert found.header.strings() == [b"x" * 20]


def test_reasons_by_the_traps_names() -> None:
    names = [b"blackhole_route", b"ttl_value_is_too_small", b"tail_drop", b"ipv6_lpm_miss", b"somebody_s_own", b"\xff"]
    assert made(*map(by, names), by(b"")).reason.tolist() == [269, 257, 259, 0, 256, 256, 256]
    assert made(by(b"")).trap.objects() == [None]
    assert made(by(b"acl")).at_ns.tolist() == [NOW]
    assert made().rows == 0


def test_a_quota_is_for_a_second() -> None:
    quota = Quota(10)
    assert [quota.take(wanted, now) for wanted, now in ((4, 0.0), (9, 0.0), (9, 0.0), (9, 0.5), (99, 60.0))] == [
        *(4, 6, 0, 5, 10)
    ]


class Script(Dropmon):
    """A monitor that tells what it is given."""

    def __init__(self, batches: list[tuple[list[bytes], int]]) -> None:
        super().__init__()
        self.batches, self.lost = iter(batches), 0

    def __enter__(self) -> Script:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self) -> Trapped | None:
        bodies, lost = next(self.batches, (None, 0))
        self.lost += lost
        return None if bodies is None else parse(messages(*bodies), FAMILY)

    def dropped(self) -> int:
        return self.lost


def test_what_is_not_told_is_in_the_drops_of_what_follows() -> None:
    now = [0.0]
    packets = [trapped()] * 4
    script = Script([(packets, 0), (packets, 5), ([], 0), (packets[:1], 2)])
    with TrappedPackets(limit=6, kernel=lambda _: script, steady=lambda: now[0]) as source:
        first, second, nothing = source.read(), source.read(), source.read()
        now[0] = 1.0
        third, end = source.read(), source.read()
        assert source.notes() == []
    assert first is not None
    assert second is not None
    assert third is not None
    assert (first.drops.tolist(), second.drops.tolist(), third.drops.tolist()) == ([0] * 4, [5] * 2, [9])
    assert (nothing, end) == (None, None)


def test_the_kernel_gives_them_or_says_why_not() -> None:
    try:
        with TrappedPackets() as source:
            source.wait(0)
            assert source.read() is None
    except NotSupported as error:
        pytest.skip(f"needs drop_monitor: {error}")
