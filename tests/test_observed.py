# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fleutan.observed import ENTITY, HOST, INTERFACE, Counters, Source


def test_a_source_is_a_key() -> None:
    assert Source(HOST, 1) == (2, 1)
    assert {Source(INTERFACE, 3): "eth0", Source(ENTITY, 3): "unit"}[Source(0, 3)] == "eth0"


def test_counters_have_labels_of_their_own() -> None:
    one, other = (Counters(Source(INTERFACE, number), {}) for number in (1, 2))
    assert one.labels == {}
    assert one.labels is not other.labels
