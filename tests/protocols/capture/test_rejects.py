# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fleutan.protocols.capture import rejects


def test_every_reason_has_a_name_of_its_own() -> None:
    names = [value for name, value in vars(rejects).items() if name.isupper()]
    assert len(set(names)) == len(names) > 10
    assert all(name == name.strip() and name[0].islower() for name in names)
