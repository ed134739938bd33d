# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.config.hsflowd.tree import DEEPEST, Block, Option, parse
from fleutan.errors import UsageError


def wrong(text: str) -> str:
    with pytest.raises(UsageError) as raised:
        parse(text, "/etc/x")
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_options_and_blocks_keep_their_order_and_their_lines() -> None:
    text = "# comment\nsFlow {\n a = 1\n collector { ip=192.0.2.1\n udpport=7 } a=2;}\n"
    collector = Block("collector", 4, [Option("ip", "192.0.2.1", 4), Option("udpport", "7", 5)], [], True)
    assert parse(text, "x") == Block("sflow", 2, [Option("a", "1", 3), Option("a", "2", 5)], [collector], True)


def test_all_blocks_are_walked_from_outside() -> None:
    assert [block.name for block in parse("sflow{a{b{x=1}}c{}}", "x").all()] == ["sflow", "a", "b", "c"]


def test_what_is_never_closed_is_kept() -> None:
    root = parse("sflow { a { b=1", "x")
    assert [(block.name, block.closed) for block in root.all()] == [("sflow", False), ("a", False)]
    assert root.blocks[0].options == [Option("b", "1", 1)]


def test_patterns_are_read_as_such() -> None:
    root = parse("sflow { pcap { Dev.Pattern=/eth[0-9]{1,2}/ } modules=/a/b }", "x")
    assert root.blocks[0].options == [Option("Dev.Pattern", "eth[0-9]{1,2}", 1)]
    assert root.options == [Option("modules", "/a/b", 1)]


WRONG = [
    ("", "/etc/x: there is no sflow { } in it"),
    ("# nothing\n", "/etc/x: there is no sflow { } in it"),
    ("flow {", "/etc/x:1: sflow { is expected, not 'flow'"),
    ("\nsflow", "/etc/x:2: sflow { is expected, not 'sflow'"),
    ("sflow a", "/etc/x:1: sflow { is expected"),
    ('sflow "{" }', "/etc/x:1: sflow { is expected"),
    ("{ }", "/etc/x:1: sflow { is expected, not '{'"),
    ("sflow {\n{ } }", "/etc/x:2: a name is expected before {"),
    ("sflow { pcap { dev.pattern=eth[0-9]{2} } }", "(a pattern with braces in it has to be quoted)"),
    ("sflow {\n\na }", "/etc/x:3: a value is expected behind 'a'"),
    ("sflow {\na", "/etc/x:2: a value is expected behind 'a'"),
    ("sflow { }\n}", "/etc/x:2: '}' stands behind the end of sflow { }"),
    ("sflow { }\nsflow { }", "/etc/x:2: 'sflow' stands behind the end of sflow { }"),
    ("sflow { a { b {\nc {", "/etc/x:2: 'c': no more than 3 blocks stand in each other"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_a_mistake_is_one_line_with_its_place(text: str, message: str) -> None:
    assert message in wrong(text)


def test_however_deep_the_blocks_are_it_is_the_same_mistake() -> None:
    assert f"no more than {DEEPEST} blocks" in wrong("sflow {" + "a {" * 100_000)


def test_a_huge_file_is_read() -> None:
    root = parse("sflow {" + "collector { ip=192.0.2.1 }\n" * 20_000 + "}", "x")
    assert (len(root.blocks), root.blocks[-1].line) == (20_000, 20_000)


# -- round trips

NAMES = st.from_regex(r"[a-z][a-z0-9.]{0,8}", fullmatch=True).filter(lambda name: name not in ("hide", "switchport"))
VALUES = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=20)
OPTIONS = st.lists(st.tuples(NAMES, VALUES), max_size=4)
TREES: st.SearchStrategy[Any] = st.recursive(
    st.tuples(NAMES, OPTIONS, st.just([])),
    lambda inner: st.tuples(NAMES, OPTIONS, st.lists(inner, max_size=3)),
    max_leaves=8,
)
GAPS = st.sampled_from([" ", "\n", "\t", " ; ", ' # note { } "\n', "\r\n"])


def depth(tree: Any) -> int:
    return 1 + max(map(depth, tree[2]), default=0)


def written(tree: Any, draw: st.DataObject) -> str:
    name, options, blocks = tree
    gap = draw.draw(GAPS)
    told = "".join(f'{key}{draw.draw(GAPS)}= "{value.replace(chr(34), 2 * chr(34))}"{gap}' for key, value in options)
    return f"{name}{gap}{{{told}{gap.join(written(block, draw) for block in blocks)}}}{gap}"


def shape(block: Block) -> Any:
    return block.name, [(one.name, one.value) for one in block.options], [shape(each) for each in block.blocks]


@given(TREES.filter(lambda tree: depth(tree) <= DEEPEST), st.data())
def test_any_tree_is_read_as_it_was_written(tree: Any, data: st.DataObject) -> None:
    tree = ("sflow", *tree[1:])
    text = written(tree, data)
    found = parse(text, "x")
    assert shape(found) == tree
    assert all(block.closed for block in found.all())
