# SPDX-License-Identifier: Apache-2.0
"""The same datagrams in a lake and in a file of nfcapd's: of packets that softflowd made flows of, and of ours."""

from __future__ import annotations

import csv
import io
import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from tests.exporting import batch
from tests.protocols.netflow.test_programs import WAIT_S, await_empty, await_port, needs_nfdump

from fleutan.lake.writer import Writer
from fleutan.sources import kept
from fleutan.sources.exported import Exporters, decoded

__all__ = ["collected", "exported", "filled", "listed", "needs_nfdump", "needs_softflowd", "nfdump"]

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


def collected(folder: Path, datagrams: Sequence[bytes]) -> Path:
    """The folder of an nfcapd that was sent these."""
    folder.mkdir()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["nfcapd", "-b", "127.0.0.1", "-p", str(port), "-w", str(folder), "-t", "60", "-B", "4000000"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            await_port(port, process)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for one in datagrams:
                    sender.sendto(one, ("127.0.0.1", port))
                    await_empty(port)
        finally:
            process.terminate()
            process.wait(WAIT_S)
    return folder


def nfdump(folder: Path, *words: str) -> list[dict[str, str]]:
    """What a statistic of nfdump's says, as rows of its CSV."""
    return list(csv.DictReader(io.StringIO(_said(folder, "-o", "csv", *words))))


def listed(folder: Path, form: str, *words: str) -> list[list[str]]:
    """The flows that nfdump lists, the fields of a form (``%sa,%byt``) each."""
    lines = _said(folder, "-o", f"fmt:{form}", *words).replace(" ", "").splitlines()
    return [line.split(",") for line in lines if line.count(",") == form.count(",")]


def _said(folder: Path, *words: str) -> str:
    command = ["nfdump", "-R", str(folder), "-q", "-N", "-6", *words]
    environment = {"TZ": "UTC", "PATH": os.environ["PATH"]}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


def filled(root: Path, datagrams: Sequence[bytes]) -> Path:
    """A lake of the same datagrams, each received when it says that it was sent."""
    exporters = Exporters()
    with Writer(root, "test", node="here") as writer:
        for one in datagrams:
            (sent,) = struct.unpack_from(">I", one, 4 if one[1] == 10 else 8)
            for table in kept.tables(decoded(batch(one, at_ns=sent * 10**9), exporters)):
                writer.add(table)
    return root
