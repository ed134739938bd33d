# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fleutan.protocols.netflow.elements import vendors


def test_enterprises_number_their_elements_in_15_bits() -> None:
    for enterprise, table in vendors.ELEMENTS.items():
        assert 0 < enterprise < 1 << 32
        assert all(0 < int(line.split()[0]) < 0x8000 for line in table.splitlines())
