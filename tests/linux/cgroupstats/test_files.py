# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

from fleutan.linux.cgroupstats import files


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("12345\n" * 40_000)
    assert files.text(str(tmp_path / "one")) == "12345\n" * 40_000
    (tmp_path / "none").write_bytes(b"\xff")
    assert files.text(str(tmp_path / "none")) == "�"


def test_what_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert files.text(str(tmp_path / "two")) is None
    assert files.text(str(tmp_path)) is None
