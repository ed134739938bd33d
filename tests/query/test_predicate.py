# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import operator
import random
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleutan.address import parse_prefix
from fleutan.column import Column, text_column
from fleutan.fields import FIELDS
from fleutan.query.filter import parse
from fleutan.query.predicate import FALSE, TRUE, Predicate
from fleutan.query.predicate import compile as predicate_of
from fleutan.table import Table


def compiled(text: str) -> Predicate:
    return predicate_of(parse(text))


# -- what is written


@pytest.mark.parametrize(
    ("text", "sql", "parameters"),
    [
        ("all", "true", []),
        ("not all", "false", []),
        ("tcp and (udp not all)", "false", []),
        ("rtt > 1ms", '("rtt_us" > $filter0)', [1000]),
        ("tcp rtt < 2", '(("proto" = $filter0) AND ("rtt_us" < $filter1))', ["tcp", 2]),
        ("not tcp", '(NOT coalesce(("proto" = $filter0), false))', ["tcp"]),
        ("port != 22", '(NOT ("sport" = $filter0 OR "dport" = $filter1))', [22, 22]),
        ("sport in (1, 2)", '("sport" IN $filter0)', [[1, 2]]),
        ("sport 5:9", '("sport" BETWEEN $filter0 AND $filter1)', [5, 9]),
        ("mark 0x1/0x3", '(("mark" & $filter0) = $filter1)', [3, 1]),
        ("has dst", '("dst_hi" IS NOT NULL)', []),
        ("has queue", '("rx_queue" IS NOT NULL OR "tx_queue" IS NOT NULL)', []),
        ("cong = 100%_*?", "(\"cong\" LIKE $filter0 ESCAPE '\\')", ["100\\%\\_%_"]),
        ("cong ~ ^b", '(regexp_matches("cong", $filter0))', ["^b"]),
        ("dst ::1", '(("dst_hi" = $filter0 AND "dst_lo" = $filter1))', [0, 1]),
        ("dst ::/64", '(("dst_hi" = $filter0))', [0]),
        ("dst *", '(("dst_hi" BETWEEN $filter0 AND $filter1))', [-(1 << 63), (1 << 63) - 1]),
        ("dst *:22", '(("dport" = $filter0))', [22]),
        ("dst in (::1, ::2)", '(("dst_hi" = $filter0 AND "dst_lo" IN $filter1))', [0, [1, 2]]),
        ("limit app", '("limit" = $filter0)', ["app"]),
        ("comm a", '("owner" IN (SELECT "owner" FROM "owners" WHERE "comm" = $filter0))', ["a"]),
        (
            "pid not in (1, 2)",
            '("owner" IN (SELECT "owner" FROM "owners" GROUP BY "owner"'
            ' HAVING bool_and(coalesce(NOT ("pid" IN $filter0), false))))',
            [[1, 2]],
        ),
    ],
)
def test_conditions_as_sql(text: str, sql: str, parameters: list[Any]) -> None:
    predicate = compiled(text)
    assert predicate.sql == sql
    assert list(predicate.parameters.values()) == parameters
    assert bool(predicate.fields) == (sql not in (TRUE, FALSE))


@pytest.mark.parametrize(
    ("text", "fields", "owner_fields"),
    [
        ("all", set(), set()),
        ("rtt > 1 and tx > 2", {"rtt", "bytes_sent"}, set()),
        ("host 10/8", {"src", "dst"}, set()),
        ("dst 10.0.0.1:22", {"dst", "dport"}, set()),
        ("dst *:22", {"dport"}, set()),
        ("comm a pids 7 tcp", {"proto", "owner"}, {"comm", "pid"}),
        ("has unit", {"owner"}, {"unit"}),
    ],
)
def test_what_must_be_read(text: str, fields: set[str], owner_fields: set[str]) -> None:
    predicate = compiled(text)
    assert (set(predicate.fields), set(predicate.owner_fields)) == (fields, owner_fields)


