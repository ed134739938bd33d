# SPDX-License-Identifier: Apache-2.0
"""The library as its users meet it: every example of its documentation runs, and what it promises holds."""

from __future__ import annotations

import doctest
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import fleutan
from fleutan.errors import UsageError
from fleutan.views import flows as view

ROOT = Path(__file__).parent.parent
#: Every piece of Python in the documents, by its page.
EXAMPLES = [
    pytest.param(code, id=page.name)
    for page in sorted((ROOT / "README.md", *(ROOT / "docs").rglob("*.md")))
    for code in re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE)
]


def test_the_examples_of_the_library_run() -> None:
    tried = doctest.testmod(fleutan, optionflags=doctest.ELLIPSIS)
    assert tried.failed == 0
    assert tried.attempted >= 5


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_examples_of_the_documents_run(code: str) -> None:
    exec(code, {})  # noqa: S102


def test_a_table_has_the_fields_of_json_and_the_computed_ones() -> None:
    table = fleutan.flows(source="netlink")
    assert {*view.MACHINE_FIELDS, *view.COMPUTED_FIELDS} <= set(table.columns)
    assert not set(view.INTERVAL_FIELDS) & set(table.columns)
    timed = fleutan.flows(source="netlink", interval=0.01)
    assert set(view.INTERVAL_FIELDS) <= set(timed.columns)
    assert timed.reading.interval_ns >= 10**7


def test_fields_states_and_filter_are_the_callers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        here = f"sport = {port} and src 127.0.0.1"
        assert len(fleutan.flows(here)) == 0
        table = fleutan.flows(here, fields=["rtt_us", "state"], states="listening", netns=os.getpid(), source="netlink")
        assert table["state"].tolist() == ["listen"]
        assert "rtt" in table
        assert "comm" not in table
        assert len(fleutan.flows(here, fields=[], states="all")) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"filter": "rtt >"}, "a value must follow"),
        ({"fields": ["nonsense"]}, "no field is called 'nonsense'"),
        ({"fields": "rtt"}, r"fields are a list of names: \['rtt'\]"),
        ({"states": "some"}, "no states are called 'some'"),
        ({"source": "proc"}, "no way of reading is called 'proc'"),
        ({"netns": "no such namespace"}, "no network namespace called"),
        ({"interval": 0}, "say a number above 0"),
        ({"filter": "tx_rate > 1Mbps"}, "only known over an interval"),
    ],
)
def test_wrong_questions_are_usage_errors_of_one_line(wrong: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        fleutan.flows(**wrong)  # type: ignore[arg-type]
    assert str(caught.value).count("\n") in (0, 2)  # a filter is shown below with the place


def test_importing_costs_next_to_nothing() -> None:
    said = "import sys, fleutan; print(*sorted({'numpy', 'duckdb', 'click', 'ctypes'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", said], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == ""


def test_the_version_is_that_of_the_package() -> None:
    from importlib.metadata import version

    assert fleutan.__version__ == version("fleutan")
    assert fleutan.__all__ == ["__version__", "flows"]
