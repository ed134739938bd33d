# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from contextlib import suppress

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fleutan.address import parse_prefix
from fleutan.fields import FIELDS, require
from fleutan.query.expression import Endpoint, Glob, Masked, Operator, Pattern, Span, Value
from fleutan.query.lexer import tokens
from fleutan.query.values import is_truth, pattern, read, read_net


def values(text: str, field: str, operator: Operator = "=") -> tuple[Value, ...]:
    return read(tokens(text)[0], require(field), operator)


def complaint(text: str, field: str, operator: Operator = "=") -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the caller compares the message
        values(text, field, operator)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10/8", Endpoint(parse_prefix("10.0.0.0/8"))),
        ("192.168.1.7", Endpoint(parse_prefix("192.168.1.7"))),
        ("10.0.0.1:443", Endpoint(parse_prefix("10.0.0.1"), Span(443, 443))),
        ("10/8:https", Endpoint(parse_prefix("10.0.0.0/8"), Span(443, 443))),
        ("10.0.0.1:*", Endpoint(parse_prefix("10.0.0.1"), Span(0, 65535))),
        ("10.0.0.1:80-90", Endpoint(parse_prefix("10.0.0.1"), Span(80, 90))),
        ("::1", Endpoint(parse_prefix("::1"))),
        ("2001:db8::/32", Endpoint(parse_prefix("2001:db8::/32"))),
        ("[::1]", Endpoint(parse_prefix("::1"))),
        ("[::1]:22", Endpoint(parse_prefix("::1"), Span(22, 22))),
        ("[2001:db8::]/32:22", Endpoint(parse_prefix("2001:db8::/32"), Span(22, 22))),
        ("[2001:db8::/32]:5000:6000", Endpoint(parse_prefix("2001:db8::/32"), Span(5000, 6000))),
        (":443", Endpoint(None, Span(443, 443))),
        ("*:443", Endpoint(None, Span(443, 443))),
        ("[*]:443", Endpoint(None, Span(443, 443))),
        ("*", Endpoint(parse_prefix("::/0"))),
        ("'10/8'", Endpoint(parse_prefix("10.0.0.0/8"))),
    ],
)
def test_addresses(text: str, value: Value) -> None:
    assert values(text, "dst") == (value,)


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("10", "10.0.0.0/8"),
        ("192.168", "192.168.0.0/16"),
        ("192.168.7", "192.168.7.0/24"),
        ("10.1.0.0/16", "10.1.0.0/16"),
    ],
)
def test_net_takes_the_first_bytes_alone(text: str, prefix: str) -> None:
    assert read_net(tokens(text)[0], require("dst"), "=") == (Endpoint(parse_prefix(prefix)),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10.0.0.0/33", "'10.0.0.0/33' is neither an address nor a prefix"),
        ("10", "'10' is neither an address nor a prefix"),
        ("300.1.1.1", "neither an address nor a prefix"),
        ("2001:db8::/129", "neither an address nor a prefix"),
        ("[::1", "neither an address nor a prefix"),
        ("::1]", "neither an address nor a prefix"),
        ("[1.2.3.4]5", "neither an address nor a prefix"),
        ("[::1]:", "neither an address nor a prefix"),
        ("''", "'' is neither an address nor a prefix"),
        ("example.com", "host names are not looked up in a filter; give an address or prefix"),
        ("localhost:22", "host names are not looked up"),
        ("web/path", "host names are not looked up"),
        ("fe80::1%eth0", "the zone of 'fe80::1%eth0' is asked for apart: dev eth0"),
        ("fe80::1%", "dev NAME"),
        ("10.0.0.1:", "'' is no port"),
        ("10.0.0.1:70000", "'70000' is no port: 65535 is the last"),
        (":", "'' is no port"),
    ],
)
def test_what_is_no_address_is_refused(text: str, message: str) -> None:
    assert message in complaint(text, "src")


