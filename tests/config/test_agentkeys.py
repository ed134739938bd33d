# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.config import AROUND, Config, agentkeys, parse
from fleutan.config.agents import Application, Place, Prefix, Sampling, Tap
from fleutan.config.values import Unknown, Value
from fleutan.errors import UsageError
from fleutan.sources.collectors import Collector

HERE = Path("/etc")
TARGETS, TARGET = agentkeys.targets(6343), agentkeys.target(8125)
UID = "31a1f0d0-5c0e-4a6b-9d63-0f6b8f0d9c11"
FAST = (1 << 63) - 1

READ: list[tuple[Value, Any, Any]] = [
    (TARGETS, "192.0.2.1", (Collector("192.0.2.1"),)),
    (TARGETS, ["192.0.2.1:9", "192.0.2.1:9", "x.example.org"], (Collector("192.0.2.1", 9), Collector("x.example.org"))),
    (TARGETS, ["2001:DB8::1", "[2001:db8::1]:7"], (Collector("2001:db8::1"), Collector("2001:db8::1", 7))),
    (TARGETS, [{"address": "fe80::1%eth0"}], (Collector("fe80::1%eth0"),)),
    (TARGETS, [{"host": "a", "port": 1, "device": "eth0", "netns": "b"}], (Collector("a", 1, "eth0", "b"),)),
    (TARGETS, [], ()),
    (TARGET, "[::1]", Collector("::1", 8125)),
    (agentkeys.PLACE, 9343, Place("127.0.0.1", 9343)),
    (agentkeys.PLACE, "[::]:9343", Place("::", 9343)),
    (agentkeys.PLACE, "192.0.2.1:1", Place("192.0.2.1", 1)),
    (agentkeys.DNS_SD, True, ""),
    (agentkeys.DNS_SD, False, None),
    (agentkeys.DNS_SD, ".example.org.", "example.org"),
    (agentkeys.DNS_SD, ".", ""),
    (agentkeys.URL, "https://x:1/y?z=1", "https://x:1/y?z=1"),
    (agentkeys.SERVER, "carbon.example.org", Collector("carbon.example.org", 2003)),
    (agentkeys.SERVER, "[::1]:2013", Collector("::1", 2013)),
    (agentkeys.USER, "nobody", "nobody"),
    (agentkeys.USER, 65534, "65534"),
    (agentkeys.UUIDS, UID, UUID(UID)),
    (agentkeys.DEVICE, "eth0.5", "eth0.5"),
    (agentkeys.REGEX, "^a+$", "^a+$"),
    (agentkeys.PREFIXES, "!10.1.2.3/8", (Prefix(ip_network("10.0.0.0/8"), True),)),
    (agentkeys.PREFIXES, ["2001:db8::/32"], (Prefix(ip_network("2001:db8::/32")),)),
    (agentkeys.SAMPLING, 20, Sampling(20)),
    (agentkeys.SAMPLING, {"default": 0, "bps_ratio": 0}, Sampling(0, 0)),
    (agentkeys.SAMPLING, {"10G": 5, "2.5g": 6, "100": 7}, Sampling(speeds={10**10: 5, 2_500_000_000: 6, 100: 7})),
    (agentkeys.SAMPLING, {"devices": {"eth*": 5}}, Sampling(devices={"eth*": 5})),
    (agentkeys.APPLICATIONS, {"a.b": 5}, {"a.b": Application(5)}),
    (
        agentkeys.APPLICATIONS,
        {"c": {"polling": 10}, "d": {"sampling": 1}},
        {"c": Application(None, 10), "d": Application(1)},
    ),
    (agentkeys.TAPS, "eth*", (Tap("eth*"),)),
    (
        agentkeys.TAPS,
        ["!x", {"pattern": "^en", "speed": "1G-"}],
        (Tap("x", excluded=True), Tap("", "^en", (10**9, FAST))),
    ),
    (agentkeys.TAPS, [{"device": "a", "speed": "10G"}], (Tap("a", speed=(10**10, 10**10)),)),
    (agentkeys.TAPS, [{"speed": "0-1.5K", "promiscuous": True}], (Tap(speed=(0, 1500), promiscuous=True),)),
    (agentkeys.TAPPED, "bpf", ("bpf",)),
    (agentkeys.TAPPED, ["bpf", "nflog", "bpf"], ("bpf", "nflog")),
]


@pytest.mark.parametrize(("value", "said", "expected"), READ)
def test_what_is_meant_is_read(value: Value, said: Any, expected: Any) -> None:
    found = value.read(said, HERE)
    assert (found, type(found)) == (expected, type(expected))


