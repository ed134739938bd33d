# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from pathlib import Path

import pytest

from fleutan.lake.disk import Disk


class Watched(Disk):
    """Remembers whose names were made to last; refuses those of some."""

    def __init__(self, *refused: Path) -> None:
        super().__init__()
        self.lasting: list[Path] = []
        self._refused = refused

    def sync_names(self, directory: Path) -> None:
        if directory in self._refused:
            raise OSError(5, "Input/output error")
        super().sync_names(directory)
        self.lasting.append(directory)


def test_the_names_of_all_directories_that_are_made_last(tmp_path: Path) -> None:
    disk = Watched()
    disk.make(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert disk.lasting[:3] == [tmp_path / "a", tmp_path, tmp_path.parent]


def test_what_lasts_is_not_made_to_last_again_but_what_was_made_anew_is(tmp_path: Path) -> None:
    disk = Watched()
    disk.make(tmp_path / "a")
    disk.lasting.clear()
    disk.make(tmp_path / "a")
    assert disk.lasting == []
    disk.make(tmp_path / "a" / "b")
    assert disk.lasting == [tmp_path / "a"]
    (tmp_path / "a" / "b").rmdir()
    disk.make(tmp_path / "a" / "b")
    assert disk.lasting == [tmp_path / "a", tmp_path / "a"]


def test_a_directory_that_another_made_lasts_too(tmp_path: Path) -> None:
    disk = Watched()
    disk.make(tmp_path)
    disk.lasting.clear()
    (tmp_path / "a" / "b").mkdir(parents=True)
    disk.make(tmp_path / "a" / "b")
    assert disk.lasting == [tmp_path / "a", tmp_path]


def test_names_that_cannot_be_made_to_last_matter_where_they_are_new(tmp_path: Path) -> None:
    Watched(tmp_path).make(tmp_path)
    (tmp_path / "there").mkdir()
    Watched(tmp_path).make(tmp_path / "there")
    with pytest.raises(OSError, match="Input/output"):
        Watched(tmp_path).make(tmp_path / "new")


def test_a_relative_directory_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Disk().make(Path("a/b"))
    assert (tmp_path / "a" / "b").is_dir()


def test_a_file_is_written_whole_and_another_time_anew(tmp_path: Path) -> None:
    disk = Disk()
    disk.write(tmp_path / "a", b"one and two")
    disk.write(tmp_path / "a", b"three")
    assert (tmp_path / "a").read_bytes() == b"three"
    disk.fill(tmp_path / "a", lambda path: path.write_bytes(b"four"))
    disk.sync(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"four"


@pytest.mark.usefixtures("closed")
def test_octets_go_where_they_are_wanted_whatever_stood_there(tmp_path: Path) -> None:
    disk = Disk()
    descriptor = disk.create(tmp_path / "a")
    try:
        with pytest.raises(FileExistsError):
            disk.create(tmp_path / "a")
        disk.append(descriptor, b"one", 0)
        disk.append(descriptor, b"torn", 3)
        disk.cut(descriptor, 3)
        assert (tmp_path / "a").read_bytes() == b"one"
        disk.append(descriptor, b"two", 3)
    finally:
        os.close(descriptor)
    assert (tmp_path / "a").read_bytes() == b"onetwo"


def test_names_come_and_go(tmp_path: Path) -> None:
    disk = Disk()
    disk.write(tmp_path / ".a", b"")
    disk.rename(tmp_path / ".a", tmp_path / "a")
    assert os.listdir(tmp_path) == ["a"]
    disk.sync_names(tmp_path)
    with pytest.raises(OSError, match="not empty"):
        disk.prune(tmp_path)
    disk.unlink([tmp_path / "a", tmp_path / "none"])
    disk.prune(tmp_path)
    assert not tmp_path.exists()