@pytest.mark.parametrize("field", ["sport", "dport", "service"])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("22", 22),
        (":22", 22),
        ("ssh", 22),
        (":ssh", 22),
        ("0", 0),
        ("65535", 65535),
        ("5000:6000", Span(5000, 6000)),
        (":5000:6000", Span(5000, 6000)),
        ("5000-6000", Span(5000, 6000)),
        ("5000:", Span(5000, 65535)),
        ("0:6000", Span(0, 6000)),
        ("ssh:http", Span(22, 80)),
        ("80:80", 80),
        ("*", Span(0, 65535)),
    ],
)
def test_ports(field: str, text: str, value: Value) -> None:
    assert values(text, field) == (value,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("65536", "'65536' is no port: 65535 is the last"),
        ("1" * 5000, "is no port"),
        ("no-such-service", "no service is called 'no-such-service'; see services(5), or give the port's number"),
        ("6000:5000", "the ports '6000:5000' run backwards"),
        ("-6000", "'-6000' is no port"),
        ("::6000", "'' is no port"),
        ("ä", "'ä' is no port"),
        ("٣", "is no port"),
        ("''", "'' is no port"),
        ("80%", "'80%' is no port"),
    ],
)
def test_what_is_no_port_is_refused(text: str, message: str) -> None:
    assert message in complaint(text, "dport")


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("established", ("established",)),
        ("ESTAB", ("established",)),
        ("closed", ("close",)),
        ("unconn", ("close",)),
        ("listening", ("listen",)),
        ("fin_wait_1", ("fin-wait-1",)),
        ("fin-wait-*", ("fin-wait-1", "fin-wait-2")),
        ("bucket", ("time-wait", "syn-recv")),
    ],
)
def test_states(text: str, states: tuple[str, ...]) -> None:
    assert values(text, "state") == states


def test_groups_of_states_are_those_of_ss() -> None:
    every, connected, synchronized, big, bucket = (
        set(values(group, "state")) for group in ("all", "connected", "synchronized", "big", "bucket")
    )
    assert len(every) == 11
    assert every - connected == {"close", "listen"}
    assert connected - synchronized == {"syn-sent"}
    assert every - big == bucket


@pytest.mark.parametrize(
    ("text", "field", "word"),
    [
        ("6", "proto", "tcp"),
        ("UDP", "proto", "udp"),
        ("262", "proto", "mptcp"),
        ("4", "family", "ipv4"),
        ("inet6", "family", "ipv6"),
        ("ipv?", "family", "ipv4"),
    ],
)
def test_protocols_and_families(text: str, field: str, word: str) -> None:
    assert values(text, field)[0] == word


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("establishd", "state", "'establishd' is no state; did you mean established?"),
        ("x*", "state", "'x*' is no state; known: established"),
        ("quic", "proto", "known: icmp, igmp"),
        ("256", "proto", "'256' is no proto"),
        ("5", "family", "'5' is no family; known: ipv4, ipv6"),
    ],
)
def test_unknown_words_are_refused(text: str, field: str, message: str) -> None:
    assert message in complaint(text, field)


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("nginx", "comm", "nginx"),
        ("nginx*", "comm", Glob("nginx*")),
        ("?sh", "comm", Glob("?sh")),
        ("'nginx*'", "comm", "nginx*"),
        ("'null'", "comm", "null"),
        ("Nginx", "comm", "Nginx"),
        ("/a/b.service", "cgroup", "/a/b.service"),
        ("4711", "comm", "4711"),
        ("4711", "pid", 4711),
        ("0x01/0x03", "mark", Masked(1, 3)),
        ("2%", "retrans_share", 0.02),
        ("yes", "app_limited", True),
        ("OFF", "app_limited", False),
    ],
)
def test_text_numbers_and_truths(text: str, field: str, value: Value) -> None:
    assert values(text, field) == (value,)


