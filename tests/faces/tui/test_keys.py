# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fleutan.faces.tui.keys import BY_NAME, HINTS, KEYS


def test_a_key_does_one_thing() -> None:
    names = [name for key in KEYS for name in key.names]
    assert len(set(names)) == len(names) == len(BY_NAME)


def test_hints_are_of_keys() -> None:
    shown = {word for key in KEYS for word in key.shown.split()}
    assert {key for key, _ in HINTS} <= shown


def test_the_keys_that_such_screens_have() -> None:
    expected = "q question_mark slash escape j k g G s S a space enter t p r e 1 9"
    assert set(expected.split()) <= set(BY_NAME)
