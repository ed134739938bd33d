# SPDX-License-Identifier: Apache-2.0
"""Lines as Apache's documents of mod_log_config describe them, and as sflowtool 6.11 prints them."""

from __future__ import annotations

import re
from datetime import timedelta, timezone
from typing import Any

import pytest
from tests.captures import needs_captures
from tests.exports.sflowtool.received import FAITHFUL, RIGHT, counters, flow, flow_element, received, recorded

from fleutan.exports.sflowtool.commonlog import write_common_log
from fleutan.exports.sflowtool.heads import Dialect, Received
from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.encoder import element
from fleutan.protocols.sflow.layouts import FLOW_FORMS

NEWER: dict[str, Any] = {
    "method": 2,
    "protocol": 1001,
    "uri": b"/index.html?a=b",
    "host": b"www.example.net",
    "referer": b"http://example.org/",
    "useragent": b"curl/8.0",
    "xff": b"192.0.2.7",
    "authuser": b"frank",
    "mime_type": b"text/html",
    "req_bytes": 100,
    "resp_bytes": 5000,
    "duration": 77,
    "status": 200,
}
OLDER = {name: value for name, value in NEWER.items() if name not in ("xff", "req_bytes", "resp_bytes")}
OLDER["bytes"] = 5000
SOCKET = flow_element(2100, 6, bytes([10, 0, 0, 1]), bytes([192, 0, 2, 9]), 80, 51000)
SOCKET_6 = flow_element(2101, 6, bytes(15) + b"\1", bytes.fromhex("20010db8000000000000000000000009"), 80, 51000)
REST = '- frank [14/Nov/2023:22:13:20 +0000] "GET /index.html?a=b HTTP/1.1" 200 5000 "http://example.org/" "curl/8.0"\n'


def request(tag: int = 2206, **more: Any) -> Element:
    return element(FLOW_FORMS[tag][0], (NEWER if tag == 2206 else OLDER) | more)


def lines(*elements: Element, dialect: Dialect = RIGHT) -> str:
    return b"".join(write_common_log([received(flow(*elements))], dialect)).decode("latin-1")


@pytest.mark.parametrize("tag", [2201, 2206])
@pytest.mark.parametrize("dialect", [RIGHT, FAITHFUL])
def test_a_request_is_a_line(tag: int, dialect: Dialect) -> None:
    assert lines(request(tag), SOCKET, dialect=dialect) == f"192.0.2.9 {REST}"
    six = "2001:0db8:0000:0000:0000:0000:0000:0009" if dialect.faithful else "2001:db8::9"
    assert lines(SOCKET_6, request(tag), dialect=dialect) == f"{six} {REST}"


def test_a_client_that_is_not_known_is_a_dash() -> None:
    assert lines(request()) == f"- {REST}"
    assert lines(request(), dialect=FAITHFUL) == f" {REST}"


def test_what_is_not_said_is_a_dash() -> None:
    nothing: dict[str, Any] = dict.fromkeys(("uri", "referer", "useragent", "authuser"), b"")
    line = lines(request(method=99, protocol=2000, status=0, resp_bytes=(1 << 64) - 1, **nothing))
    assert line == '- - - [14/Nov/2023:22:13:20 +0000] "- - HTTP/2.0" 0 - "-" "-"\n'
    assert '"CONNECT ' in lines(request(method=8))


def test_nothing_that_a_client_sends_breaks_a_line() -> None:
    evil = b'/"\n127.0.0.1 - - "\\\x00\x1b[31m\xc3\xa9\x7f\t'
    line = lines(request(uri=evil, referer=evil, useragent=evil, authuser=b'a b]"'))
    assert line.count("\n") == 1
    assert line.isascii()
    escaped = r"/\"\n127.0.0.1 - - \"\\\x00\x1b[31m\xc3\xa9\x7f\t"
    assert f'"GET {escaped} HTTP/1.1"' in line
    assert line.endswith(f'"{escaped}" "{escaped}"\n')
    assert line.split(" [14/")[0] == r"- - a\x20b]\""
    # Whatever reads quoted strings with escapes finds the same fields again.
    quoted = re.findall(r'"((?:[^"\\]|\\.)*)"', line.split("+0000] ")[1])
    assert quoted == [f"GET {escaped} HTTP/1.1", escaped, escaped]


def test_sflowtool_escapes_nothing_and_stops_at_nul() -> None:
    assert '"GET /"x HTTP/1.1"' in lines(request(uri=b'/"x\0y'), SOCKET, dialect=FAITHFUL)


def test_times_are_of_the_zone_that_is_asked_for() -> None:
    zone = Dialect(False, timezone(timedelta(hours=-3, minutes=-30)))
    assert "[14/Nov/2023:18:43:20 -0330]" in lines(request(), dialect=zone)


def test_other_samples_and_what_is_cut_make_no_line() -> None:
    assert lines(SOCKET) == ""
    assert list(write_common_log([received(counters())], RIGHT)) == []
    whole = flow(SOCKET, request())
    for cut in (4, 40, 100):
        assert list(write_common_log([received(whole, cut=cut)], RIGHT)) == []


def test_of_several_requests_sflowtool_has_the_last() -> None:
    two = (request(uri=b"/1"), SOCKET, request(2201, uri=b"/2"))
    assert [line.split()[6] for line in lines(*two).splitlines()] == ["/1", "/2"]
    assert [line.split()[6] for line in lines(*two, dialect=FAITHFUL).splitlines()] == ["/2"]


@needs_captures
def test_the_recorded_requests() -> None:
    messages: list[Received] = recorded("every-structure")
    found = b"".join(write_common_log(messages, RIGHT)).decode().splitlines()
    assert len(found) == 2
    assert all(re.fullmatch(r'\S+ - \S+ \[[^]]+\] "[^"]*" \d+ \d+ "[^"]*" "[^"]*"', line) for line in found), found
