# SPDX-License-Identifier: Apache-2.0
"""A place for what a test does to the network of this machine."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator

import pytest

from fleutan.linux import capabilities


@pytest.fixture
def namespace() -> Iterator[None]:
    """This thread in a network namespace of its own."""
    if capabilities.missing(("CAP_SYS_ADMIN", "CAP_NET_ADMIN")):
        pytest.skip("needs CAP_SYS_ADMIN and CAP_NET_ADMIN, for a network namespace of its own")
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as before:
        assert libc.unshare(0x4000_0000) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            libc.setns(before.fileno(), 0x4000_0000)
