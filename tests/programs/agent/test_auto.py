# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.config import Agent
from fleutan.config.agents import Application, Sampling
from fleutan.linux.privileges import keep
from fleutan.programs.agent.auto import State, StateFile, read, state, text
from fleutan.programs.agent.election import Elected
from fleutan.sources.collectors import Collector

ELECTED = Elected(ip_address("192.0.2.7"), "eth0", "…")
PLAIN = State("host", 400, 128, 1400, 30, "192.0.2.7", "eth0", collectors=(Collector("192.0.2.1"),))
FULL = replace(
    PLAIN,
    bps_ratio=0,
    speeds={10**9: 1000, 2_500_000_000: 7},
    applications={"app.shop": Application(10, 20), "http": Application(50), "x": Application(None, 5)},
    collectors=(Collector("2001:db8::1", 6343, "eth0", "blue"), Collector("192.0.2.1", 7), Collector("192.0.2.1")),
    json_port=36343,
)


def test_the_file_is_as_sub_agents_read_it() -> None:
    lines = text(3, FULL).splitlines()
    assert lines[0].startswith("#")
    assert lines[1:] == [
        "rev_start=3",
        "hostname=host",
        "sampling=400",
        "header=128",
        "datagram=1400",
        "polling=30",
        "sampling.bps_ratio=0",
        "sampling.1G=1000",
        "sampling.2.5G=7",
        "sampling.app.shop=10",
        "polling.app.shop=20",
        "sampling.http=50",
        "polling.x=5",
        "agentIP=192.0.2.7",
        "agent=eth0",
        "collector=192.0.2.1",
        "collector=192.0.2.1 7",
        "collector=2001:db8::1/6343/eth0/blue",
        "jsonPort=36343",
        "ds_index=1",
        "rev_end=3",
    ]


def test_what_is_told_of_an_agent() -> None:
    names = (
        Collector("a.example.org", 7),
        Collector("b.example.org"),
        Collector("fe80::1%eth0"),
        Collector("192.0.2.1"),
    )
    agent = replace(Agent(), collectors=names, sampling=Sampling(5, 6, {10**9: 7}), applications={"a": Application(8)})
    found = state(agent, ELECTED, "host", {"a.example.org": "192.0.2.9"})
    assert found.collectors == (Collector("192.0.2.9", 7), Collector("fe80::1"), Collector("192.0.2.1"))
    assert (found.sampling, found.bps_ratio, found.speeds, found.applications) == (
        5,
        6,
        {10**9: 7},
        {"a": Application(8)},
    )
    assert state(replace(Agent(), collectors=PLAIN.collectors), ELECTED, "host") == PLAIN


def test_without_a_state_there_is_nothing_to_do() -> None:
    found = read(text(5, None))
    assert found is not None
    assert (found.revision, found.state) == (5, None)


NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,6}(\.[a-z0-9]{1,4})?", fullmatch=True).filter(
    lambda name: name != "bps_ratio"
)
NUMBERS = st.integers(0, 10**7)
APPLICATIONS = st.builds(Application, st.none() | NUMBERS, st.none() | NUMBERS).filter(lambda one: one != (None, None))
DEVICES = st.sampled_from(["", "eth0"])
COLLECTORS = st.builds(
    Collector, st.ip_addresses().map(str), st.integers(1, 65535), DEVICES, st.sampled_from(["", "blue"])
)
STATES = st.builds(
    State,
    hostname=st.from_regex(r"[a-z0-9.-]{1,20}", fullmatch=True),
    sampling=NUMBERS,
    header=NUMBERS,
    datagram=NUMBERS,
    polling=NUMBERS,
    agent_ip=st.ip_addresses().map(str),
    agent=DEVICES,
    bps_ratio=st.none() | NUMBERS,
    speeds=st.dictionaries(st.sampled_from([10**9, 10**10, 2_500_000_000, 123]), NUMBERS),
    applications=st.dictionaries(NAMES, APPLICATIONS, max_size=3),
    collectors=st.lists(COLLECTORS, max_size=3, unique=True).map(tuple),
    json_port=st.none() | st.integers(1, 65535),
)


