# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import platform
import subprocess
import sys

import pytest


@pytest.mark.parametrize("word", ["spare", "keep"])
def test_it_is_said_to_the_c_library(word: str) -> None:
    code = f"from fleutan.sources.memory import {word}; print({word}())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == str(platform.libc_ver()[0] == "glibc")
