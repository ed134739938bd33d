# SPDX-License-Identifier: Apache-2.0
"""The same datagrams in a lake and in a file of nfcapd's: of packets that softflowd made flows of, and of ours."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from tests.exporting import batch
from tests.nfdump import WAIT_S

from fleutan.lake.writer import Writer
from fleutan.sources import kept
from fleutan.sources.exported import Exporters, decoded

needs_softflowd = pytest.mark.skipif(not shutil.which("softflowd"), reason="needs softflowd")


def exported(captures: Iterable[Path], version: int = 9) -> list[bytes]:
    """What softflowd sends of these capture files, a process each, with the packets' own times."""
    found: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        collector.bind(("127.0.0.1", 0))
        collector.setblocking(False)
        for path in captures:
            words = ["softflowd", "-r", str(path), "-n", f"127.0.0.1:{collector.getsockname()[1]}", "-v", str(version)]
            subprocess.run(
                [*words, "-a", "-D"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=WAIT_S, check=True
            )
            try:
                while True:
                    found.append(collector.recv(1 << 16))
            except BlockingIOError:
                continue
    return found


def filled(root: Path, datagrams: Sequence[bytes]) -> Path:
    """A lake of the same datagrams, each received when it says that it was sent."""
    exporters = Exporters()
    with Writer(root, "test", node="here") as writer:
        for one in datagrams:
            (sent,) = struct.unpack_from(">I", one, 4 if one[1] == 10 else 8)
            for table in kept.tables(decoded(batch(one, at_ns=sent * 10**9), exporters)):
                writer.add(table)
    return root