@given(st.integers(0, 1 << 31), STATES)
def test_what_is_written_is_read_again(revision: int, said: State) -> None:
    found = read(text(revision, said))
    assert found is not None
    assert found.state is not None
    assert found.revision == revision
    assert set(found.state.collectors) == set(said.collectors)
    assert replace(found.state, collectors=()) == replace(said, collectors=())


def test_a_file_that_is_cut_off_is_none() -> None:
    whole = text(12, FULL)
    for end in range(len(whole) - 1):
        found = read(whole[:end])
        assert found is None or (found.revision, found.state) == (12, FULL)
    assert read(whole[: len(whole) - 3]) is None


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "rev_start=1\nrev_end=2\n",
        "rev_start=x\nrev_end=x\n",
        "rev_end=1\n",
        "rev_start=1\nagentIP=192.0.2.1\nrev_end=1\n",
        text(1, PLAIN).replace("polling=30", "polling=x"),
        text(1, PLAIN).replace("collector=192.0.2.1", "collector=192.0.2.1/7"),
        text(1, FULL).replace("sampling.1G", "sampling.1X"),
    ],
)
def test_what_is_no_such_file_is_none(broken: str) -> None:
    assert read(broken) is None


@given(st.text(max_size=60))
def test_whatever_is_in_a_file_is_read_or_none(inside: str) -> None:
    found = read(f"rev_start=1\n{inside}\nrev_end=1\n")
    assert found is None or found.revision == 1


# -- as a file


def test_it_is_replaced_when_something_else_is_to_be_told(tmp_path: Path) -> None:
    path = tmp_path / "hsflowd.auto"
    kept = StateFile(path)
    assert kept.update(None) == ""
    first = path.stat().st_ino
    assert (kept.update(None), path.stat().st_ino, path.read_text()) == ("", first, text(1, None))
    assert kept.update(PLAIN) == kept.update(PLAIN) == ""
    assert path.read_text() == text(2, PLAIN)
    assert path.stat().st_ino != first
    assert [*tmp_path.iterdir()] == [path]
    assert stat.S_IMODE(path.stat().st_mode) & 0o444 == 0o444


def test_revisions_go_on_from_those_of_before(tmp_path: Path) -> None:
    path = tmp_path / "hsflowd.auto"
    path.write_text(text(41, PLAIN))
    StateFile(path).update(PLAIN)
    assert path.read_text() == text(42, PLAIN)
    path.write_text(text((1 << 32) - 1, PLAIN))
    StateFile(path).update(PLAIN)
    assert path.read_text() == text(0, PLAIN)


def test_what_cannot_be_written_is_one_note_and_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "none" / "hsflowd.auto"
    kept = StateFile(path)
    assert kept.update(PLAIN) == f"{path} cannot be written: No such file or directory"
    assert kept.update(PLAIN) == ""
    path.parent.mkdir()
    assert (kept.update(PLAIN), path.read_text()) == ("", text(1, PLAIN))


def test_a_directory_of_that_name_is_a_note(tmp_path: Path) -> None:
    path = tmp_path / "hsflowd.auto"
    path.mkdir()
    assert StateFile(path).update(PLAIN) == f"{path} cannot be written: Is a directory"
    assert [*tmp_path.iterdir()] == [path]


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    path, other = tmp_path / "hsflowd.auto", tmp_path / "other"
    os.symlink(other, tmp_path / ".hsflowd.auto")
    assert StateFile(path).update(PLAIN) == ""
    assert not other.exists()
    assert not path.is_symlink()


def test_a_file_of_ours_in_a_folder_that_is_not_is_written_in_place(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "hsflowd.auto").write_text("x" * 4096)
    folder.chmod(0o555)

    def written() -> str:
        keep(())  # without CAP_DAC_OVERRIDE root is bound by modes, too
        return StateFile(folder / "hsflowd.auto").update(PLAIN)

    with ThreadPoolExecutor(1) as one:
        assert one.submit(written).result() == ""
    found = read((folder / "hsflowd.auto").read_text())
    assert found
    assert found.state == PLAIN


def test_a_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    file = StateFile(tmp_path / "pipe")
    assert file.update(None) == ""
    assert read((tmp_path / "pipe").read_text()) is not None
