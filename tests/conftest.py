# SPDX-License-Identifier: Apache-2.0
"""What tests of several rooms use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from difflib import unified_diff
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long it takes to make an example, or to look at it, says how busy the machine is.
settings.register_profile("fleutan", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fleutan")

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compares a text with tests/golden/NAME.txt, or rewrites that where FLEUTAN_GOLDEN is ``write``."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / f"{name}.txt"
        if os.environ.get("FLEUTAN_GOLDEN") == "write":
            path.write_text(text, encoding="utf-8")
            return
        kept = path.read_text(encoding="utf-8")
        difference = unified_diff(kept.splitlines(), text.splitlines(), f"{name}.txt", "now", lineterm="")
        assert text == kept, "\n".join(["'make golden' rewrites it", *difference])

    return compare


@pytest.fixture
def closed() -> Iterator[None]:
    """What was opened is closed, also where not all could be."""
    before = os.listdir("/proc/self/fd")
    yield
    assert os.listdir("/proc/self/fd") == before
