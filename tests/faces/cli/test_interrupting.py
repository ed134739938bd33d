# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import signal
import threading

import pytest

from fleutan.errors import FleutanError
from fleutan.faces.cli.interrupting import interruptible


def test_a_signal_interrupts_at_once_and_again_and_what_breaks_off_is_a_keyboard_interrupt() -> None:
    """The main thread stands in C for as long as nobody interrupts; then the database says its own."""
    times: list[int] = []
    enough = threading.Event()

    def interrupt() -> None:
        times.append(1)
        if len(times) == 3:
            enough.set()

    def work() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert enough.wait(30)
        raise FleutanError("given up")

    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        with pytest.raises(KeyboardInterrupt), interruptible(interrupt):
            work()
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(times) >= 3


@pytest.mark.usefixtures("closed")
def test_other_errors_and_other_signals_pass() -> None:
    times: list[int] = []

    def work() -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        raise FleutanError("mine")

    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with pytest.raises(FleutanError, match="mine"), interruptible(lambda: times.append(1)):
            work()
    finally:
        signal.signal(signal.SIGUSR1, before)
    with interruptible(lambda: times.append(1)):
        pass
    assert times == []
    assert signal.set_wakeup_fd(-1) == -1
