# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fleutan.protocols.netflow.elements import iana


def test_numbers_that_version_9_took_before_the_registry_are_the_same_there() -> None:
    # RFC 3954 8 and RFC 7012 4: 1 to 127 are compatible.
    numbers = [int(line.split()[0]) for line in iana.ELEMENTS.splitlines()]
    assert {1, 2, 4, 7, 8, 10, 11, 12, 14, 21, 22, 27, 28, 34, 35, 48, 49, 50, 60, 61, 89, 95} <= set(numbers)
    assert max(numbers) < 0x8000
