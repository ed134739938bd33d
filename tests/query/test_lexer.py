# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.errors import FilterError
from fleutan.query.lexer import LONGEST, shown, tokens


def cut(text: str) -> list[tuple[str, str]]:
    return [(str(token.kind), token.text) for token in tokens(text)][:-1]


def test_words_and_signs_need_no_blanks_between_them() -> None:
    assert cut("rtt>50ms&&!(tcp||udp),x!~'a b'") == [
        *[("word", "rtt"), ("operator", ">"), ("word", "50ms"), ("and", "&&"), ("not", "!"), ("open", "(")],
        *[("word", "tcp"), ("or", "||"), ("word", "udp"), ("close", ")"), ("comma", ",")],
        *[("word", "x"), ("operator", "!~"), ("quoted", "a b")],
    ]


@pytest.mark.parametrize("sign", ["=", "==", "!=", "<>", "<", "<=", ">", ">=", "~", "=~", "!~"])
def test_operators_are_taken_whole(sign: str) -> None:
    assert cut(f"a{sign}b") == [("word", "a"), ("operator", sign), ("word", "b")]


def test_addresses_paths_and_ranges_are_single_words() -> None:
    words = ["[::1]:22", "10/8", ":ssh", "5000:", "/system.slice/a@1.service", "0x01/0x03", "50%", "*:22", "a\\b", "-5"]
    assert cut(" ".join(words)) == [("word", word) for word in words]


@pytest.mark.parametrize(("text", "kind"), [("and", "and"), ("AND", "and"), ("&", "and"), ("|", "or"), ("Or", "or")])
def test_connectives_have_several_spellings(text: str, kind: str) -> None:
    assert cut(text) == [(kind, text)]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("\"a 'b' and\"", "a 'b' and"),
        (r'"a\"b"', 'a"b'),
        (r"'\\'", "\\"),
        (r"'\d+\.'", r"\d+\."),
        ("''", ""),
        ("'a\nb'", "a\nb"),
    ],
)
def test_quotes_take_the_meaning_off(text: str, meant: str) -> None:
    assert cut(text) == [("quoted", meant)]


def test_every_token_knows_its_place_and_the_end_is_one() -> None:
    assert [token.position for token in tokens(" a = 'b c' ")] == [1, 3, 5, 11]
    assert tokens("")[0].kind == "end"


def test_only_an_unquoted_word_is_a_word() -> None:
    assert [token.word for token in tokens("Tcp 'tcp' = and")] == ["tcp", "", "", "", ""]


@pytest.mark.parametrize(("text", "position"), [("a 'b", 2), ('a = "b\\"', 4), ("it's", 2)])
def test_an_open_quote_is_an_error_at_its_place(text: str, position: int) -> None:
    with pytest.raises(FilterError, match="quote is never closed") as caught:
        tokens(text)
    assert caught.value.position == position


def test_the_text_of_an_error_is_one_line() -> None:
    with pytest.raises(FilterError) as caught:
        tokens("tcp\n\tand 'x")
    assert caught.value.text == "tcp  and 'x"


@pytest.mark.parametrize("bad", ["\0", "\x1b", "\x7f", "\udc80"])
def test_what_cannot_be_printed_is_refused(bad: str) -> None:
    with pytest.raises(FilterError, match=r"printable text, not .* at position 3"):
        tokens(f"tcp{bad}")


def test_the_length_is_bounded() -> None:
    assert len(tokens("a" * LONGEST)) == 2
    with pytest.raises(FilterError, match="65537 characters; 65536 are the most"):
        tokens("a" * (LONGEST + 1))


def test_a_long_piece_is_shown_cut() -> None:
    assert shown("abc") == "'abc'"
    assert shown("a" * 100) == repr("a" * 39 + "…")
