# SPDX-License-Identifier: Apache-2.0
"""The page that is made of the table of keys says what the program takes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from fleutan.config import Config, parse
from fleutan.config.sections import LOOKUPS, Jobs
from fleutan.lake.retention import DAY, Keep

PATH = Path("/etc/fleutan.toml")
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"


def said(text: str) -> Config:
    return parse(text.encode(), PATH)


def blocks() -> Iterator[str]:
    yield from re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_example_of_the_page_can_be_read() -> None:
    (example,) = blocks()
    assert said(example).lake.retention["records"] == Keep(30 * DAY, 200 * 10**9)


def rows() -> Iterator[tuple[str, str, str]]:
    """Section, key and how its default or an example is typed."""
    section = ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## [").removesuffix("]")
        elif cells := re.match(r"\| `(\w+)` \| (.*?) \|", line):
            yield section, cells[1], cells[2]


ROWS = list(rows())


def test_every_key_is_on_the_page() -> None:
    assert {f"{section}.{key}" for section, key, _ in ROWS} >= {
        *("lake.path", "lake.flush_seconds", "lake.retention.records", "record.interval", "collect.ports"),
        *("serve.host", "serve.limits.memory", "jobs.source", "agent.collectors", "agent.packets.source"),
    }
    assert len(ROWS) > 40


@pytest.mark.parametrize(("section", "key", "typed"), [row for row in ROWS if not row[2].startswith("none")])
def test_each_default_on_the_page_is_the_default(section: str, key: str, typed: str) -> None:
    typed = typed.strip("`")
    found = said(f"[{section}]\n{key} = {typed}\n")
    assert dataclasses.replace(found, file=None) == Config()


@pytest.mark.parametrize(("section", "key", "typed"), [row for row in ROWS if row[2].startswith("none")])
def test_each_example_on_the_page_can_be_read(section: str, key: str, typed: str) -> None:
    pair = "certificate = 'x'" if key == "key" else "key = 'x'" if key == "certificate" else ""
    found: Any = said(f"[{section}]\n{key} = {typed.removeprefix('none; as ').strip('`')}\n{pair}\n")
    assert attrgetter(f"{section}.{key}")(found)


@pytest.mark.parametrize("source", LOOKUPS)
def test_every_look_up_can_be_chosen(source: str) -> None:
    found = said(f"[jobs]\nsource = '{source}'\nurl = 'http://x'\ncommand = ['x']\nfile = 'x'")
    assert (found.jobs.source, Jobs().source) == (source, "none")
