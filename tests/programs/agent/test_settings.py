# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fleutan.config import Agent, hsflowd, parse
from fleutan.config.agents import Sampling
from fleutan.errors import UsageError
from fleutan.programs.agent.discovery import Found
from fleutan.programs.agent.settings import InForce, Told, merged, of_config, of_hsflowd
from fleutan.sources.collectors import Collector

PATH = Path("/etc/fleutan.toml")
A, B, C = (Collector(f"192.0.2.{number}") for number in (1, 2, 3))
DNS = "DNS-SD, _sflow._udp.example.org"


def toml(text: str) -> Told:
    return of_config(parse(f"[agent]\n{text}".encode(), PATH))


FILE = 'collectors = ["192.0.2.1"]\npolling = 30\n[agent.drops]\nlimit = 7\n'
FOUND = Found((B,), {"polling": 10, "sampling": Sampling(5), "drops.limit": 9, "header_bytes": 64}, ("a remark",))


def test_what_nobody_says_goes_without_saying() -> None:
    found = merged(Told())
    assert (found.agent, found.origin("polling"), found.remarks) == (Agent(), "default", ())


def test_a_file_says_where_its_words_stand() -> None:
    found = merged(toml(FILE))
    assert [found.origin(key) for key in ("collectors", "polling", "drops.limit")] == [str(PATH)] * 3
    assert (found.origin("sampling"), found.origin(f"collectors {A.title}")) == ("default", str(PATH))
    assert found.agent == replace(Agent(), collectors=(A,), drops=replace(Agent().drops, limit=7))


def test_the_command_line_goes_before_the_file() -> None:
    found = merged(toml(FILE), {"collectors": (C,), "drops.limit": 8})
    assert (found.agent.collectors, found.agent.drops.limit, found.agent.polling) == ((C,), 8, 30)
    assert [found.origin(key) for key in (f"collectors {C.title}", "drops.limit")] == ["command line"] * 2


def test_the_dns_says_only_what_nobody_else_does() -> None:
    found = merged(toml(FILE), {"sampling": Sampling(3)}, FOUND, "example.org")
    assert (found.agent.collectors, found.agent.polling, found.agent.drops.limit) == ((A,), 30, 7)
    assert (found.agent.sampling, found.agent.header_bytes) == (Sampling(3), 64)
    assert found.origin("header_bytes") == DNS
    assert sorted(found.remarks) == [
        *(f"{DNS}: its {word} do not count: {whose} has its own" for word, whose in (("collectors", PATH),)),
        f"{DNS}: its values of drops.limit do not count: {PATH} has its own",
        f"{DNS}: its values of polling do not count: {PATH} has its own",
        f"{DNS}: its values of sampling do not count: command line has its own",
        "a remark",
    ]


def test_without_a_file_the_dns_says_all() -> None:
    found = merged(Told(), None, FOUND)
    assert (found.agent.collectors, found.agent.polling, found.agent.sampling) == ((B,), 10, Sampling(5))
    assert found.origin(f"collectors {B.title}") == "DNS-SD, _sflow._udp"
    assert found.remarks == ("a remark",)


def test_a_header_that_does_not_fit_is_not_taken_from_the_dns() -> None:
    told = toml("datagram_bytes = 300")
    found = merged(told, None, Found((B,), {"header_bytes": 256}), "example.org")
    assert (found.agent.header_bytes, found.agent.collectors) == (128, (B,))
    assert found.remarks[0].startswith(f"{DNS}: [agent] header_bytes = 256 does not fit")


def test_what_is_given_has_to_go_with_the_rest() -> None:
    with pytest.raises(UsageError, match="does not fit into datagram_bytes = 1400"):
        merged(Told(), {"header_bytes": 1400})


def test_hsflowd_conf_says_lines() -> None:
    text = "sflow {\ncollector { ip=192.0.2.1 }\ncollector { ip=192.0.2.2 }\npolling=20\nloopback=on }"
    found = merged(of_hsflowd(hsflowd.read(text, "h.conf")))
    assert [found.origin(key) for key in (f"collectors {A.title}", f"collectors {B.title}", "polling")] == [
        *("h.conf:2", "h.conf:3", "h.conf:4"),
    ]
    assert found.remarks == ("h.conf:5: loopback makes no difference: hsflowd ignores it, too",)
    given = merged(of_hsflowd(hsflowd.read(text, "h.conf")), {"collectors": (A,)})
    assert given.origin(f"collectors {A.title}") == "command line"


def test_every_setting_is_a_line() -> None:
    lines = merged(toml(FILE)).lines()
    assert lines[:3] == [
        "collector 192.0.2.1:6343: /etc/fleutan.toml",
        "no DNS-SD: default",
        "polling 30 s: /etc/fleutan.toml",
    ]
    assert "dropped packets told, 7 a second: /etc/fleutan.toml" in lines


# -- while it runs


def told(*given: Told | UsageError) -> Callable[[], Told]:
    left = iter(given)

    def read() -> Told:
        one = next(left)
        if isinstance(one, UsageError):
            raise one
        return one

    return read


def test_a_file_that_is_broken_leaves_what_ran_before() -> None:
    first = toml("polling = 20")
    held = InForce(
        told(first, UsageError("x:1: wrong"), toml("header_bytes = 128"), toml("polling = 40")), {"tcp": False}
    )
    before = held.effective
    assert (held.again(), held.effective) == ("x:1: wrong; what ran before goes on", before)
    assert (held.again(), held.effective.agent.polling, held.effective.agent.tcp) == ("", 30, False)
    assert (held.again(), held.effective.agent.polling) == ("", 40)


def test_what_does_not_go_with_the_command_line_leaves_what_ran_before() -> None:
    held = InForce(told(toml("polling = 20"), toml("datagram_bytes = 300\nheader_bytes = 128")), {"header_bytes": 256})
    assert "does not fit" in held.again()
    assert not held.discovered(None)
    assert (held.effective.agent.polling, held.effective.agent.header_bytes) == (20, 256)


def test_a_file_that_is_broken_from_the_start_is_an_error() -> None:
    with pytest.raises(UsageError, match="wrong"):
        InForce(told(UsageError("wrong")))


def collectors_of(held: InForce) -> tuple[Collector, ...]:
    return held.effective.agent.collectors


def test_what_the_dns_says_comes_and_goes() -> None:
    held = InForce(told(toml("dns_sd = 'example.org'"), toml("polling = 7")))
    assert held.discovered(FOUND)
    assert (held.effective.agent.collectors, held.effective.origin("polling")) == ((B,), DNS)
    assert not held.discovered(FOUND)
    assert held.discovered(Found((C,)))
    assert collectors_of(held) == (C,)
    # the DNS is not asked any more: what it said does not count
    assert held.again() == ""
    assert (collectors_of(held), held.effective.agent.polling) == ((), 7)