def test_no_value_is_part_of_the_sql() -> None:
    spliced = compiled('comm = "x\'; DROP TABLE flows; --" or cong ~ "\'" or netns \'a"b\'')
    assert not re.search(r"DROP|--|a\"b|'", spliced.sql)
    assert duckdb.execute("SELECT $filter0", {"filter0": spliced.parameters["filter0"]}).fetchone()


# -- what it means: against an evaluator that knows neither the parser nor the compiler


class Row(NamedTuple):
    values: dict[str, Any]
    owners: list[dict[str, Any]] | None


Truth = Callable[[Row], bool | None]


class Sentence(NamedTuple):
    """A filter, its truth (None: unknown), and how tight it binds: 0 an atom, 1 not, 2 and, 3 or."""

    text: str
    truth: Truth
    level: int = 0


ADDRESSES = [
    "10.0.0.1",
    "10.0.0.2",
    "10.1.0.1",
    "192.168.1.7",
    "::1",
    "2001:db8::1",
    "2001:db8:0:1::9",
    "fe80::1",
    None,
]
PREFIXES = [
    "10/8",
    "10.0.0.0/16",
    "10.0.0.1",
    "192.168/16",
    "0/0",
    "::/0",
    "::1",
    "2001:db8::/32",
    "2001:db8::/64",
    "fe80::1",
]
CHOICES: dict[str, list[Any]] = {
    "proto": ["tcp", "udp", "raw"],
    "state": ["established", "time-wait", "listen", "close", None],
    "cong": ["cubic", "bbr", "BBR", "c%c", "", None],
    "sport": [0, 22, 80, 443, 5000, 65535],
    "dport": [22, 80, 5999, None],
    "rtt": [0, 1, 999, 1000, 1001, 50_000, (1 << 63) - 1, None],
    "mark": [0, 1, 3, 5, -(1 << 63), None],
    "bytes_sent": [0, 1000, 1024, 10_000_000, None],
    "retrans_share": [0.0, 0.02, 0.5, None],
    "app_limited": [True, False, None],
    "rx_queue": [0, 1, 2, None],
    "tx_queue": [0, 1, 2, None],
    "src": [*ADDRESSES, None],
    "dst": [*ADDRESSES, None],
}
OWNER_CHOICES: dict[str, list[Any]] = {
    "pid": [1, 7, 4711],
    "comm": ["nginx", "ssh", "s-h"],
    "unit": ["nginx.service", "ssh@1.service", None],
}


def holders(chance: random.Random) -> list[dict[str, Any]]:
    return [{name: chance.choice(of) for name, of in OWNER_CHOICES.items()} for _ in range(chance.randint(1, 3))]


def make_rows() -> list[Row]:
    chance = random.Random(7)  # noqa: S311  # always the same rows
    sets = [holders(chance) for _ in range(20)]
    return [
        Row({name: chance.choice(of) for name, of in CHOICES.items()}, chance.choice([None, *sets])) for _ in range(300)
    ]


def column(name: str, values: list[Any]) -> Column:
    types = {field.name: field.type for field in FIELDS}
    if types[name] == "text":
        return text_column(values)
    known = np.array([value is not None for value in values], np.bool_)
    if types[name] == "address":
        prefixes = [parse_prefix(value or "::") for value in values]
        return Column(np.array([(prefix.hi_first, prefix.lo_first) for prefix in prefixes], np.int64), known)
    dtype: Any = {"int": np.int64, "float": np.float64, "bool": np.bool_}[types[name]]
    return Column(np.array([value or 0 for value in values], dtype), known)


def make_table(rows: list[Row]) -> Table:
    distinct = list({id(row.owners): row.owners for row in rows if row.owners is not None}.values())
    numbers = {id(owners): number for number, owners in enumerate(distinct)}
    members = [{"owner": number} | member for number, owners in enumerate(distinct) for member in owners]
    columns = {name: column(name, [row.values[name] for row in rows]) for name in CHOICES}
    columns["owner"] = column("owner", [numbers.get(id(row.owners)) for row in rows])
    names = ("owner", *OWNER_CHOICES)
    owners = Table("owners", {name: column(name, [member[name] for member in members]) for name in names})
    return Table("flows", columns, related={"owners": owners})


