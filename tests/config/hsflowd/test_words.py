# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.config.hsflowd.words import LONGEST, Word, Words
from fleutan.errors import UsageError


def words(text: str) -> list[Word]:
    read, found = Words(text, "x"), []
    while (word := read.next()) is not None:
        found.append(word)
    return found


def texts(text: str) -> list[str]:
    return [word.text for word in words(text)]


def test_words_stand_between_white_space_equals_and_semicolons() -> None:
    assert texts(" a=b;c\td\r\n = ;; e") == ["a", "b", "c", "d", "e"]


def test_braces_stand_for_themselves_without_white_space() -> None:
    assert words("a{b=c}d") == [
        *(Word("a", 1), Word("{", 1, True), Word("b", 1), Word("c", 1), Word("}", 1, True), Word("d", 1)),
    ]


def test_comments_end_with_their_line_and_words_with_a_comment() -> None:
    assert words("a#b {\n#c\nd # e") == [Word("a", 1), Word("d", 3)]


def test_what_is_quoted_is_one_word_without_a_sign() -> None:
    assert words('"a = {}; # b"c "{" "say ""x"""') == [
        *(Word("a = {}; # b", 1), Word("c", 1), Word("{", 1), Word('say "x"', 1)),
    ]
    assert texts('""') == [""]


def test_a_pattern_is_one_word_only_where_it_is_expected() -> None:
    text = r"/a b{2}\/c\.d/ /e/"
    read = Words(text, "x")
    assert [read.next(pattern=True), read.next()] == [Word(r"a b{2}/c\.d", 1), Word("/e/", 1)]
    assert texts("/etc/modules") == ["/etc/modules"]


@pytest.mark.parametrize("text", ['\n"a', '\n"a\nb"', '\n"a""'])
def test_quotes_end_on_their_line(text: str) -> None:
    with pytest.raises(UsageError, match="x:2: this quoted word does not end on its line"):
        words(text)


@pytest.mark.parametrize("text", ["/a", "/a\nb/", "/a\\/"])
def test_a_pattern_ends_on_its_line(text: str) -> None:
    with pytest.raises(UsageError, match="x:1: this pattern does not end on its line"):
        Words(text, "x").next(pattern=True)


@pytest.mark.parametrize("quote", ["", '"'])
def test_no_word_is_too_long(quote: str) -> None:
    assert texts(quote + "a" * LONGEST + quote) == ["a" * LONGEST]
    with pytest.raises(UsageError, match=r"x:1: 'a+… is longer than 255 characters"):
        words(quote + "a" * (LONGEST + 1) + quote)


ONE = st.text(st.characters(exclude_characters='\n"', exclude_categories=["Cs"]), max_size=20)


@given(st.lists(ONE, max_size=10), st.lists(st.sampled_from(["\n", " = ", ";", "\t# …\n"]), min_size=10, max_size=10))
def test_any_words_that_are_quoted_are_read_again_with_their_lines(said: list[str], between: list[str]) -> None:
    text, lines = "", []
    for one, gap in zip(said, between, strict=False):
        lines.append(1 + text.count("\n"))
        text += f'"{one}"{gap}'
    assert words(text) == [Word(one, line) for one, line in zip(said, lines, strict=True)]
