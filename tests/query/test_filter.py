# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fleutan.address import parse_prefix
from fleutan.errors import FilterError
from fleutan.fields import BY_NAME, FIELDS, find
from fleutan.query import filter as language
from fleutan.query import values
from fleutan.query.expression import (
    NOTHING,
    And,
    Comparison,
    Endpoint,
    Everything,
    Expression,
    Glob,
    Known,
    Not,
    Operator,
    Or,
    Pattern,
    Span,
    Value,
)
from fleutan.query.filter import DEEPEST, bounds, parse
from fleutan.query.predicate import compile as predicate_of

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "filter.md"
TEN = Endpoint(parse_prefix("10.0.0.0/8"))


def examples(kind: str) -> list[str]:
    """The lines of the page's fenced blocks of that kind, without what is said behind '#'."""
    blocks = re.findall(rf"^```{kind}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [re.sub(r"\s+# .*", "", line) for block in blocks for line in block.splitlines()]


def compare(name: str, *found: Value, operator: Operator = "=") -> Comparison:
    return Comparison((name,), operator, found)


TCP, UDP = compare("proto", "tcp"), compare("proto", "udp")
RAW = compare("proto", "raw", operator="!=")


# -- the page


@pytest.mark.parametrize("text", examples("filter"))
def test_every_example_of_the_page_is_understood(text: str) -> None:
    assert predicate_of(parse(text)).sql


@pytest.mark.parametrize("text", examples("filter-error"))
def test_every_error_of_the_page_is_one(text: str) -> None:
    with pytest.raises(FilterError):
        parse(text)


def test_the_page_has_many_examples_and_all_words() -> None:
    assert len(examples("filter")) > 90
    page = PAGE.read_text(encoding="utf-8")
    for word in (*language.OPERATORS, *language.PAIRS, *language.SYNONYMS, *values.PROTOCOLS, *values.STATES):
        assert f"`{word}`" in page or f'"{word}"' in page or f"\n{word} " in page, word


# -- what is meant


@pytest.mark.parametrize("text", ["", "  \n", "all", "ALL", "(all)", "tcp or all", "all and all"])
def test_everything(text: str) -> None:
    assert parse(text) == Everything()


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("tcp", TCP),
        ("udplite", compare("proto", "udplite")),
        ("ip6", compare("family", "ipv6")),
        ("inet", compare("family", "ipv4")),
        ("dst 10/8", compare("dst", TEN)),
        ("peer = 10/8", compare("dst", TEN)),
        ("dst host 10/8", compare("dst", TEN)),
        ("dst net 10", compare("dst", TEN)),
        ("net 10", Comparison(("src", "dst"), "=", (TEN,))),
        ("src or dst 10/8", Comparison(("src", "dst"), "=", (TEN,))),
        ("dst or src net 10", Comparison(("dst", "src"), "=", (TEN,))),
        ("src and dst 10/8", And((compare("src", TEN), compare("dst", TEN)))),
        ("src != 10/8", compare("src", TEN, operator="!=")),
        ("addr 10/8", Comparison(("src", "dst"), "=", (TEN,))),
        ("dst port 22", compare("dport", 22)),
        ("src portrange 5000-6000", compare("sport", Span(5000, 6000))),
        ("src or dst port ssh", Comparison(("sport", "dport"), "=", (22,))),
        ("local port != 22", compare("sport", 22, operator="!=")),
        ("dport :22", compare("dport", 22)),
        ("sport eq :ssh", compare("sport", 22)),
        ("dport gt 1000", compare("dport", 1000, operator=">")),
        ("port leq 1023", Comparison(("sport", "dport"), "<=", (1023,))),
        ("port in (80, 443)", Comparison(("sport", "dport"), "=", (80, 443))),
        ("port not in (80,5000:)", Comparison(("sport", "dport"), "!=", (80, Span(5000, 65535)))),
        ("queue 2", Comparison(("rx_queue", "tx_queue"), "=", (2,))),
        ("fwmark 0x10", compare("mark", 16)),
        ("protocol = udp", UDP),
        ("pids 7", compare("pid", 7)),
        ("RTT_us > 50000", compare("rtt", 50000, operator=">")),
        ("rtt > 50ms", compare("rtt", 50000, operator=">")),
        ("delivery-rate<1Mbps", compare("delivery_rate", 1_000_000, operator="<")),
        ("tx ge 10MB", compare("bytes_sent", 10_000_000, operator=">=")),
        ("comm ~ ^ng", compare("comm", Pattern("^ng"))),
        ("comm =~ ^ng", compare("comm", Pattern("^ng"))),
        ("comm !~ '(a|b)'", compare("comm", Pattern("(a|b)"), operator="!=")),
        ("comm in (a, 'b c', d*)", compare("comm", "a", "b c", Glob("d*"))),
        ("comm tcp", compare("comm", "tcp")),
        ("comm 'and' tcp", And((compare("comm", "and"), TCP))),
        ("app_limited", compare("app_limited", True)),
        ("app_limited no tcp", And((compare("app_limited", False), TCP))),
        ("app_limited tcp", And((compare("app_limited", True), TCP))),
        ("app_limited != true", compare("app_limited", True, operator="!=")),
        ("has rtt_us", Known(("rtt",))),
        ("has queue", Known(("rx_queue", "tx_queue"))),
        ("has pids", Known(("pid",))),
        ("not has comm", Not(Known(("comm",)))),
    ],
)
def test_conditions(text: str, meaning: Expression) -> None:
    assert parse(text) == meaning


