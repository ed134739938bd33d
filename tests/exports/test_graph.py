# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import html
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.analysis.paths import Hop, Path, Router, loads
from fleutan.exports.graph import Loads, dot, mermaid

Draw = Callable[[list[Path], Loads], Iterator[str]]

needs_graphviz = pytest.mark.skipif(not shutil.which("dot"), reason="needs dot of graphviz")

HOSTILE = (
    'a"b',
    "back\\slash\\",
    "\\N \\G \\l",
    "&amp; &lt;b&gt;",
    "<b>bold</b>",
    "x]; n0 -> n1",
    "new\nline\ttab\x00",
    "`*markdown*`",
    "#35; #quot; ;",
    "日本語",
    "{a|b}",
    "\u202eright to left",
    "\udc80",
    "|x| --> y",
    "end",
)


def hop(ttl: int, *routers: Router) -> Hop:
    return Hop(ttl, routers, 3, 0 if routers else 3)


GATEWAY = Router("10.9.0.254", (310.0,), "gw.example")
CORE = Router("198.51.100.1", (900.0,), None, 64496)
TWIN = Router("198.51.100.2", (900.0,))
END = Router("192.0.2.9", (1_000.0,))
PATHS = [
    Path("p0", "flow", (hop(1, GATEWAY), hop(2, CORE, TWIN), hop(3), hop(4, END)), destination="192.0.2.9"),
    Path("p1", "flow", (hop(1, GATEWAY), hop(2)), destination="192.0.2.10"),
    Path("p2", "flow", (hop(1, GATEWAY), hop(2, CORE), hop(3)), "silent", "192.0.2.11"),
    Path("p3", "flow", (), "unsent", "192.0.2.12"),
    Path("p4", "flow", (hop(1, GATEWAY),)),
]
LOADS = loads(PATHS, {"p0": [1e9, 5e8], "p1": [999_600.0], "p2": [], "p3": [7.0]})


def named(names: tuple[str, ...] | list[str]) -> list[Path]:
    """A path over routers of these names."""
    return [
        Path("p0", "flow", tuple(hop(ttl, Router(f"10.0.0.{ttl}", (1.0,), name)) for ttl, name in enumerate(names, 1)))
    ]


def test_as_dot() -> None:
    assert list(dot(PATHS, LOADS)) == [
        "digraph paths {",
        "  rankdir=LR;",
        '  node [fontname="sans-serif"];',
        '  edge [fontname="sans-serif"];',
        '  n0 [shape=house, label="this host"];',
        '  n1 [shape=ellipse, label="gw.example\\n10.9.0.254"];',
        '  n2 [shape=ellipse, label="198.51.100.1\\nAS64496"];',
        '  n3 [shape=ellipse, label="198.51.100.2"];',
        '  n4 [shape=box, label="192.0.2.9"];',
        '  n5 [shape=box, label="192.0.2.10"];',
        '  n6 [shape=box, label="192.0.2.11"];',
        '  n7 [shape=box, label="192.0.2.12"];',
        '  n0 -> n1 [label="p0 p1 p2 p4\\n1.5Gbps"];',
        '  n1 -> n2 [label="p0 p2\\n750Mbps"];',
        '  n1 -> n3 [label="p0\\n750Mbps"];',
        '  n2 -> n4 [label="p0\\n750Mbps"];',
        '  n3 -> n4 [label="p0\\n750Mbps"];',
        '  n1 -> n5 [label="p1", style=dashed];',
        '  n2 -> n6 [label="p2\\nsilent", style=dashed];',
        '  n0 -> n7 [label="p3\\nunsent", style=dashed];',
        "}",
    ]


def test_as_mermaid() -> None:
    assert list(mermaid(PATHS, LOADS)) == [
        "flowchart LR",
        '  n0(["this host"])',
        '  n1("gw.example<br/>10.9.0.254")',
        '  n2("198.51.100.1<br/>AS64496")',
        '  n3("198.51.100.2")',
        '  n4["192.0.2.9"]',
        '  n5["192.0.2.10"]',
        '  n6["192.0.2.11"]',
        '  n7["192.0.2.12"]',
        '  n0 -->|"p0 p1 p2 p4<br/>1.5Gbps"| n1',
        '  n1 -->|"p0 p2<br/>750Mbps"| n2',
        '  n1 -->|"p0<br/>750Mbps"| n3',
        '  n2 -->|"p0<br/>750Mbps"| n4',
        '  n3 -->|"p0<br/>750Mbps"| n4',
        '  n1 -.->|"p1"| n5',
        '  n2 -.->|"p2<br/>silent"| n6',
        '  n0 -.->|"p3<br/>unsent"| n7',
    ]


