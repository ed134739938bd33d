# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.captures import CAPTURES, needs_captures
from tests.protocols.netflow.capturing import AT_NS, captured
from tests.protocols.netflow.making import (
    PLAIN,
    RECORD,
    options_9,
    read,
    reasons,
    set_of,
    specifiers,
    template,
    v9,
)

from fleutan.protocols.netflow.decoding import decode
from fleutan.protocols.netflow.exporters import state as limits
from fleutan.protocols.netflow.exporters.state import State
from fleutan.protocols.netflow.flows import flows
from fleutan.protocols.netflow.wire.templates import Scope, Template
from fleutan.sources import remembered
from fleutan.sources.ifnames import Interface
from fleutan.sources.remembered import LIFETIME_NS, NAME, Memory, load, save

SCOPE = Scope(9, 0, 1, 0, 7)
PLAIN_9 = Template(9, False, 0, specifiers(*PLAIN))
SMALL_9 = Template(9, False, 0, specifiers((1, 4)))
OTHER_9 = Template(9, True, 1, specifiers((1, 4), (34, 4)))
OWN_10 = Template(10, False, 0, specifiers((8, 4), (1, 4, 29305), (82, 0xFFFF)))
OPTIONS_10 = Template(10, True, 1, specifiers((149, 4), (82, 16)))
NOW_NS = 10**18


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / NAME


def exporters() -> State:
    state = State()
    state.learn(SCOPE, 256, PLAIN_9, NOW_NS)
    state.learn(SCOPE, 257, OTHER_9, NOW_NS + 1)
    state.tell(SCOPE, ("sampler", 3), 100)
    state.tell(SCOPE, ("domain", 0), 1 << 62)
    of_10 = Scope(10, -1, -(1 << 63), 4739, 0)
    state.learn(of_10, 300, OWN_10, NOW_NS + 2)
    state.learn(of_10, 301, OPTIONS_10, NOW_NS + 2)
    return state


def known(state: State) -> dict[Scope, tuple[int, dict[int, Template], dict[tuple[str, int], int]]]:
    return {scope: (one.heard_ns, one.templates, one.told) for scope, one in state.domains.items()}


def again(path: Path) -> State:
    memory = Memory(path)
    state = memory.load(NOW_NS)
    assert memory.trouble == ""
    return state


# -- a process that starts again


def test_everything_is_known_again(path: Path) -> None:
    memory = Memory(path)
    assert memory.load(NOW_NS).dump() == {"domains": []}
    memory.save(exporters())
    assert (memory.trouble, memory.notes) == ("", [])
    assert known(again(path)) == known(exporters())
    assert list(again(path).domains) == list(exporters().domains)


def test_records_are_read_without_their_template_coming_again(path: Path) -> None:
    memory = Memory(path)
    state = memory.load(NOW_NS)
    read(v9(set_of(0, template(256, *PLAIN)), set_of(1, options_9(257, ((1, 4),), (48, 1), (34, 4)))), state=state)
    read(v9(set_of(257, bytes.fromhex("00000000 05 00000064"))), state=state)
    memory.save(state)
    after = Memory(path).load(AT_NS)
    batch = read(v9(set_of(256, RECORD, RECORD)), state=after)
    assert (flows(batch).rows, len(after.waiting), reasons(batch)) == (2, 0, {})
    assert after.domains == {} or next(iter(after.domains.values())).told == {("sampler", 5): 100}
    # Without the file they would have waited.
    assert flows(read(v9(set_of(256, RECORD)), state=State())).rows == 0


FILES = {path.stem: path for folder in ("netflow", "ipfix") for path in sorted((CAPTURES / folder).glob("*.pcap"))}


@needs_captures
@pytest.mark.parametrize("capture", FILES)
def test_a_restart_anywhere_in_a_capture_loses_no_record(capture: str, path: Path) -> None:
    whole = captured(FILES[capture])
    size = len(whole.at_ns)
    now_ns = int(whole.at_ns.max(initial=0))
    straight = State()
    expected = [flows(decode(whole.take(np.array([row])), straight)) for row in range(size)]
    memory = Memory(path)
    state = memory.load(now_ns)
    for row in range(size):
        waited = len(state.waiting)
        found = flows(decode(whole.take(np.array([row])), state))
        assert found.rows == expected[row].rows
        for name, column in expected[row].values.items():
            assert np.array_equal(found.values[name], column), name
        if not len(state.waiting) and not waited:  # what waits is not kept
            memory.save(state)
            memory = Memory(path)
            state = memory.load(now_ns)
            assert memory.trouble == ""


