# SPDX-License-Identifier: Apache-2.0
"""What gnuplot makes of a script."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import NamedTuple

import pytest

needs_gnuplot = pytest.mark.skipif(not shutil.which("gnuplot"), reason="needs gnuplot")


class Drawn(NamedTuple):
    """The title and the names of the vertical axes that stand in the picture, and how many curves there are."""

    labels: tuple[str, ...]
    curves: int


def drawn(script: str) -> Drawn:
    """The picture that gnuplot draws of the script, without a complaint."""
    found = subprocess.run(["gnuplot"], input=script, capture_output=True, text=True, check=True)
    assert found.stdout.startswith("%!PS-Adobe"), found.stderr
    assert not found.stderr, found.stderr
    wanted = re.findall(r'set (?:title|ylabel|y2label) "(.*)"', script)
    labels = tuple(label for label in wanted if f"({label})" in found.stdout)
    curves = len(re.findall(r"^% Begin plot #[0-9]+$", found.stdout, re.MULTILINE))
    return Drawn(labels, 0 if "(no data)" in found.stdout else curves)