@pytest.mark.parametrize("sign", ["!=", "<>", "ne", "neq", "NE"])
def test_spellings_of_an_operator(sign: str) -> None:
    assert parse(f"cpu {sign} 3") == compare("cpu", 3, operator="!=")


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("tcp and not proto = udp", And((TCP, Not(UDP)))),
        ("not tcp and udp", And((Not(TCP), UDP))),
        ("proto != raw or tcp and cpu 1", Or((RAW, And((TCP, compare("cpu", 1)))))),
        ("(proto != raw or tcp) cpu 1", And((Or((TCP, RAW)), compare("cpu", 1)))),
        ("tcp && !udp", And((TCP, Not(UDP)))),
        ("tcp & cpu 1 | proto != raw", Or((And((TCP, compare("cpu", 1))), RAW))),
        ("not not tcp", TCP),
        ("!!!tcp", Not(TCP)),
        ("not (not tcp)", TCP),
        ("tcp (cpu 1) !udp", And((TCP, compare("cpu", 1), Not(UDP)))),
        ("tcp or udp", compare("proto", "tcp", "udp")),
    ],
)
def test_precedence(text: str, meaning: Expression) -> None:
    assert parse(text) == meaning


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("state established", ["established"]),
        ("state established state time-wait", ["established", "time-wait"]),
        ("state connected exclude time-wait exclude state syn-recv state listen", 8),
        ("exclude listening exclude closed", 9),
        ("state all", 11),
        ("state = bucket", ["time-wait", "syn-recv"]),
        ("state in (established, close-wait)", ["established", "close-wait"]),
    ],
)
def test_states(text: str, states: list[str] | int) -> None:
    found = parse(text)
    assert isinstance(found, Comparison)
    assert found.names == ("state",)
    assert (len(found.values) if isinstance(states, int) else list(found.values)) == states


def test_a_choice_of_no_state_matches_nothing() -> None:
    assert parse("state listen exclude listening") == NOTHING


def test_only_adjacent_states_are_one_choice() -> None:
    both = And((compare("state", "listen"), compare("state", "close")))
    assert parse("state listen and state close") == both
    assert parse("state listen state = close") == both
    assert parse("state != listen") == compare("state", "listen", operator="!=")


def test_bounds_of_a_text() -> None:
    assert bounds(parse("tcp state established rtt > 1ms")) == (frozenset({"tcp"}), frozenset({"established"}))


def test_no_word_of_the_language_hides_a_field() -> None:
    for field in (field for field in FIELDS if field.of_flows):
        for spelling in (field.name, field.key, *field.aliases):
            hidden = spelling in (*language.WORDS, *language.OPERATORS, "in", "and", "or", "not")
            assert hidden == (field.type == "ints"), spelling
    assert all(name in BY_NAME for pair in language.PAIRS.values() for name in pair)
    assert all(find(name) for name in language.SYNONYMS.values())