# -- only what changed is written


def changes(memory: Memory, state: State, change: Callable[[], object]) -> int:
    memory.save(state)
    assert memory.save(state) == 0
    change()
    return memory.save(state)


CHANGES: dict[str, tuple[Callable[[State], object], int]] = {
    "a template that came again": (lambda state: state.learn(SCOPE, 256, PLAIN_9, NOW_NS + 9), 1),
    "a template that became another": (lambda state: state.learn(SCOPE, 256, OTHER_9, NOW_NS), 1),
    "a withdrawn template": (lambda state: state.withdraw(SCOPE, 256), 1),
    "a rate": (lambda state: state.tell(SCOPE, ("sampler", 3), 200), 1),
    "an exporter": (lambda state: state.learn(SCOPE._replace(domain=8), 256, PLAIN_9, NOW_NS), 2),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_changed_is_written_and_nothing_else(path: Path, what: str) -> None:
    state, memory = exporters(), Memory(path)
    change, rows = CHANGES[what]
    before = state.dump()
    assert changes(memory, state, lambda: change(state)) == rows
    assert state.dump() != before
    assert known(again(path)) == known(state)


def test_a_state_that_was_loaded_needs_no_writing(path: Path) -> None:
    save(path, exporters())
    memory = Memory(path)
    assert memory.save(memory.load(NOW_NS)) == 0


def test_an_exporter_that_made_room_is_forgotten(path: Path) -> None:
    state, memory = exporters(), Memory(path)
    memory.save(state)
    del state.domains[SCOPE]
    memory.save(state)
    assert list(again(path).domains) == [scope for scope in exporters().domains if scope != SCOPE]


def test_functions_do_without_a_memory(path: Path) -> None:
    assert save(path, exporters()) == 8
    assert save(path, exporters()) == 0
    assert known(load(path, NOW_NS)) == known(exporters())
    state = exporters()
    state.withdraw(SCOPE, 257)
    assert save(path, state) == 1
    assert load(path, NOW_NS).numbers(SCOPE) == [256]


def test_names_of_interfaces_are_kept_with_the_rest(path: Path) -> None:
    memory = Memory(path)
    memory.interfaces.put(Interface(0, -1, 7), "ge-0/0/7")
    assert memory.save(State()) == 1
    assert memory.save(State()) == 0
    memory.interfaces.put(Interface(0, -1, 7), "ge-0/0/8")
    memory.save(State())
    after = Memory(path)
    after.load(NOW_NS)
    assert after.interfaces.names == {Interface(0, -1, 7): "ge-0/0/8"}
    assert after.save(State()) == 0


def test_names_that_could_not_be_written_are_written_later(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "none" / NAME)
    memory.interfaces.put(Interface(0, 1, 7), "a")
    assert memory.save(State()) == 0
    (tmp_path / "none").mkdir()
    assert memory.save(State()) == 1
    (tmp_path / "none" / NAME).unlink()
    assert memory.save(State()) == 1


# -- several processes


def test_processes_add_to_each_other(path: Path) -> None:
    one, other = Memory(path), Memory(path)
    mine, theirs = one.load(NOW_NS), other.load(NOW_NS)
    mine.learn(SCOPE, 256, PLAIN_9, NOW_NS)
    theirs.learn(SCOPE, 257, OTHER_9, NOW_NS + 5)
    theirs.learn(SCOPE._replace(domain=8), 256, PLAIN_9, NOW_NS)
    one.save(mine)
    other.save(theirs)
    mine.tell(SCOPE, ("domain", 0), 10)
    one.save(mine)
    found = again(path)
    assert found.numbers(SCOPE) == [256, 257]
    assert (found.domains[SCOPE].heard_ns, found.domains[SCOPE].told) == (NOW_NS + 5, {("domain", 0): 10})
    assert found.numbers(SCOPE._replace(domain=8)) == [256]


def test_one_that_forgets_an_exporter_leaves_it_to_one_that_heard_it_later(path: Path) -> None:
    one, other = Memory(path), Memory(path)
    one.save(exporters())
    theirs = exporters()
    theirs.learn(SCOPE, 256, PLAIN_9, NOW_NS + 50)
    other.save(theirs)
    one.save(State())
    assert list(again(path).domains) == [SCOPE]


def test_a_file_that_was_taken_away_is_written_whole_again(path: Path) -> None:
    memory = Memory(path)
    memory.save(exporters())
    path.unlink()
    memory.save(exporters())
    assert known(again(path)) == known(exporters())


# -- bounds


def test_long_ago_is_seen_by_the_clock(path: Path) -> None:
    state = State()
    state.learn(SCOPE, 256, PLAIN_9, time.time_ns() - LIFETIME_NS + 3600 * 10**9)
    state.learn(SCOPE._replace(domain=8), 256, PLAIN_9, time.time_ns() - LIFETIME_NS)
    save(path, state)
    assert list(load(path).domains) == [SCOPE]


def test_exporters_of_long_ago_are_not_loaded(path: Path) -> None:
    state = exporters()
    state.learn(SCOPE._replace(domain=8), 256, PLAIN_9, NOW_NS - 1)
    save(path, state)
    assert len(Memory(path).load(NOW_NS + LIFETIME_NS).domains) == 2
    assert len(Memory(path).load(NOW_NS + LIFETIME_NS + 3).domains) == 0


def test_the_file_keeps_no_more_exporters_than_a_process_does(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "DOMAINS", 5)
    for first in (0, 4):
        state = State()
        for domain in range(first, first + 4):
            state.learn(SCOPE._replace(domain=domain), 256, PLAIN_9, NOW_NS + domain)
        Memory(path).save(state)
    assert [scope.domain for scope in again(path).domains] == [3, 4, 5, 6, 7]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM templates").fetchone() == (5,)


def test_a_file_with_more_than_fits_is_read_as_far_as_it_does(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(path, exporters())
    monkeypatch.setattr(limits, "TEMPLATES", 1)
    monkeypatch.setattr(limits, "TOLD", 1)
    found = again(path)
    assert [len(one.templates) for one in found.domains.values()] == [1, 1]
    assert len(found.domains[SCOPE].told) == 1


# -- what is wrong with the file


def test_a_broken_file_is_aside_and_the_state_is_empty(path: Path) -> None:
    path.write_bytes(b"nothing of ours" * 100)
    memory = Memory(path)
    assert memory.load(NOW_NS).dump() == {"domains": []}
    assert (memory.trouble, len(memory.notes)) == ("", 1)
    memory.save(exporters())
    assert known(again(path)) == known(exporters())


def test_a_file_that_breaks_while_it_is_used_is_written_anew_the_next_time(path: Path) -> None:
    memory = Memory(path)
    memory.save(exporters())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE told")
    state = exporters()
    state.tell(SCOPE, ("sampler", 3), 5)
    assert memory.save(state) == 0
    assert "no such table" in memory.trouble
    memory.save(state)
    assert (memory.trouble, len(memory.notes)) == ("", 1)
    assert known(again(path)) == known(state)


def test_a_place_that_cannot_be_written_is_trouble_and_no_more(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "none" / NAME)
    assert memory.load(NOW_NS).dump() == {"domains": []}
    assert "No such file" in memory.trouble
    assert memory.save(exporters()) == 0
    (tmp_path / "none").mkdir()
    assert memory.save(exporters()) == 8
    assert memory.trouble == ""


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE templates SET wire = 'text'",
        "UPDATE templates SET wire = x'0100ff'",
        "UPDATE templates SET wire = zeroblob(70000)",
        "UPDATE templates SET options = 'x'",
        "UPDATE exporters SET heard_ns = 'x'",
        "UPDATE told SET value = 1.5",
        "UPDATE told SET kind = x'ff'",
        "PRAGMA foreign_keys = OFF; UPDATE templates SET version = 5; UPDATE exporters SET version = 5",
    ],
)
def test_a_row_that_no_exporter_sent_is_left_out(path: Path, change: str) -> None:
    save(path, exporters())
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(change)
    found = again(path)
    whole = known(exporters())
    for scope, (_, templates, told) in known(found).items():
        assert templates.items() <= whole[scope][1].items()
        assert told.items() <= whole[scope][2].items()
    assert known(found) != whole


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 1 << 32))
def test_flipped_octets_and_cuts_are_no_crash(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    path = tmp_path / f"{seed}.sqlite"
    memory = Memory(path)
    memory.save(exporters())
    octets = bytearray(path.read_bytes())
    for _ in range(dice.choice((1, 10, 200))):
        octets[dice.randrange(len(octets))] ^= 1 << dice.randrange(8)
    path.write_bytes(octets[: dice.choice((len(octets), dice.randrange(len(octets))))])
    found = Memory(path).load(NOW_NS)
    assert len(found.domains) <= 4
    memory.save(exporters())
    memory.save(exporters())
    Memory(path).load(NOW_NS)
