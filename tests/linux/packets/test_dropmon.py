# SPDX-License-Identifier: Apache-2.0
"""The drop monitor's messages, made by hand as net/core/drop_monitor.c makes them."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.linux.packets.test_psample import FAMILY, messages

from fleutan.errors import NotSupported
from fleutan.linux import capabilities
from fleutan.linux.netlink import Refused, attribute
from fleutan.linux.packets import dropmon
from fleutan.linux.packets.dropmon import Dropmon, Trapped, mode_of, parse, stats_of

ALERT = struct.pack("=BBH", 5, 2, 0)


def trapped(payload: bytes = b"frame", origin: int = 1, command: bytes = ALERT, more: bytes = b"") -> bytes:
    """The body of a message."""
    port = attribute(0, struct.pack("=I", 70_000)) + attribute(1, b"swp1\0")
    parts = [
        (14, struct.pack("=H", origin)),
        (15, b"l2_drops\0"),
        (16, b"source_mac_is_multicast\0"),
        (4 | 0x8000, port),
        (5, struct.pack("=Q", 1_700_000_000_000_000_000)),
        (10, struct.pack("=I", 1514)),
        (6, struct.pack("=H", 0x0800)),
        (7, payload),
    ]
    return command + b"".join(attribute(kind, value) for kind, value in parts) + more


def text(found: Trapped, starts: str, sizes: str) -> bytes:
    start, size = int(getattr(found, starts)[0]), int(getattr(found, sizes)[0])
    return found.octets[start : start + size].tobytes()


def test_everything_that_is_told_is_read() -> None:
    found = parse(messages(trapped(b"x" * 128)), FAMILY)
    assert (found.length.tolist(), found.at_ns.tolist()) == ([1514], [1_700_000_000_000_000_000])
    assert (found.protocol.tolist(), found.input.tolist()) == ([0x800], [70_000])
    assert text(found, "group", "group_size") == b"l2_drops"
    assert text(found, "trap", "trap_size") == b"source_mac_is_multicast"
    assert text(found, "starts", "sizes") == b"x" * 128


def test_what_is_not_told_is_not_known() -> None:
    least = ALERT + attribute(14, struct.pack("=H", 1)) + attribute(10, struct.pack("=I", 60))
    found = parse(messages(least), FAMILY)
    columns = (found.at_ns, found.protocol, found.input, found.sizes, found.group_size, found.trap_size)
    assert [column.tolist() for column in columns] == [[-1], [-1], [0], [0], [0], [0]]


def test_software_s_drops_and_other_messages_are_left_out() -> None:
    other = struct.pack("=BBH", 9, 2, 0)
    found = parse(messages(trapped(origin=0), trapped(command=other), b"", ALERT, trapped()), FAMILY)
    assert found.length.tolist() == [1514]
    assert len(parse(messages(trapped(), kind=16), FAMILY).length) == 0


@given(st.integers(0, 300), st.integers(0, 7))
def test_flipped_bits_raise_nothing(place: int, bit: int) -> None:
    body = bytearray(trapped(b"x" * 60))
    body[place % len(body)] ^= 1 << bit
    found = parse(messages(bytes(body)), FAMILY)
    assert (found.starts + found.sizes <= len(found.octets)).all()
    assert (found.trap + found.trap_size <= np.int64(len(found.octets))).all()


def test_the_monitors_settings_and_sums() -> None:
    assert mode_of(attribute(1, b"\1") + attribute(9, struct.pack("=I", 128))) == 1
    software, hardware = (attribute(0, struct.pack("=Q", count)) for count in (5, 7))
    assert stats_of(attribute(12, software) + attribute(13, hardware)) == 7
    assert (mode_of(b""), stats_of(b"")) == (0, 0)


@pytest.mark.parametrize(
    ("number", "reason"), [(2, "does not offer it"), (1, "it takes CAP_NET_ADMIN"), (12, "cannot allocate memory")]
)
def test_each_refusal_has_a_reason(number: int, reason: str) -> None:
    if number == 12 and capabilities.missing(("CAP_NET_ADMIN", "CAP_SYS_ADMIN")):
        pytest.skip("needs CAP_NET_ADMIN and CAP_SYS_ADMIN")
    assert reason in dropmon._not_supported(Refused(dropmon.WHAT, number)).reason


# -- the kernel: no device here traps, but the monitor can be begun and ended


def test_the_monitor_is_begun_joined_and_ended() -> None:
    try:
        with Dropmon() as first:
            with Dropmon() as second:
                assert second.read() is None
            assert first.read() is None
            assert first.dropped() >= 0
        with Dropmon(header=64) as again:  # which has the settings changed: it runs no more
            assert again.read() is None
    except NotSupported as error:
        pytest.skip(f"needs drop_monitor: {error}")


class Script(Dropmon):
    """The kernel answers as it is told to: by command, an error number or an answer."""

    def __init__(self, answers: dict[int, int | bytes]) -> None:
        super().__init__()
        self.answers, self.asked = answers, list[int]()

    def _ask(self, command: int, *parts: bytes) -> list[bytes]:  # noqa: ARG002
        self.asked.append(command)
        answer = self.answers.get(command, b"")
        if isinstance(answer, int):
            raise Refused(dropmon.WHAT, answer)
        return [bytes(4) + answer]


PACKETS, SUMS = attribute(1, b"\1"), attribute(1, b"\0")
BUSY, AGAIN, DENIED = 16, 11, 1


@pytest.mark.parametrize(
    ("answers", "starts", "asked"),
    [
        ({}, True, [2, 3]),
        ({2: BUSY, 6: PACKETS}, True, [2, 6, 3]),  # it runs for software's drops
        ({2: BUSY, 6: PACKETS, 3: AGAIN}, False, [2, 6, 3]),  # and for devices' drops, too
    ],
)
def test_a_monitor_that_runs_is_joined(answers: dict[int, int | bytes], starts: bool, asked: list[int]) -> None:
    kernel = Script(answers)
    assert kernel._starts() == starts
    assert kernel.asked == asked


def test_a_monitor_that_tells_sums_only_is_not_joined() -> None:
    with pytest.raises(NotSupported, match="tell sums only"):
        Script({2: BUSY, 6: SUMS})._starts()


@pytest.mark.parametrize("answers", [{2: DENIED}, {2: BUSY, 6: PACKETS, 3: DENIED}, {3: DENIED}])
def test_other_refusals_are_told(answers: dict[int, int | bytes]) -> None:
    with pytest.raises(Refused):
        Script(answers)._starts()


def test_at_the_end_it_is_stopped_and_told_drops_are_added_up() -> None:
    kernel = Script({4: DENIED, 8: attribute(13, attribute(0, struct.pack("=Q", 3)))})
    kernel._stop()
    assert kernel.dropped() == 3
    assert kernel.asked == [4, 8]