@pytest.mark.parametrize("draw", [dot, mermaid])
def test_without_paths_there_is_this_host(draw: Draw) -> None:
    assert [line for line in draw([], ([], [])) if "n0" in line and "this host" in line]
    assert not [line for line in draw([], ([], [])) if "->" in line]


@pytest.mark.parametrize(
    ("rate", "said"), [(0.5, "0.5bps"), (999.6, "1kbps"), (1234.0, "1.23kbps"), (999_600.0, "1Mbps"), (2e12, "2Tbps")]
)
def test_rates(rate: float, said: str) -> None:
    [line] = [line for line in dot(PATHS[4:], loads(PATHS[4:], {"p4": [rate]})) if "->" in line]
    assert line == f'  n0 -> n1 [label="p4\\n{said}"];'


def test_only_links_that_are_known_are_drawn_where_they_were_looked_for() -> None:
    ways = (("a", "c"), ("b", "d"))
    pairs = ((Router(one, (1.0,)), Router(other, (1.0,))) for one, other in ("ab", "cd"))
    first, second = (hop(ttl, *routers) for ttl, routers in enumerate(pairs, 1))
    text = "\n".join(dot([Path("p0", "udp", (first, second._replace(links=ways)))], ([], [])))
    assert text.count("->") == 4
    text = "\n".join(dot([Path("p0", "udp", (first, second))], ([], [])))
    assert text.count("->") == 6


def test_a_path_that_comes_twice_over_a_link_is_named_once() -> None:
    circle = Path("p0", "flow", (hop(1, CORE), hop(2, TWIN), hop(3, CORE), hop(4, TWIN)), "loop", "192.0.2.9")
    assert [line for line in mermaid([circle], ([], [])) if "-->" in line] == [
        '  n0 -->|"p0"| n1',
        '  n1 -->|"p0"| n2',
        '  n2 -->|"p0"| n1',
    ]


@given(st.lists(st.text(min_size=1) | st.sampled_from(HOSTILE), min_size=1, max_size=5))
def test_whatever_is_in_a_name_stays_in_its_label(names: list[str]) -> None:
    paths = named(names)
    for number, line in enumerate(list(dot(paths, ([], [])))[5 : 5 + len(names)], 1):
        label = re.fullmatch(rf'  n{number} \[shape=ellipse, label="((?:[^"\\]|\\["\\n])*)"\];', line)
        assert label is not None
        assert line.isprintable()
    for number, line in enumerate(list(mermaid(paths, ([], [])))[2 : 2 + len(names)], 1):
        label = re.fullmatch(rf'  n{number}\("((?:[\w .:-]|#\d+;)*)<br/>10\.0\.0\.{number}"\)', line)
        assert label is not None
        read = re.sub(r"#(\d+);", lambda code: chr(int(code[1])), label[1])
        assert read == "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in names[number - 1])


@needs_graphviz
def test_graphviz_reads_it_and_shows_every_name_as_it_is() -> None:
    text = "\n".join(dot(named(HOSTILE), ([], [])))
    drawn = subprocess.run(["dot", "-Tsvg"], input=text.encode(), capture_output=True, check=True, timeout=60)
    found = [html.unescape(label) for label in re.findall("<text[^>]*>([^<]*)</text>", drawn.stdout.decode())]
    shown = {label.replace("\xa0", " ") for label in found}
    for name in HOSTILE:
        assert "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in name) in shown


@needs_graphviz
def test_graphviz_reads_every_kind_of_node_and_edge() -> None:
    text = "\n".join(dot(PATHS, LOADS))
    drawn = subprocess.run(["dot", "-Tplain"], input=text.encode(), capture_output=True, check=True, timeout=60)
    kinds = [line.split()[0] for line in drawn.stdout.decode().splitlines()]
    assert (kinds.count("node"), kinds.count("edge")) == (8, 8)
