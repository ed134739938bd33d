# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from fleutan.errors import UsageError
from fleutan.faces.web.tokens import Tokens, read


def test_who_has_a_token_is_known_by_name(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("# who may ask\n\nalice:s3cret\n bob : AbC-._~+/== \n")
    tokens = Tokens(path)
    assert tokens.name_of(b"Bearer s3cret") == "alice"
    assert tokens.name_of(b"bearer  AbC-._~+/==") == "bob"
    for wrong in (b"", b"Bearer", b"Bearer ", b"Bearer s3cre", b"Bearer s3cret2", b"Basic s3cret", b"s3cret", b"\xff"):
        assert tokens.name_of(wrong) is None


def test_the_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("alice:one\n")
    tokens = Tokens(path)
    path.write_text("alice:two\n")
    tokens.again()
    assert tokens.name_of(b"Bearer one") is None
    assert tokens.name_of(b"Bearer two") == "alice"
    path.write_text("nonsense\n")
    with pytest.raises(UsageError):
        tokens.again()
    assert tokens.name_of(b"Bearer two") == "alice"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has no token"),
        ("# only this\n", "has no token"),
        ("alice\n", "line 1: a token is written NAME:TOKEN"),
        ("alice:\n", "line 1"),
        (":token\n", "line 1"),
        ("a:1\nalice:two words\n", "line 2"),
        ("a:1\na:2\n", "line 2: a has a token already"),
    ],
)
def test_what_is_no_file_of_tokens_is_said(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "tokens"
    path.write_text(text)
    with pytest.raises(UsageError, match=why):
        read(path)


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        read(tmp_path / "binary")
