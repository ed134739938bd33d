# SPDX-License-Identifier: Apache-2.0
"""The units are such as systemd understands, and as closed as the page says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UNITS = sorted((ROOT / "packaging" / "systemd").glob("*.service"))
PAGE = ROOT / "docs" / "how-to" / "run-as-a-service.md"
#: systemd's own figure, from 0 (closed) to 10; what the recorder needs opens it.
EXPOSURE = {"fleutan-agent": 5.0, "fleutan-record": 5.0, "fleutan-collect": 2.0, "fleutan-serve": 1.5}

needs_analyze = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")


def installed(unit: Path, directory: Path) -> Path:
    """The unit with a program that is there in place of ours."""
    text = re.sub("^ExecStart=fleutan ", "ExecStart=/bin/true ", unit.read_text(), flags=re.MULTILINE)
    made = directory / unit.name
    made.write_text(text)
    return made


def settings(unit: Path, name: str) -> list[str]:
    return [line.partition("=")[2] for line in unit.read_text().splitlines() if line.startswith(f"{name}=")]


def analyzed(*words: str) -> str:
    found = subprocess.run(["systemd-analyze", *words], check=False, capture_output=True, text=True)
    return found.stdout + found.stderr


def test_there_is_a_unit_for_each_service() -> None:
    assert [unit.stem for unit in UNITS] == sorted(EXPOSURE)


@needs_analyze
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_has_nothing_to_say_against_it(unit: Path, tmp_path: Path) -> None:
    said = analyzed("verify", "--man=no", str(installed(unit, tmp_path)))
    assert [line for line in said.splitlines() if unit.name in line or str(tmp_path) in line] == []


@needs_analyze
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_it_is_as_closed_as_it_can_be(unit: Path, tmp_path: Path) -> None:
    said = analyzed("security", "--offline=true", "--no-pager", str(installed(unit, tmp_path)))
    if "offline" in said and "Overall" not in said:
        pytest.skip("this systemd-analyze cannot look at a unit offline")
    (exposure,) = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert float(exposure) <= EXPOSURE[unit.stem]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_all_share_a_user_and_a_lake_and_are_watched(unit: Path) -> None:
    shared = {name: settings(unit, name) for name in ("User", "DynamicUser", "StateDirectory", "Environment", "Type")}
    assert shared == {
        "User": ["fleutan"],
        "DynamicUser": ["yes"],
        "StateDirectory": ["fleutan"],
        "Environment": ["XDG_STATE_HOME=%S"],
        "Type": ["notify"],
    }
    assert settings(unit, "WatchdogSec")
    assert settings(unit, "AmbientCapabilities") in ([], settings(unit, "CapabilityBoundingSet"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_the_page_names_every_capability(unit: Path) -> None:
    rows = re.findall(r"^\| (\w*) \| (CAP_[\w, ]+|none) \|", PAGE.read_text(), re.MULTILINE)
    named: dict[str, set[str]] = {}
    service = ""
    for name, capabilities in rows:
        service = name or service
        named.setdefault(f"fleutan-{service}", set()).update(capabilities.split(", "))
    assert set(" ".join(settings(unit, "CapabilityBoundingSet")).split()) == named[unit.stem] - {"none"}
