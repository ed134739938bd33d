# SPDX-License-Identifier: Apache-2.0
"""``fleutan drops`` and ``fleutan lifecycle``, from the command line to what is written."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable

import pytest
from tests.bpf import needs_bpf
from tests.live.test_events import DROP, RETRANSMIT, Counted, drops_by, row

from fleutan.errors import UsageError
from fleutan.faces.cli import events, flows, main
from fleutan.faces.cli.asking import run_events
from fleutan.faces.cli.flows import Options
from fleutan.sources.capture import Reader

Ask = Callable[..., str]
ROWS = (row(DROP, 1, sport=81), row(DROP, 30, sport=82), row(RETRANSMIT, 5, proto=6))


def typed(*words: str) -> Options:
    return events.options_of(events.drops.make_context("drops", list(words)).params)


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """What is written, with these readings after each other."""

    def asked(*words: str, readings: int = 1) -> str:
        with Reader(source="netlink") as reader:
            run_events(typed("-i", "0.01", *words), reader, drops_by(Counted(*[ROWS] * readings)))
        return capsys.readouterr().out

    return asked


def test_the_most_packets_come_first(ask: Ask) -> None:
    heading, *lines = ask().splitlines()
    assert heading.split()[:4] == ["EVENT", "REASON", "PACKETS", "OWNER"]
    assert [line.split()[2] for line in lines] == ["30", "5", "1"]
    assert "127.0.0.1#82" in lines[0]


def test_an_order_and_fields_of_ones_own(ask: Ask) -> None:
    assert ask("--sort", "sport:asc", "--fields", "local,packets", "-H", "--top", "2").split() == [
        *("127.0.0.1#80", "5"),
        *("127.0.0.1#81", "1"),
    ]


def test_groups_are_ordered_by_packets(ask: Ask) -> None:
    heading, *lines = ask("-g", "event").splitlines()
    assert heading.split() == ["EVENT", "PACKETS", "SEGMENTS", "BYTES"]
    assert [line.split()[:2] for line in lines] == [["drop", "31"], ["retransmit", "5"]]


@pytest.mark.parametrize("fields", [(), ("--fields", "all")])
def test_a_document(ask: Ask, fields: tuple[str, ...]) -> None:
    document = json.loads(ask("--json", *fields))
    assert document["schema"] == "fleutan/drops/1"
    assert [found["packets"] for found in document["drops"]] == [30, 5, 1]
    assert {"reason", "meaning", "dev", "src", "pids"} <= set(document["drops"][0])


def test_rounds_follow_each_other(ask: Ask) -> None:
    lines = ask("--count", "2", "--jsonl", "event", "=", "retransmit", readings=2).splitlines()
    assert [json.loads(line)["packets"] for line in lines] == [5, 5]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--sort", "rtt", "-g", "event"), "groups are sorted by packets, segments, bytes"),
        (("--fields", "rtt"), "rtt is not known of drops"),
        (("--sort", "cwnd"), "cwnd is not known of drops"),
        (("-g", "state"), "state is not known of drops"),
    ],
)
def test_what_cannot_be_meant(ask: Ask, words: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ask(*words)


def test_lives_have_no_protocol_to_choose() -> None:
    lives, flows_ = ({found.name for found in command.params} for command in (events.lifecycle, flows.command))
    assert flows_ - lives >= {"tcp", "udp", "all_states", "vol"}
    assert {"filter", "interval", "group", "form", "netns"} <= lives
    assert {found.name for found in events.drops.params} - lives == {"tcp", "udp"}


@needs_bpf
@pytest.mark.parametrize(
    "words",
    [(), ("-g", "outcome,peer"), ("--fields", "all"), ("--sort", "duration", "--csv"), ("outcome", "=", "refused")],
)
def test_lives_of_this_host(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["lifecycle", "-i", "0.05", *words])
    said = capsys.readouterr()
    assert (ended.value.code, said.err) == (0, "")


def test_both_families_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["drops", "-4", "-6"])
    assert ended.value.code == 2
    assert "exclude each other" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["drops", "lifecycle"])
def test_an_interval_is_a_number(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "-i", "nan"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "fleutan: -i nan: say seconds, 86400 at most\n"


@needs_bpf
def test_this_host(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is promised of what a host drops, but what is said of it is a document."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM), pytest.raises(SystemExit) as ended:
        main(["drops", "-i", "0.05", "--json", "-N", "all"])
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["netns"] == "all"
