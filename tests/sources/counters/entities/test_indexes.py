# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.linux.privileges import keep
from fleutan.sources.counters.entities.indexes import COUNT, FIRST, FORGET_S, Indexes, load, save, written

UUIDS = st.binary(min_size=16, max_size=16)


def uuid(hashed: int, other: int = 0) -> bytes:
    """One whose hash is this number."""
    return (hashed ^ other).to_bytes(8) + other.to_bytes(8)


def test_a_number_is_where_the_hash_falls_or_the_next_one() -> None:
    numbers = Indexes()
    assert numbers.of(uuid(7), 0) == FIRST + 7
    assert numbers.of(uuid(7, 1), 0) == FIRST + 8
    assert numbers.of(uuid(7, 2), 0) == FIRST + 9
    assert numbers.of(uuid(8), 0) == FIRST + 10
    assert numbers.of(uuid(7), 5) == FIRST + 7
    assert numbers.of(uuid(COUNT - 1), 0) == FIRST + COUNT - 1
    assert numbers.of(uuid(COUNT - 1, 1), 0) == FIRST, "and goes round"


def test_there_is_an_end_to_them() -> None:
    numbers = Indexes(count=3)
    assert sorted(numbers.of(uuid(at), 0) or 0 for at in range(3)) == [FIRST, FIRST + 1, FIRST + 2]
    assert numbers.of(uuid(9), 0) is None
    assert numbers.of(uuid(1), 0) == FIRST + 1


def test_who_is_away_keeps_its_number_for_a_while() -> None:
    numbers = Indexes()
    numbers.of(uuid(1), 0)
    numbers.of(uuid(2), 0)
    numbers.of(uuid(2), 100)
    assert numbers.forget(FORGET_S - 1) == []
    assert numbers.forget(FORGET_S) == [uuid(1)]
    assert numbers.of(uuid(1, 3), FORGET_S) == FIRST + 1, "then it is another's"
    assert numbers.forget(100 + FORGET_S) == [uuid(2)]


def test_numbers_of_an_earlier_life_are_kept_until_they_are_claimed_or_forgotten() -> None:
    numbers = Indexes({uuid(1): FIRST + 77, uuid(2): FIRST + 1, uuid(3): 5, uuid(4): FIRST + 1})
    assert set(numbers.numbers()) == {uuid(1), uuid(2)}
    assert not numbers.changed
    assert numbers.of(uuid(1), 50) == FIRST + 77
    assert numbers.of(uuid(1, 5), 50) == FIRST + 2
    assert numbers.changed
    assert numbers.forget(50) == []
    assert set(numbers.forget(50 + FORGET_S)) == {uuid(1), uuid(2), uuid(1, 5)}


@given(st.lists(st.tuples(UUIDS, st.integers(0, 400)), max_size=60))
def test_no_two_have_the_same_and_nobody_changes(seen: list[tuple[bytes, int]]) -> None:
    numbers, now = Indexes(count=40), 0
    had: dict[bytes, int] = {}
    for one, later in seen:
        now += later
        for gone in numbers.forget(now):
            del had[gone]
        number = numbers.of(one, now)
        if number is None:
            assert len(had) == 40
            continue
        assert had.setdefault(one, number) == number
        assert len(set(had.values())) == len(had)
        assert all(FIRST <= number < FIRST + 40 for number in had.values())


# -- the file


@given(st.dictionaries(UUIDS, st.integers(FIRST, FIRST + COUNT - 1)))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, numbers: dict[bytes, int]) -> None:
    path = str(tmp_path_factory.getbasetemp() / "numbers")
    assert save(path, numbers) == ""
    assert load(path) == (numbers, "")


def test_no_file_is_nothing(tmp_path: Path) -> None:
    assert load(str(tmp_path / "numbers")) == ({}, "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "7",
        '{"version": 1',
        '{"version": 2, "numbers": {}}',
        '{"version": 1, "numbers": []}',
        '{"version": 1, "numbers": {"zz": 1}}',
        '{"version": 1, "numbers": {"00": null}}',
        '{"numbers": {}}',
        '{"version": 1, "numbers": {"00": 1e999}}',
        "[" * 100_000,
        "\udcff",
    ],
)
def test_a_broken_file_is_nothing_and_said_to_be(tmp_path: Path, text: str) -> None:
    (tmp_path / "numbers").write_bytes(text.encode("utf-8", "surrogateescape"))
    found, note = load(str(tmp_path / "numbers"))
    assert found == {}
    assert "is broken: numbers of data sources begin anew" in note


@given(st.integers(0, 200), st.integers(1, 255))
def test_any_damage_is_noticed_or_harmless(tmp_path_factory: pytest.TempPathFactory, at: int, flipped: int) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged"
    save(str(path), {uuid(number): FIRST + number for number in range(4)})
    octets = bytearray(path.read_bytes())
    octets[at % len(octets)] ^= flipped
    path.write_bytes(octets)
    found, _ = load(str(path))
    assert all(FIRST <= number < FIRST + COUNT for number in Indexes(found).numbers().values())


def test_what_cannot_be_written_or_read_is_said(tmp_path: Path) -> None:
    assert "no such file" in save(str(tmp_path / "no/numbers"), {})
    (tmp_path / "folder/x").mkdir(parents=True)
    assert "is a directory" in save(str(tmp_path / "folder"), {})
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    assert load(str(tmp_path / "folder"))[1].endswith("is a directory: numbers of data sources begin anew")


def test_the_file_before_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    save(str(path), {uuid(1): FIRST})
    before = path.stat().st_ino
    save(str(path), {uuid(2): FIRST})
    assert path.stat().st_ino != before
    assert json.loads(path.read_text())["numbers"] == {uuid(2).hex(): FIRST}


def test_a_file_of_ours_in_a_folder_that_is_not_is_written_in_place(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    path = folder / "agent.json"
    path.write_text(written({}))
    folder.chmod(0o555)

    def saved(many: int) -> str:
        keep(())  # without CAP_DAC_OVERRIDE root is bound by modes, too
        return save(str(path), {uuid(number): FIRST + number for number in range(many)})

    with ThreadPoolExecutor(1) as one:
        assert load(str(path)) == ({}, "")
        assert one.submit(saved, 100).result() == ""
        assert one.submit(saved, 1).result() == ""
    assert load(str(path)) == ({uuid(0): FIRST}, "")
