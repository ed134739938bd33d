# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import platform
import subprocess
import sys


def test_it_is_said_to_the_c_library() -> None:
    code = "from fleutan.sources.memory import spare; print(spare())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == str(platform.libc_ver()[0] == "glibc")
