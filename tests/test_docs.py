# SPDX-License-Identifier: Apache-2.0
"""The documents say what the program does."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from tests import bpf

from fleutan.exports import openmetrics
from fleutan.exports.metrics import metrics
from fleutan.exports.statsd import graphite
from fleutan.faces import cli
from fleutan.faces.cli.flows import Options
from fleutan.faces.cli.plans import plan
from fleutan.observed import Counters, Source
from fleutan.query import filter as filters

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
REFERENCE = ROOT / "docs" / "reference"


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


# -- generated pages


def test_generated_pages_are_fresh() -> None:
    found = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"], check=False, capture_output=True, text=True
    )
    assert (found.returncode, found.stderr) == (0, "")


# -- metrics


def test_metrics_are_called_as_the_outputs_call_them() -> None:
    page = (REFERENCE / "metrics.md").read_text()
    structures: dict[str, dict[str, Any]] = {
        "host_cpu": {"load_one": 1.0, "cpu_user": 1000, "interrupts": 7},
        "virt_memory": {"memory": 5},
        "sfp": {"module_temperature": 40_000, "lanes": [{"index": 1, "tx_power": 5}]},
        "if_counters": {"ifInOctets": 5, "ifInUcastPkts": 3, "ifIndex": 2},
    }
    labels: dict[int, dict[str, str]] = {0: {"dev": "DEV"}, 2: {}, 3: {"unit": "UNIT"}}
    found = [
        Counters(Source(ds_class, 2), {name: structures[name]}, labels[ds_class])
        for ds_class, name in ((2, "host_cpu"), (3, "virt_memory"), (0, "sfp"), (0, "if_counters"))
    ]
    for line in openmetrics.text(metrics(found), openmetrics.OPENMETRICS, {}).decode().splitlines():
        name = re.split(r"[{ ]", line)[0]
        assert name in ("#", "fleutan_metrics_dropped_series") or name.endswith("_info") or f"`{name}`" in page
    places = {"load.1": "load.MINUTES", "seconds.user": "seconds.MODE", "watts.1": "watts.LANE"}
    for dotted in graphite(found, 0, "HOST"):
        name = dotted.decode().split(" ")[0].replace("packets.unicast", "packets.CAST")
        for said, meant in places.items():
            name = name.replace(said, meant)
        assert f"`{name}`" in page


# -- commands


def blocks(page: Path) -> Iterator[str]:
    """The lines of the page's blocks of shell and of what a terminal shows."""
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        if language in ("", "sh", "console"):
            yield from block.splitlines()


def commands(page: Path) -> Iterator[list[str]]:
    """The words after ``fleutan`` of every command in the page's blocks, and of those in its sentences."""
    lines = [*blocks(page), *re.findall(r"`(fleutan [a-z][^`]*)`", page.read_text())]
    for line in lines:
        if not re.search(r"(^|[$(|] ?|&& )(\S*/)?fleutan [a-z-]", line) or "[OPTIONS]" in line:
            continue
        words = shlex.shlex(line, posix=True, punctuation_chars="|>;()&")
        words.whitespace_split = True
        yield from _parts(list(words))


def _parts(words: list[str]) -> Iterator[list[str]]:
    """The commands of a line, each from ``fleutan`` to a sign of the shell."""
    for start, word in enumerate(words):
        if word.rpartition("/")[2] != "fleutan" or (start and words[start - 1] not in ("$", "|", "(", "$(", "sudo")):
            continue
        rest = words[start + 1 :]
        end = next((place for place, sign in enumerate(rest) if set(sign) <= set("|>;()&")), len(rest))
        yield rest[:end]


EXAMPLES = [
    pytest.param(words, id=f"{named(page)}: {' '.join(words)}") for page in PAGES for words in commands(page) if words
]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 20


@pytest.mark.parametrize("words", EXAMPLES)
def test_every_command_exists(words: list[str]) -> None:
    if words[0] in ("-h", "--help", "--version", "…", "..."):
        return
    command = cli.cli.commands[words[0]]
    if words[1:2] in (["-h"], ["--help"]):
        return
    context: click.Context = command.make_context(words[0], list(words[1:]))
    if words[0] == "flows":
        filters.parse(plan(Options(**context.params)).question.filter)


# -- links


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


# -- JSON


def documented() -> list[tuple[str, str, list[str]]]:
    """The rows of the table of documents: command, schema, keys."""
    rows = re.findall(r"^\| `fleutan ([^`]+)` \| `([^`]+)` \| `([^`]+)` \|$", (REFERENCE / "json.md").read_text(), re.M)
    return [(command, schema, keys.split()) for command, schema, keys in rows]


def written(capsys: pytest.CaptureFixture[str], command: str) -> dict[str, object]:
    """The document that a command gives on this host."""
    with pytest.raises(SystemExit) as ended:
        cli.main([*shlex.split(command)])
    assert not ended.value.code
    document: dict[str, object] = json.loads(capsys.readouterr().out)
    return document


@pytest.mark.parametrize(("command", "schema", "keys"), documented(), ids=[row[0] for row in documented()])
def test_documents_have_the_keys_that_are_told(
    command: str, schema: str, keys: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    if command.startswith(("drops", "lifecycle", "paths")) and bpf.MISSING:
        pytest.skip(bpf.MISSING)
    document = written(capsys, command)
    assert document["schema"] == schema
    assert [key for key in document if key != "notes"] == keys


def test_every_document_is_told() -> None:
    assert {schema for _, schema, _ in documented()} == {
        f"fleutan/{kind}/1"
        for kind in (
            *("flows", "latency", "volume", "limits", "queues", "cpus", "load"),
            *("groups", "drops", "lifecycle", "paths", "exporters", "fields", "doctor"),
        )
    }
    told = set(re.findall(r"^\| `(\w+)` \|", (REFERENCE / "json.md").read_text(), re.M))
    assert {key for _, _, keys in documented() for key in keys} - {"schema"} <= told


def test_the_keys_of_a_flow_are_those_that_are_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = (REFERENCE / "json.md").read_text()
    told = re.search(r"^```\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert told
    heading = csv_heading(capsys)
    assert told[1].split() == heading
    assert csv_heading(capsys, "--vol", "-i", "0.01")[len(heading) :] == [
        *added(page, "cwnd_bytes"),
        *added(page, "change"),
        *added(page, "tx_bytes"),
    ]
    assert csv_heading(capsys, "--limits")[len(heading) :] == added(page, "limit")


def added(page: str, first: str) -> list[str]:
    """The keys in the one span of code that begins with this key and has several."""
    found = re.search(rf"`({first} [^`]+)`", page)
    assert found
    return found[1].split()


def csv_heading(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    with pytest.raises(SystemExit):
        cli.main(["flows", *words, "--csv", "--top", "1"])
    return capsys.readouterr().out.splitlines()[0].split(",")