ROWS = make_rows()


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    table = make_table(ROWS)
    with duckdb.connect() as opened:
        for kind, each in (("flows", table), ("owners", table.related["owners"])):
            opened.register("given", each.arrow())
            opened.execute(f"CREATE TABLE {kind} AS FROM given")
        yield opened


def matching(connection: duckdb.DuckDBPyConnection, text: str) -> list[bool]:
    predicate = compiled(text)
    query = f"SELECT coalesce({predicate.sql}, false) FROM flows"
    return [row[0] for row in connection.execute(query, predicate.parameters or None).fetchall()]


def known(value: Any, compare: Callable[[Any], bool]) -> bool | None:
    return None if value is None else compare(value)


def any_of(truths: list[bool | None]) -> bool | None:
    return True if True in truths else None if None in truths else False


def opposite(truth: bool | None) -> bool | None:
    return None if truth is None else not truth


def either(names: tuple[str, ...], compare: Callable[[Any], bool], unequal: bool) -> Truth:
    """Any of the flow's fields, or for ``unequal`` none of them, all being known."""

    def truth(row: Row) -> bool | None:
        found = any_of([known(row.values[name], compare) for name in names])
        return opposite(found) if unequal else found

    return truth


def of_owners(name: str, compare: Callable[[Any], bool], unequal: bool) -> Truth:
    def truth(row: Row) -> bool | None:
        if row.owners is None:
            return None
        found = any_of([known(owner[name], compare) for owner in row.owners])
        return opposite(found) if unequal else found

    return truth


def inside(address: str, prefix: str) -> bool:
    base, _, bits = prefix.partition("/")
    if ":" in base:
        mapped = ip_address(address)
        six = IPv6Address(f"::ffff:{mapped}") if isinstance(mapped, IPv4Address) else mapped
        return six in ip_network(prefix)
    padded = base + ".0" * (3 - base.count("."))
    return "." in address and ip_address(address) in ip_network(f"{padded}/{bits or 32}")


ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}
NUMBERS: dict[str, list[tuple[str, Any]]] = {
    "rtt": [("1ms", 1000), ("1000", 1000), ("0", 0), ("50ms", 50_000), ("9223372036854775807", (1 << 63) - 1)],
    "bytes_sent": [("1KiB", 1024), ("10MB", 10_000_000), ("1k", 1000)],
    "mark": [("0x3", 3), ("-9223372036854775808", -(1 << 63)), ("0", 0)],
    "retrans_share": [("2%", 0.02), ("0.5", 0.5), ("0", 0.0)],
}
PORTS = [
    ("22", 22, 22),
    (":22", 22, 22),
    ("http", 80, 80),
    ("80:5000", 80, 5000),
    ("5000:", 5000, 65535),
    ("0:80", 0, 80),
]
TEXTS = ["cubic", "c?%c", "b*", "*", "'b*'", "BBR", "''", "c%*"]


@st.composite
def numbers(draw: st.DrawFn) -> Sentence:
    name = draw(st.sampled_from(sorted(NUMBERS)))
    typed, value = draw(st.sampled_from(NUMBERS[name]))
    sign = draw(st.sampled_from(sorted(ORDERS)))
    return Sentence(f"{name} {sign} {typed}", either((name,), lambda x: ORDERS[sign](x, value), False))


@st.composite
def fractions(draw: st.DrawFn) -> Sentence:
    sign = draw(st.sampled_from(["<", "<=", ">", ">="]))
    return Sentence(f"rtt{sign}999.5us", either(("rtt",), lambda x: ORDERS[sign](x, 999.5), False))


@st.composite
def masks(draw: st.DrawFn) -> Sentence:
    value, mask = draw(st.sampled_from([(1, 1), (1, 3), (0, 4), (4, 6)]))
    unequal = draw(st.booleans())
    text = f"fwmark {'!=' if unequal else '='} {value:#x}/{mask:#x}"
    return Sentence(text, either(("mark",), lambda x: x & mask == value, unequal))


def equal_text(typed: str) -> Callable[[str], bool]:
    return lambda x: x == typed[1:-1] if typed.startswith("'") else fnmatchcase(x, typed)


