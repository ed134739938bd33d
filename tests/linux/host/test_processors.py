# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from tests.linux.host.test_host import STAT

from fleutan.linux.host.processors import Load, Stat, loadavg, megahertz, stat, uptime


def test_load() -> None:
    assert loadavg(b"0.50 1.25 2 3/456 7890\n") == Load(0.5, 1.25, 2.0, 3, 456)
    assert loadavg(b"nan 1e9 2.x 3\n") == Load(None, None, None, 3, None)
    assert loadavg(b"") == Load(None, None, None, None, None)


def test_stat() -> None:
    assert stat(STAT) == Stat((10, 20, 30, 40, 50, 60, 70, 80, 90, 100), 2, 12345, 678)


def test_kernels_with_fewer_columns_leave_the_others_unknown() -> None:
    assert stat(b"cpu 1 2 3 4\nctxt 9\n") == Stat((1, 2, 3, 4, *[None] * 6), None, None, 9)
    assert stat(b"") == Stat((None,) * 10, None, None, None)
    assert stat(b"intr 5\ncpu 1\n").ticks == (None,) * 10


def test_a_row_of_interrupts_may_be_very_long() -> None:
    assert stat(b"cpu 1\ncpu0 1\nintr 77" + b" 0" * 100_000 + b"\nctxt 8\n")[1:] == (1, 77, 8)


def test_uptime_is_in_whole_seconds() -> None:
    assert uptime(b"1234.56 78.9\n") == 1234
    assert uptime(b"x\n") is None


def test_the_first_processor_says_its_speed_if_any_does() -> None:
    assert megahertz(b"processor\t: 0\ncpu MHz\t\t: 2100.923\n\ncpu MHz\t\t: 9.0\n") == 2100
    assert megahertz(b"processor\t: 0\nBogoMIPS\t: 48.00\n") is None
    assert megahertz(b"cpu MHz\t\t: 0.000\n") is None
