# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest
from tests.linux.packets.conftest import Inside
from tests.linux.packets.test_bpf import LO, send

from fleutan.errors import Gone
from fleutan.linux.packets.socket import Drawn, program
from fleutan.linux.sampling import OUTGOING


def run(code: bytes, pkttype: int, random: int) -> int:
    """What a classic BPF program returns, as net/core/filter.c runs it."""
    steps = list(struct.iter_unpack("=HBBI", code))
    held, at = 0, 0
    while True:
        operation, yes, no, value = steps[at]
        at += 1
        match operation:
            case 0x20:
                held = {0x1_0000_0000 - 0x1000 + 4: pkttype, 0x1_0000_0000 - 0x1000 + 56: random}[value]
            case 0x94:
                held %= value
            case 0x15:
                at += yes if held == value else no
            case 0x06:
                return int(value)


@pytest.mark.parametrize("one_in", [1, 2, 10])
def test_the_program_keeps_one_direction_and_one_in_so_many(one_in: int) -> None:
    for egress in (False, True):
        code = program(64, one_in, egress=egress)
        for pkttype in (0, 1, 2, 3, OUTGOING):
            mine = (pkttype == OUTGOING) == egress
            kept = [run(code, pkttype, random) for random in range(2 * one_in)]
            assert kept == ([64, *[0] * (one_in - 1)] * 2 if mine else [0] * 2 * one_in)


def test_each_direction_has_its_packets_once(inside: Inside) -> None:
    with Drawn(LO, True, 64, 1) as sent, Drawn(LO, False, 64, 1) as received:
        send(20)
        assert set((found := sent.read()).pkttype.tolist()) == {OUTGOING}
        assert len(found.at_ns) == 20
        assert set((found := received.read()).pkttype.tolist()) == {0}
        assert len(found.at_ns) == 20
        sent.set_rate(10)
        send(2_000)
        assert 130 < len(sent.read().at_ns) < 270, "five standard deviations"
        assert sent.dropped() == 0


def test_a_device_that_goes_is_there_no_more(inside: Inside) -> None:
    with Drawn(inside.index(), True, 64, 1) as drawn:
        assert drawn.is_there()
        inside.run("ip link delete veth0")
        assert not drawn.is_there()
        assert len(drawn.read().at_ns) < 10


def test_a_device_that_is_not_there_is_gone(inside: Inside, closed: None) -> None:
    with pytest.raises(Gone, match="there is no device 99"), Drawn(99, True, 64, 1):
        pass