REFUSED: list[tuple[Value, list[Any]]] = [
    (TARGETS, [7, "", "a b", "x:0", "x:y", "[::1", "[::1]7", "x" * 64, "-x", {}, {"host": "a", "address": "b"}]),
    (TARGETS, [[{"host": "a", "port": 0}], {"host": "a", "device": "x y"}, {"host": "a", "netns": 1}, ["a"] * 65]),
    (agentkeys.PLACE, [0, "x", "x:1", "127.0.0.1", "127.0.0.1:x", "[::1]", True, None]),
    (agentkeys.SERVER, [{"host": "a", "device": "eth0"}, 2003, "a:b", ""]),
    (agentkeys.USER, ["", "-x", "a b", "a" * 33, True, None, -1]),
    (agentkeys.DNS_SD, [7, "a..b", "a b"]),
    (agentkeys.URL, [7, "ftp://x", "http://", "http://a b", "http:///x"]),
    (agentkeys.UUIDS, [7, "", "31a1"]),
    (agentkeys.DEVICE, [7, "", "a/b", "a b", "a" * 16, "a:1", "\x01"]),
    (agentkeys.REGEX, [7, "", "(", "a{99999999999}"]),
    (agentkeys.PREFIXES, [7, "10.0.0.0/33", "x", "!"]),
    (agentkeys.SAMPLING, [-1, "x", 10_000_001, {"default": "x"}, {"10X": 5}, {"1.23456G0": 1}, {"1.5": 1}, {"1G": -1}]),
    (agentkeys.SAMPLING, [{"devices": 5}, {"devices": {"a": -1}}, {"bps_ratio": "x"}, {"99999999999999999P": 1}]),
    (agentkeys.APPLICATIONS, [7, {"a b": 1}, {"a": "x"}, {"a": {"polling": -1}}]),
    (
        agentkeys.TAPS,
        [7, "", "!", {}, {"pattern": "("}, {"speed": "2G-1G"}, {"speed": 7}, {"device": ""}, {"promiscuous": 1}],
    ),
    (agentkeys.TAPPED, ["x", [], ["none", "bpf"], 7, [[]]]),
]


@pytest.mark.parametrize(("value", "said"), [(value, one) for value, several in REFUSED for one in several])
def test_what_is_not_is_refused_in_one_line(value: Value, said: Any) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        value.read(said, HERE)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(
    ("value", "said", "word"),
    [
        (agentkeys.SAMPLING, {"defautl": 5}, "defautl"),
        (agentkeys.APPLICATIONS, {"a": {"samplng": 5}}, "samplng"),
        (agentkeys.TAPS, {"dev": "x"}, "dev"),
        (TARGET, {"ip": "x"}, "ip"),
    ],
)
def test_a_key_that_is_not_known_says_which_are(value: Value, said: Any, word: str) -> None:
    with pytest.raises(Unknown) as raised:
        value.read(said, HERE)
    assert raised.value.word == word
    assert raised.value.known


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.sampled_from([value for value, *_ in READ]), ANY)
def test_any_value_is_read_or_refused(value: Value, said: Any) -> None:
    message = ""
    try:
        value.read(said, HERE)
    except ValueError as error:
        message = str(error)
    assert len(message) < 300


# -- the section as a whole


def said(text: str) -> Config:
    return parse(text.encode(), Path("/etc/fleutan.toml"))


def test_what_a_file_has_is_remembered() -> None:
    found = said("[agent]\npolling = 30\nsampling.10G = 5\n[agent.drops]\non = false\n")
    assert found.said == {"agent.polling", "agent.sampling", "agent.drops.on"}
    assert found.agent.sampling == Sampling(speeds={10**10: 5})
    assert (found.agent.drops.on, Config().said) == (False, frozenset())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("header_bytes = 128\ndatagram_bytes = 200", f"does not fit into datagram_bytes = 200; {200 - AROUND} do"),
        ("packets.source = ['bpf', 'nflog']", "needs nflog_probability"),
        ("polling = 'x'", r"\[agent\] polling: 'x' is not seconds"),
        ("sampling = { defautl = 5 }", r"\[agent.sampling\] has no key 'defautl'; did you mean default\?"),
        ("collector = 'x'", "did you mean collectors"),
    ],
)
def test_keys_that_do_not_go_together_are_named(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        said(f"[agent]\n{text}\n")
    assert str(raised.value).startswith("/etc/fleutan.toml: ")


def test_a_header_fits_where_it_is_said_to() -> None:
    assert said(f"[agent]\nheader_bytes = {200 - AROUND}\ndatagram_bytes = 200").agent.datagram_bytes == 200
