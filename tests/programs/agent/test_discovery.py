# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.config.agentkeys import COLLECTORS
from fleutan.config.agents import Application, Prefix, Sampling
from fleutan.programs.agent.discovery import LEAST, MOST, RETRY, START, Answer, Discovery, Found, Service, settings
from fleutan.sources.collectors import Collector

NAME = "_sflow._udp.example.org"
ONE = Service(0, 5, 6343, "a.example.org.")


def discovery(*answers: Answer, now: float = 100.0) -> Discovery:
    made = Discovery("example.org", 0, 0)
    for answer in answers:
        made.answered(answer, now)
    return made


# -- when


@pytest.mark.parametrize(("delay", "first"), [(0, 50), (12.5, 62.5), (1000, 50 + START), (-1, 50)])
def test_the_first_question_waits_for_no_more_than_half_a_minute(delay: float, first: float) -> None:
    made = Discovery("", 50, delay)
    assert (made.next_at, made.name, made.trouble, made.found) == (first, "_sflow._udp", "not asked yet", None)


@pytest.mark.parametrize(
    ("ttl", "waits"), [(60, 60), (0, LEAST), (9, LEAST), (11, 11), (None, RETRY), (1 << 31, MOST), (-5, LEAST)]
)
def test_what_was_said_is_asked_again_when_it_has_aged(ttl: int | None, waits: float) -> None:
    assert discovery(Answer((ONE,), ttl=ttl)).next_at == 100 + waits


def test_what_failed_is_asked_again_after_five_minutes() -> None:
    assert discovery(Answer(error="timed out", ttl=20)).next_at == 100 + RETRY


# -- what


def test_collectors_go_by_priority_and_weight() -> None:
    services = (
        Service(1, 9, 1, "d."),
        Service(0, 1, 2, "c."),
        Service(0, 9, 3, "b."),
        Service(0, 9, 4, "a."),
        Service(0, 9, 4, "a."),
    )
    expected = tuple(Collector(*each) for each in (("a", 4), ("b", 3), ("c", 2), ("d", 1)))
    found = discovery(Answer(services)).found
    assert found == discovery(Answer(services[::-1])).found == Found(expected)


def test_a_target_of_only_a_dot_is_none_and_a_broken_one_is_named() -> None:
    made = discovery(Answer((Service(0, 0, 0, "."), Service(0, 0, 0, "a."), Service(0, 0, 1, "b c."), ONE)))
    assert made.found == Found(
        (Collector("a.example.org"),),
        {},
        (f"{NAME}: 0 is not a port from 1 to 65535", f"{NAME}: 'b c' is not a host name or an IP address"),
    )


def test_no_more_collectors_than_anybody_means() -> None:
    found = discovery(Answer(tuple(Service(0, 0, port, "a.") for port in range(1, 200)))).found
    assert found is not None
    assert len(found.collectors) == COLLECTORS
    assert found.remarks == (f"{NAME}: 199 collectors are too many; the first {COLLECTORS} are taken",)


def test_a_change_is_told_once() -> None:
    made = Discovery("example.org", 0, 0)
    answers = [Answer((ONE,)), Answer((ONE,), ttl=5), Answer((ONE,), (b"polling=20",)), Answer()]
    assert [made.answered(answer, 0) for answer in answers] == [True, False, True, True]


def test_what_fails_leaves_what_was_found() -> None:
    made = discovery(Answer((ONE,), (b"polling=20",)), Answer(error="refused"))
    assert made.found == Found((Collector("a.example.org"),), {"polling": 20})
    assert made.trouble == f"{NAME}: refused"


def test_where_there_is_no_collector_that_is_said_and_settings_count() -> None:
    made = discovery(Answer((ONE,)), Answer((), (b"polling=20",)))
    assert (made.found, made.trouble) == (Found((), {"polling": 20}), f"{NAME} names no collector")


def test_settings_stay_when_only_they_could_not_be_had() -> None:
    made = discovery(Answer((ONE,), (b"polling=20", b"x=1")), Answer((), None))
    assert made.found == Found((), {"polling": 20}, (f"{NAME}: 'x' is no setting that the DNS can say",))
    assert discovery(Answer((ONE,), None)).found == Found((Collector("a.example.org"),))


SAID: list[tuple[list[bytes], dict[str, Any]]] = [
    ([], {}),
    ([b"txtvers=1", b""], {}),
    (
        [b"polling=20", b"Sampling=512", b"headerBytes=64"],
        {"polling": 20, "sampling": Sampling(512), "header_bytes": 64},
    ),
    ([b"polling=20", b"polling=30"], {"polling": 20}),
    ([b"sampling.1G=1000", b"sampling.10G=0x10"], {"sampling": Sampling(400, None, {10**9: 1000, 10**10: 16})}),
    ([b"sampling.bps_ratio=0", b"sampling=5"], {"sampling": Sampling(5, 0)}),
    ([b"sampling.app.a=5", b"polling.app.a=6", b"sampling.app.a=7"], {"applications": {"app.a": Application(5, 6)}}),
    (
        [b"agentIP=192.0.2.1", b"agent=eth0", b"dropLimit=7"],
        {"address": "192.0.2.1", "device": "eth0", "drops.limit": 7},
    ),
    (
        [b"agent.cidr=10.0.0.0/8", b"agent.cidr=!192.0.2.0/24"],
        {"prefer": (Prefix(ip_network("10.0.0.0/8")), Prefix(ip_network("192.0.2.0/24"), True))},
    ),
]


@pytest.mark.parametrize(("texts", "expected"), SAID)
def test_settings_of_txt_records(texts: list[bytes], expected: dict[str, Any]) -> None:
    assert settings(texts) == (expected, [])


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (b"polling", "'polling' is not as name=value"),
        (b"polling=301", "polling: '301' is not a whole number from 0 to 300"),
        (b"sampling=", "sampling: '' is not a whole number from 0 to 10000000"),
        (b"sampling.10X=5", "sampling.10X: '10x' is not a speed in bits a second, as 10G (K, M, G, T or P)"),
        (b"sampling.=5", "'sampling.' is no setting that the DNS can say"),
        (b"collector=192.0.2.1", "'collector' is no setting that the DNS can say"),
        (b"\xff\0=1", "is no setting that the DNS can say"),
        (b"dropLimit=0", "dropLimit: '0' is not a whole number from 1 to 10000"),
    ],
)
def test_what_is_wrong_is_named_and_the_others_count(text: bytes, wrong: str) -> None:
    found, remarks = settings([text, b"headerBytes=64"])
    assert found == {"header_bytes": 64}
    assert len(remarks) == 1
    assert wrong in remarks[0]


SERVICES = st.builds(Service, st.integers(0, 9), st.integers(0, 9), st.integers(-1, 70_000), st.text(max_size=8))
TEXTS = st.binary(max_size=12) | st.builds(
    lambda name, value: f"{name}={value}".encode(),
    st.sampled_from(
        ["polling", "sampling", "sampling.10G", "sampling.", "polling.a", "agent", "agent.cidr", "agentIP"]
    ),
    st.text(max_size=6),
)


@given(st.lists(SERVICES, max_size=5), st.lists(TEXTS, max_size=5), st.integers(-10, 1 << 32))
def test_whatever_is_answered_is_taken_or_named(services: list[Service], texts: list[bytes], ttl: int) -> None:
    made = discovery(Answer(tuple(services), tuple(texts), ttl))
    assert made.found is not None
    assert all("\n" not in remark for remark in made.found.remarks)
    assert 100 + LEAST <= made.next_at <= 100 + MOST