# -- errors


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("rtx > 5", 0, "no field is called 'rtx'; did you mean tx?"),
        ("tpc", 0, "no field is called 'tpc'; did you mean tcp?"),
        ("qqqq", 0, "no field is called 'qqqq'; 'fleutan fields' lists all"),
        ("has foo", 4, "no field is called 'foo'; 'fleutan fields' lists all"),
        ("(tcp and udp", 0, "this parenthesis is never closed"),
        ("tcp)", 3, "a condition must stand before this parenthesis, which was opened by none"),
        ("tcp and ()", 8, "nothing stands between these parentheses"),
        ("tcp and", 7, "a condition must follow"),
        ("not", 3, "a condition must follow"),
        ("or tcp", 0, "a condition must stand before 'or'"),
        ("tcp, udp", 3, "a comma stands only in a list, as in port in (80, 443)"),
        ("(tcp, udp)", 4, "a comma stands only in a list, as in port in (80, 443)"),
        ("= 5", 0, "a field must stand before '='"),
        ("has (", 4, "this parenthesis stands in the place of a field"),
        ("has not", 4, "a condition must follow 'not'"),
        ("port 80 or 443", 11, "the value '443' has no field, as in port 443 or port in (80, 443)"),
        ("'tcp'", 0, "the value 'tcp' has no field, as in port 443 or port in (80, 443)"),
        ("rtt", 3, "a value must follow 'rtt'; 'has rtt' asks whether it is known"),
        ("rtt and tcp", 4, "a value must follow 'rtt'; 'has rtt' asks whether it is known"),
        ("rtt > > 5", 6, "a value must follow '>'"),
        ("rtt gt", 6, "a value must follow 'gt'"),
        ("comm ~", 6, "a value must follow '~'"),
        ("state", 5, "a value must follow 'state'; 'has state' asks whether it is known"),
        ("exclude", 7, "a value must follow 'exclude'"),
        ("port", 4, "a value must follow 'port'"),
        ("rtt = null", 6, "whether a value is known is asked with 'has rtt' or 'not has rtt'"),
        (
            "tcp and rtt > 10MB",
            14,
            "'10MB' does not fit rtt, a time: use ns, us, ms, s, m, h or d (a bare number is in us)",
        ),
        ("dst 10.0.0.0/33", 4, "'10.0.0.0/33' is neither an address nor a prefix"),
        ("dst example.com", 4, "host names are not looked up in a filter; give an address or prefix"),
        ("dport 70000", 6, "'70000' is no port: 65535 is the last"),
        ("dport no-such", 6, "no service is called 'no-such'; see services(5), or give the port's number"),
        ("net > 10", 6, "src has no order here: use = or !="),
        ("comm = 'nginx", 7, "this quote is never closed"),
        ("pid in ()", 7, "this list is empty"),
        ("pid in 1,2", 7, "the values of 'in' stand in parentheses, as in (80, 443)"),
        ("pid in (1 2)", 10, "the list goes on with ',' or ends with ')' here"),
        ("pid in (1,", 10, "a value must follow 'in'"),
        ("src asn 2529", 4, "'asn' is not known of the flows of a host"),
        ("ether src 1", 0, "'ether' is not known of the flows of a host"),
        ("pid ~ 1", 6, "~ is for text, which pid is not: use = < or >"),
    ],
)
def test_errors_say_what_is_wrong_and_where(text: str, position: int, message: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert str(caught.value) == f"{message}\n  {text}\n  {' ' * position}^"


def test_long_words_are_shown_cut() -> None:
    with pytest.raises(FilterError) as caught:
        parse("a" * 60_000)
    assert len(str(caught.value).splitlines()[0]) < 120


# -- limits


def test_parentheses_are_bounded() -> None:
    assert parse("(" * DEEPEST + "tcp" + ")" * DEEPEST) == TCP
    with pytest.raises(FilterError, match="more than 100 deep") as caught:
        parse("(" * (DEEPEST + 1) + "tcp" + ")" * (DEEPEST + 1))
    assert caught.value.position == DEEPEST
    assert parse("(tcp) " * (DEEPEST + 1))


def test_the_deepest_filter_can_be_compiled_and_bounded() -> None:
    text = "not (udp or rtt > 1 and " * DEEPEST + "raw" + ")" * DEEPEST
    expression = parse(text)
    assert predicate_of(expression).fields == {"proto", "rtt"}
    assert bounds(expression) == (None, None)


@pytest.mark.parametrize("joint", [" or ", " and ", " "])
def test_thousands_of_terms(joint: str) -> None:
    assert len(predicate_of(parse(joint.join(f"rtt > {at}" for at in range(4000)))).parameters) == 4000


def test_thousands_of_nots() -> None:
    assert parse("not " * 10_001 + "tcp") == Not(TCP)


def trouble(text: str) -> int:
    """Where the error of the text is; its length where there is none."""
    try:
        predicate_of(parse(text))
    except FilterError as error:
        return error.position
    return len(text)


@settings(derandomize=True)
@given(st.text(max_size=60))
def test_whatever_the_text_nothing_else_is_raised(text: str) -> None:
    assert 0 <= trouble(text) <= len(text)


_PIECES = [
    *("tcp", "and", "or", "not", "!", "(", ")", ",", "in", "not in (", "has", "state", "exclude", "src", "dst", "port"),
    *("host", "net", "comm", "rtt", "app_limited", "mark", "=", "!=", "<", "~", "!~", "10/8", "::1", ":22", "5000:"),
    *("[::1]:22", "50ms", "10MB", "0x1/0x3", "'a b'", '"', "established", "a*", "(a", "1e9", "*", "null", "eq", "-"),
]


@settings(derandomize=True)
@given(st.lists(st.sampled_from(_PIECES), max_size=12), st.sampled_from([" ", ""]))
@example(["src", "or", "dst"], " ")
@example(["state", "established", "state"], " ")
@example(["net", "<", "10/8"], " ")
def test_whatever_the_words_nothing_else_is_raised(words: list[str], joint: str) -> None:
    assert 0 <= trouble(joint.join(words)) <= len(joint.join(words))


def test_importing_the_language_imports_neither_numpy_nor_a_database() -> None:
    heavy = {"numpy", "duckdb", "ipaddress", "socket", "logging", "asyncio"}
    code = (
        "import sys; before = set(sys.modules); import fleutan.query.predicate, fleutan.query.filter; "
        f"print(sorted({heavy} & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_of_exporters_protocol_is_that_of_the_export() -> None:
    assert parse("protocol = tcp") == parse("proto = tcp")
    own = parse("protocol = ipfix", language.EXPORTED_SYNONYMS)
    assert own == parse("protocol = 'ipfix'", language.EXPORTED_SYNONYMS)
    assert own != parse("proto = tcp")
    assert parse("fwmark 5", language.EXPORTED_SYNONYMS) == parse("mark = 5")
    with pytest.raises(FilterError, match="ask 'proto = TCP'"):
        parse("protocol = TCP", language.EXPORTED_SYNONYMS)
    with pytest.raises(FilterError, match="'has protocol' asks"):
        parse("protocol", language.EXPORTED_SYNONYMS)


# -- what a lake holds, with CoMo's words


def past(text: str) -> Expression:
    return parse(text, language.PAST_SYNONYMS)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("asn 5", Comparison(("src_as", "dst_as"), "=", (5,))),
        ("addr asn 5", Comparison(("src_as", "dst_as"), "=", (5,))),
        ("host asn 5", Comparison(("src_as", "dst_as"), "=", (5,))),
        ("src asn 5", Comparison(("src_as",), "=", (5,))),
        ("dst asn in (5, 6)", Comparison(("dst_as",), "=", (5, 6))),
        ("src or dst asn > 5", Comparison(("src_as", "dst_as"), ">", (5,))),
        ("src and dst asn 5", And((Comparison(("src_as",), "=", (5,)), Comparison(("dst_as",), "=", (5,))))),
        ("has asn", Known(("src_as", "dst_as"))),
        ("ether 0:1:2:3:4:AA", Comparison(("src_mac", "dst_mac"), "=", ("00:01:02:03:04:aa",))),
        ("ether src 00-01-02-03-04-aa", Comparison(("src_mac",), "=", ("00:01:02:03:04:aa",))),
        ("ether host 0:1:2:3:4:5", Comparison(("src_mac", "dst_mac"), "=", ("00:01:02:03:04:05",))),
        ("dst ether 00:01:*", Comparison(("dst_mac",), "=", (Glob("00:01:*"),))),
        ("not has ether", Not(Known(("src_mac", "dst_mac")))),
        ("input 3 and output 7", And((Comparison(("in_if",), "=", (3,)), Comparison(("out_if",), "=", (7,))))),
        ("has input", Known(("in_if",))),
        ("exporter 10/8", Comparison(("exporter",), "=", (TEN,))),
        ("protocol sflow-5", Comparison(("protocol",), "=", ("sflow-5",))),
        ("pids 7", Comparison(("pid",), "=", (7,))),
    ],
)
def test_words_of_the_past(text: str, meaning: Expression) -> None:
    assert past(text) == meaning


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("to_ds", 0, "'to_ds' is not known here"),
        ("src from_ds 1", 4, "'from_ds' is not known here"),
        ("src exporter 10/8", 4, "'exporter' is not known here"),
        ("ether 10.0.0.1", 6, "'10.0.0.1' is no src_mac: write it as 00:11:22:33:44:aa"),
        ("ether 00:11-22", 6, "'00:11-22' is no src_mac: write it as 00:11:22:33:44:aa"),
        ("asn", 3, "a value must follow 'asn'"),
        ("header 1", 7, "header cannot be compared: 'has header' asks whether it is known"),
    ],
)
def test_errors_of_the_past(text: str, position: int, message: str) -> None:
    with pytest.raises(FilterError) as caught:
        past(text)
    assert str(caught.value) == f"{message}\n  {text}\n  {' ' * position}^"
