# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.programs.recording.telling import Telling, lacking


def test_each_note_is_told_once_whatever_its_numbers() -> None:
    said: list[str] = []
    told = Telling(said.append)
    told.tell(["4 packets are lost", "the clock stepped back"])
    told.tell(["17 packets are lost", "the map is full"])
    assert said == ["4 packets are lost", "the clock stepped back", "the map is full"]


def test_what_is_remembered_is_bounded() -> None:
    said: list[str] = []
    Telling(said.append, most=2).tell(["a", "b", "c"])
    assert said == ["a", "b"]


@pytest.mark.parametrize(
    ("uncounted", "undropped", "restricted", "line"),
    [
        ("", "", [], ""),
        ("", "no kallsyms", [], "recording without drops: no kallsyms"),
        ("", "", ["owners of own processes only"], "recording owners of own processes only"),
    ],
)
def test_one_line_says_what_is_missing(uncounted: str, undropped: str, restricted: list[str], line: str) -> None:
    assert lacking(uncounted, undropped, restricted) == line


def test_without_bpf_the_line_says_what_netlink_does_not_tell() -> None:
    line = lacking("BPF: needs CAP_BPF", "BPF: needs CAP_BPF", ["this network namespace only"])
    assert line.startswith("recording by netlink alone, without short-lived connections")
    assert line.endswith("BPF: needs CAP_BPF; this network namespace only")
    assert "\n" not in line