@st.composite
def texts(draw: st.DrawFn) -> Sentence:
    typed = draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3))
    unequal = draw(st.booleans())
    head = "cong not in" if unequal else "cong in"
    compare = [equal_text(one) for one in typed]
    return Sentence(f"{head} ({', '.join(typed)})", either(("cong",), lambda x: any(c(x) for c in compare), unequal))


@st.composite
def patterns(draw: st.DrawFn) -> Sentence:
    pattern = draw(st.sampled_from(["^b", "b", "(?i)^bbr$", "c.c", "^$", "[uB]"]))
    unequal = draw(st.booleans())
    text = f"cong {'!~' if unequal else '~'} '{pattern}'"
    return Sentence(text, either(("cong",), lambda x: bool(re.search(pattern, x)), unequal))


SIDES = {"src": ("src",), "dst": ("dst",), "peer": ("dst",), "host": ("src", "dst"), "net": ("src", "dst")}


@st.composite
def addresses(draw: st.DrawFn) -> Sentence:
    word = draw(st.sampled_from(sorted(SIDES)))
    names = SIDES[word]
    prefixes = draw(st.lists(st.sampled_from(PREFIXES), min_size=1, max_size=4))
    unequal = draw(st.booleans())
    head = f"{word} not in" if unequal else f"{word} in"
    text = f"{head} ({', '.join(prefixes)})"
    return Sentence(text, either(names, lambda x: any(inside(x, prefix) for prefix in prefixes), unequal))


@st.composite
def endpoints(draw: st.DrawFn) -> Sentence:
    side, port = draw(st.sampled_from([("src", "sport"), ("dst", "dport")]))
    prefix = draw(st.sampled_from(["10/8", "10.0.0.1", "0/0"]))

    def truth(row: Row) -> bool | None:
        parts = [known(row.values[side], lambda x: inside(x, prefix)), known(row.values[port], lambda x: x == 80)]
        return False if False in parts else None if None in parts else True

    return Sentence(f"{side} {prefix}:http", truth)


PAIRS = {"sport": ("sport",), "dst port": ("dport",), "port": ("sport", "dport"), "src or dst port": ("sport", "dport")}


@st.composite
def ports(draw: st.DrawFn) -> Sentence:
    word = draw(st.sampled_from(sorted(PAIRS)))
    names = PAIRS[word]
    typed, first, last = draw(st.sampled_from(PORTS))
    unequal = draw(st.booleans())
    sign = "!= " if unequal else draw(st.sampled_from(["", "= ", "eq "]))
    return Sentence(f"{word} {sign}{typed}", either(names, lambda x: first <= x <= last, unequal))


@st.composite
def queues(draw: st.DrawFn) -> Sentence:
    sign = draw(st.sampled_from(["=", "!=", ">"]))
    compare = operator.gt if sign == ">" else operator.eq
    return Sentence(f"queue {sign} 1", either(("rx_queue", "tx_queue"), lambda x: compare(x, 1), sign == "!="))


@st.composite
def owners(draw: st.DrawFn) -> Sentence:
    unequal = draw(st.booleans())
    sign = "!=" if unequal else "="
    kinds: list[tuple[str, str, Callable[[Any], bool]]] = [
        (f"pid {sign} 7", "pid", lambda x: x == 7),
        (f"pids {'not ' if unequal else ''}in (1, 7)", "pid", lambda x: x in (1, 7)),
        (f"comm {sign} s?h", "comm", lambda x: fnmatchcase(x, "s?h")),
        (f"unit {sign} nginx.service", "unit", lambda x: x == "nginx.service"),
        (f"unit {'!~' if unequal else '~'} @", "unit", lambda x: "@" in x),
    ]
    text, name, compare = draw(st.sampled_from(kinds))
    return Sentence(text, of_owners(name, compare, unequal))


@st.composite
def presences(draw: st.DrawFn) -> Sentence:
    name = draw(st.sampled_from(["rtt", "dst", "cong", "unit", "comm", "queue"]))
    names = ("rx_queue", "tx_queue") if name == "queue" else (name,)

    def truth(row: Row) -> bool:
        held = [row.values] if name in (*CHOICES, "queue") else row.owners or []
        return any(values[one] is not None for values in held for one in names)

    return Sentence(f"has {name}", truth)


