# SPDX-License-Identifier: Apache-2.0
"""What tshark says of a capture file, as an answer that is not ours."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

needs_tshark = pytest.mark.skipif(not shutil.which("tshark"), reason="needs tshark")
_PLAIN = ("-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-o", "tcp.desegment_tcp_streams:FALSE")


def fields(path: Path, names: list[str], *options: str) -> list[dict[str, list[str]]]:
    """A row a frame: the values of each name that it has, outermost first."""
    asked = [word for name in names for word in ("-e", name)]
    command = ["tshark", "-n", "-r", str(path), *_PLAIN, *options, "-T", "fields", "-E", "aggregator=;", *asked]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [line.split("\t") for line in text.split("\n")[:-1]]
    return [{name: value.split(";") for name, value in zip(names, line, strict=True) if value != ""} for line in lines]
