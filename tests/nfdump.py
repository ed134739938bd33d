# SPDX-License-Identifier: Apache-2.0
"""nfcapd and nfdump as they are: datagrams go in, what nfdump says of them comes out."""

from __future__ import annotations

import csv
import io
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

WAIT_S = 20

needs_nfdump = pytest.mark.skipif(
    not (shutil.which("nfdump") and shutil.which("nfcapd")), reason="needs nfdump and nfcapd"
)


def received(folder: Path, datagrams: Sequence[bytes]) -> Path:
    """The folder of an nfcapd that was sent these."""
    folder.mkdir(exist_ok=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Debian's nfcapd 1.7 takes -w for the folder, 1.6 took -l.
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


def await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + WAIT_S
    while queued(port) is None:
        if process.poll() is not None:
            pytest.skip("nfcapd does not run here")
        assert time.monotonic() < deadline, "nfcapd opened no socket"
        time.sleep(0.02)


def await_empty(port: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while queued(port):
        assert time.monotonic() < deadline, "nfcapd does not read"
        time.sleep(0.02)


def queued(port: int) -> int | None:
    """The octets that wait in the socket of that port, None if there is none."""
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rsplit(":", 1)[1], 16) == port:
            return int(fields[4].split(":")[1], 16)
    return None