@pytest.mark.parametrize(
    ("text", "field", "operator", "message"),
    [
        ("null", "rtt", "=", "whether a value is known is asked with 'has rtt' or 'not has rtt'"),
        ("is", "comm", "=", "'has comm'"),
        ("a", "comm", ">", "comm has no order here: use = or !="),
        ("5000:6000", "sport", "<", "sport has no order here"),
        ("0x1/0x3", "mark", ">=", "mark has no order here"),
        ("10/8", "dst", "<=", "dst has no order here"),
        ("yes", "app_limited", ">", "app_limited has no order here"),
        ("maybe", "app_limited", "=", "app_limited is true or false, not 'maybe'"),
        ("0x1/zz", "mark", "=", "'zz' is not a number"),
        ("1ms/2ms", "rtt", "=", "'1ms/2ms' does not fit rtt"),
    ],
)
def test_what_a_field_cannot_be_is_refused(text: str, field: str, operator: Operator, message: str) -> None:
    assert message in complaint(text, field, operator)


def test_the_words_of_truth_are_unquoted() -> None:
    assert is_truth(tokens("No")[0])
    assert not is_truth(tokens("'no'")[0])
    assert not is_truth(tokens("rtt")[0])


def test_every_type_of_the_catalogue_can_be_read() -> None:
    texts = {"int": "1", "float": "1", "bool": "yes", "text": "a", "address": "::1"}
    listed = {"state": "listen", "proto": "tcp", "family": "ipv4", "src_mac": "0:1", "dst_mac": "0:1"}
    for field in FIELDS:
        if field.type not in ("ints", "octets"):
            assert len(values(listed.get(field.name, texts[field.type]), field.name)) == 1


@pytest.mark.parametrize(
    "text", ["^ng", "(?i)a|b", "(?P<n>a)", "[+*]+", "[(?=]", r"\\1", r"a\++", "a{1000}", "[[a]", "(?-s:.)"]
)
def test_regular_expressions_that_both_sides_know(text: str) -> None:
    quoted = tokens(text)[0]._replace(kind="quoted", text=text)
    assert pattern(quoted, require("comm")) == Pattern(text)
    duckdb.execute("SELECT regexp_matches('a', $pattern)", {"pattern": text})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(a", "'(a' is not a regular expression: missing ), unterminated subpattern"),
        ("a{99999999999999999999}", "RE2 regular expressions have no '{99999999999999999999}'"),
        ("(?=a)", "have no '(?'"),
        ("(?P<n>a)(?P=n)", "have no '(?P='"),
        (r"(a)\1", "have no '\\\\1'"),
        (r"a\Z", "have no '\\\\Z'"),
        ("a++", "have no '++'"),
        ("a{1001}", "have no '{1001}'"),
        ("a{2,1001}", "have no '{2,1001}'"),
        ("(" * 480 + ")" * 480, "it repeats or nests too much"),
        ("a{,99999999999999999999}", "it repeats or nests too much"),
        ("a" * 1001, "at most 1000 characters"),
    ],
)
def test_regular_expressions_that_one_side_refuses(text: str, message: str) -> None:
    quoted = tokens("x")[0]._replace(kind="quoted", text=text)
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the message is compared below
        pattern(quoted, require("comm"))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("field", "hint"),
    [("pid", "~ is for text, which pid is not: use = < or >"), ("dst", "use a prefix, as in 10.0.0.0/8")],
)
def test_only_text_is_matched(field: str, hint: str) -> None:
    with pytest.raises(ValueError, match="~ is for text") as caught:
        pattern(tokens("1")[0], require(field))
    assert hint in str(caught.value)


@settings(derandomize=True)
@given(st.text(alphabet="ab()[]{}|*+?\\^$.-,:0129PiZdw=!<>", max_size=12))
@example("(?i:a)")
@example("a**")
def test_an_accepted_expression_fails_in_duckdb_only_with_its_error(text: str) -> None:
    quoted = tokens("x")[0]._replace(kind="quoted", text=text)
    try:
        accepted = pattern(quoted, require("comm"))
    except ValueError:
        return
    with suppress(duckdb.Error):
        duckdb.execute("SELECT regexp_matches('ab', $pattern)", {"pattern": accepted.expression})
