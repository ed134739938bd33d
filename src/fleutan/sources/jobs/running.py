# SPDX-License-Identifier: Apache-2.0
"""Runs a program that answers on its standard output, within a time, and keeps no more than an answer's octets."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO, NamedTuple

from fleutan.errors import FleutanError
from fleutan.sources.jobs.found import OCTETS

#: So much of what it says on standard error is told.
_TOLD = 200


class Ran(NamedTuple):
    """Its exit status, what it wrote, and the last line that it complained with."""

    status: int
    output: bytes
    trouble: str


def run(words: Sequence[str], seconds: float, environment: Mapping[str, str] | None = None) -> Ran:
    """Runs it; no shell sees the words.  Raises FleutanError if it cannot be, or takes too long."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaints:
        try:
            started = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=complaints,
                env=os.environ | dict(environment or {}),
                start_new_session=True,  # so that what it starts ends with it
            )
        except (OSError, ValueError) as error:
            raise FleutanError(f"{words[0]}: {getattr(error, 'strerror', None) or error}") from None
        try:
            status = started.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)  # not waited for yet, so the number is still its own
            started.wait()
            raise FleutanError(f"{words[0]} takes longer than {seconds:g} s") from None
        lines = _read(complaints).decode("utf-8", "replace").split("\n")
        said = [line for line in lines if line.strip()]
        return Ran(status, _read(output), " ".join(said[-1].split())[:_TOLD] if said else "")


def _read(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read(OCTETS + 1)
