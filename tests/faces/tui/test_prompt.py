# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.faces.tui.prompt import _EDITS, LONGEST, Prompt


def prompt(text: str, at: int | None = None) -> Prompt:
    return Prompt("filter", "filter", text, len(text) if at is None else at)


@pytest.mark.parametrize(
    ("key", "text", "at", "then"),
    [
        ("left", "abc", 2, "a|bc"),
        ("left", "abc", 0, "|abc"),
        ("right", "abc", 2, "abc|"),
        ("ctrl+f", "abc", 3, "abc|"),
        ("home", "abc", 2, "|abc"),
        ("ctrl+e", "abc", 0, "abc|"),
        ("backspace", "abc", 2, "a|c"),
        ("backspace", "abc", 0, "|abc"),
        ("delete", "abc", 1, "a|c"),
        ("delete", "abc", 3, "abc|"),
        ("ctrl+u", "abc", 2, "|c"),
        ("ctrl+k", "abc", 2, "ab|"),
        ("ctrl+w", "tcp and rtt ", 12, "tcp and |"),
        ("ctrl+w", "tcp", 3, "|"),
    ],
)
def test_keys_edit(key: str, text: str, at: int, then: str) -> None:
    found = prompt(text, at)
    assert found.press(key)
    assert f"{found.text[: found.at]}|{found.text[found.at :]}" == then


def test_other_keys_do_not() -> None:
    found = prompt("abc")
    assert not found.press("f5")
    assert found.text == "abc"


def test_text_is_put_at_the_cursor() -> None:
    found = prompt("tcp 443", 4)
    found.insert("port\x1b \n")
    assert (found.text, found.at) == ("tcp port 443", 9)
    found.insert("x" * 2 * LONGEST)
    assert len(found.text) == LONGEST


def test_the_cursor_is_always_seen() -> None:
    assert prompt("abcdef").window(4) == ("def", 3)
    assert prompt("abcdef", 2).window(4) == ("abcd", 2)
    assert prompt("abc").window(80) == ("abc", 3)


def test_trouble_has_a_place() -> None:
    found = prompt("rtt >")
    found.say("a value must follow '>'", 5)
    assert (found.trouble, found.caret) == ("a value must follow '>'", 5)
    found.say("")
    assert (found.trouble, found.caret) == ("", None)


@given(st.lists(st.one_of(st.sampled_from(sorted(_EDITS)), st.text(max_size=5))), st.integers(1, 30))
def test_the_cursor_stays_in_the_text(words: list[str], width: int) -> None:
    found = prompt("tcp and dport 443")
    for word in words:
        if not found.press(word):
            found.insert(word)
        assert 0 <= found.at <= len(found.text)
        text, at = found.window(width)
        assert at < max(width, 1)
        assert text.startswith(found.text[found.at - at : found.at])