FIXED = [
    Sentence("tcp", either(("proto",), lambda x: x == "tcp", False)),
    Sentence("all", lambda _row: True),
    Sentence("proto != 17", either(("proto",), lambda x: x == "udp", True)),
    Sentence("app_limited", either(("app_limited",), lambda x: x, False)),
    Sentence("app_limited = no", either(("app_limited",), lambda x: not x, False)),
    Sentence("(state listen state time-wait)", either(("state",), lambda x: x in ("listen", "time-wait"), False)),
    Sentence("(exclude connected)", either(("state",), lambda x: x in ("listen", "close"), False)),
    Sentence("state != established", either(("state",), lambda x: x == "established", True)),
]
ATOMS = st.one_of(
    *(st.sampled_from(FIXED), numbers(), fractions(), masks(), texts(), patterns(), addresses(), endpoints()),
    *(ports(), queues(), owners(), presences()),
)


def grouped(sentence: Sentence, level: int) -> str:
    return f"({sentence.text})" if sentence.level > level else sentence.text


def negated(term: Sentence, word: str) -> Sentence:
    return Sentence(f"{word}{grouped(term, 1)}", lambda row: not term.truth(row), 1)


def conjunction(terms: list[Sentence], word: str) -> Sentence:
    text = word.join(grouped(term, 1) for term in terms)
    return Sentence(text, lambda row: all(term.truth(row) for term in terms), 2)


def disjunction(terms: list[Sentence], word: str) -> Sentence:
    text = word.join(grouped(term, 2) for term in terms)
    return Sentence(text, lambda row: any(term.truth(row) for term in terms), 3)


def joined(inner: st.SearchStrategy[Sentence]) -> st.SearchStrategy[Sentence]:
    several = st.lists(inner, min_size=2, max_size=3)
    return st.one_of(
        st.builds(negated, inner, st.sampled_from(["not ", "!", "! "])),
        st.builds(conjunction, several, st.sampled_from([" and ", " && ", "&", " "])),
        st.builds(disjunction, several, st.sampled_from([" or ", " || ", "|"])),
    )


@settings(max_examples=300, derandomize=True)
@given(st.recursive(ATOMS, joined, max_leaves=8))
def test_duckdb_says_what_the_sentence_says(connection: duckdb.DuckDBPyConnection, sentence: Sentence) -> None:
    assert matching(connection, sentence.text) == [bool(sentence.truth(row)) for row in ROWS]


@settings(max_examples=100, derandomize=True)
@given(st.recursive(ATOMS, joined, max_leaves=4))
def test_a_sentence_and_its_negation_part_all_flows(connection: duckdb.DuckDBPyConnection, sentence: Sentence) -> None:
    without = matching(connection, f"not ({sentence.text})")
    assert [not kept for kept in without] == matching(connection, sentence.text)


def test_what_is_unknown_is_neither_above_nor_below(connection: duckdb.DuckDBPyConnection) -> None:
    above, below, neither = (
        sum(matching(connection, text)) for text in ("rtt > 1ms", "rtt <= 1ms", "not rtt > 1ms and not rtt <= 1ms")
    )
    unknown = sum(row.values["rtt"] is None for row in ROWS)
    assert above + below == len(ROWS) - unknown
    assert neither == unknown


@pytest.mark.parametrize("joint", [" or ", " "])
def test_thousands_of_conditions_are_answered(connection: duckdb.DuckDBPyConnection, joint: str) -> None:
    assert len(matching(connection, joint.join(f"rtt > {at}" for at in range(1500)))) == len(ROWS)
    assert sum(matching(connection, " or ".join(f"port {at}" for at in range(5000)))) > 0


def test_the_deepest_filter_is_answered(connection: duckdb.DuckDBPyConnection) -> None:
    text = "not (udp or rtt > 1 and " * 100 + "raw" + ")" * 100
    assert len(matching(connection, text)) == len(ROWS)
