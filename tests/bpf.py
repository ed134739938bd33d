# SPDX-License-Identifier: Apache-2.0
"""Whether BPF programs can be loaded here; for tests that need one."""

from __future__ import annotations

import pytest

from fleutan.linux import capabilities, libbpf


def _missing() -> str:
    if lacking := capabilities.missing(libbpf.CAPABILITIES):
        return f"needs {' and '.join(lacking)}"
    if not capabilities.has_btf():
        return f"needs {capabilities.BTF}"
    return "" if capabilities.find_library() else f"needs {capabilities.LIBBPF}"


#: What is missing, in words for a test that is skipped; "" for nothing.
MISSING = _missing()
needs_bpf = pytest.mark.skipif(bool(MISSING), reason=MISSING)
