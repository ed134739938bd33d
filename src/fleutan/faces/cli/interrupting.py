# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C ends a question at once, though a database works on it where Python looks at no signal.

The signal's own handler writes to a pipe; a thread reads it and has the database give up.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fleutan.errors import FleutanError

#: A question that begins forgets an interrupt: it is repeated so often, in seconds, until there is none any more.
AGAIN = 0.1


@contextmanager
def interruptible(interrupt: Callable[[], object]) -> Iterator[None]:
    """While ``with`` lasts, SIGINT calls ``interrupt``, and what that breaks off is a KeyboardInterrupt.

    For the main thread.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    done, seen = threading.Event(), threading.Event()

    def watch() -> None:
        while octets := os.read(reader, 64):
            if signal.SIGINT not in octets:
                continue
            seen.set()
            interrupt()
            while not done.wait(AGAIN):
                interrupt()

    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    thread = threading.Thread(target=watch, name="interrupts", daemon=True)
    thread.start()
    try:
        yield
    except FleutanError:
        if seen.is_set():
            raise KeyboardInterrupt from None
        raise
    finally:
        done.set()
        signal.set_wakeup_fd(before)
        os.close(writer)
        thread.join()
        os.close(reader)
