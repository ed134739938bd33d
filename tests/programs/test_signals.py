# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from tests.namespaces.conftest import PLAIN

from fleutan.programs.signals import Signals

KNOWN = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_end_is_noticed(number: signal.Signals) -> None:
    with Signals() as signals:
        assert not signals.came
        os.kill(os.getpid(), number)
        assert (signals.stopped, signals.asked, signals.came) == (True, False, True)


def test_a_signal_to_reload_is_noticed_until_that_is_done() -> None:
    with Signals() as signals:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGHUP)
            assert (signals.stopped, signals.asked, signals.came) == (False, True, True)
            signals.reloaded()
            assert not signals.came


def test_what_was_there_before_is_there_again() -> None:
    before = [signal.getsignal(number) for number in KNOWN]
    with Signals():
        os.kill(os.getpid(), signal.SIGTERM)
    assert [signal.getsignal(number) for number in KNOWN] == before


_TWICE = """
import os, signal
from fleutan.programs.signals import Signals
with Signals():
    os.kill(os.getpid(), signal.SIGTERM)
    print("once", flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
    print("twice", flush=True)
"""


def test_a_second_signal_to_end_ends_at_once() -> None:
    done = subprocess.run([sys.executable, "-c", _TWICE], check=False, capture_output=True, text=True, env=PLAIN)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "once\n")
