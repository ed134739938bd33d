# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable

import pytest

from fleutan.errors import UsageError
from fleutan.faces.cli.flows import Options
from fleutan.faces.cli.plans import Plan, is_timed, plan, quoted, sections_of
from fleutan.fields import BY_NAME
from fleutan.query import filter as filters
from fleutan.views.flows import COMPUTED_FIELDS, INTERVAL_FIELDS, MACHINE_FIELDS, TRAFFIC_FIELDS

Typed = Callable[..., Options]
Planned = Callable[..., Plan]


@pytest.fixture
def planned(options: Typed) -> Callable[..., Plan]:
    return lambda *words: plan(options(*words))


def test_a_plain_question(planned: Planned) -> None:
    found = planned()
    assert found.view.name == "flows"
    assert found.columns == found.view.columns
    assert not found.timed
    assert found.sort == ""
    assert found.by == ()
    assert found.steps_ms == (10, 20, 100)
    question = found.question
    assert (question.filter, question.also, question.protos, question.family) == ("", (), (), "")
    assert question.states == "connected"
    assert not question.demanded
    assert {"src", "dport", "proc", "rtt", "bytes_sent"} <= set(question.fields)
    assert "local" not in question.fields


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (("tcp", "and", "dport", "443"), "filter", "tcp and dport 443"),
        (("-t",), "protos", ("tcp", "mptcp")),
        (("-u",), "protos", ("udp", "udplite")),
        (("-t", "-u"), "protos", ("tcp", "mptcp", "udp", "udplite")),
        (("--lat", "-t", "-u"), "protos", ("tcp", "mptcp")),
        (("--limits",), "protos", ("tcp", "mptcp")),
        (("-4",), "family", "ipv4"),
        (("-6",), "family", "ipv6"),
        (("-a",), "states", "all"),
        (("-l",), "states", "listening"),
        (("-a", "-l"), "states", "listening"),
        (("-p", "12", "-p", 'a"b\\c'), "also", ('pid = 12 or comm = "a\\"b\\\\c"',)),
        (("-p", "a-name-that-is-longer"), "also", ('comm = "a-name-that-is-"',)),
        (("--fields", "peer,tx"), "demanded", frozenset({"dst", "bytes_sent"})),
        (("--fields", "all"), "demanded", frozenset()),
        (("-g", "cpu", "--sort", "rtt"), "demanded", frozenset({"cpu", "rtt"})),
        (("--limits", "--threshold", "loss_share = 0.5"), "thresholds", {"loss_share": 0.5}),
    ],
)
def test_options_make_the_question(words: tuple[str, ...], name: str, value: object, planned: Planned) -> None:
    assert getattr(planned(*words).question, name) == value


@pytest.mark.parametrize("name", ['"', "\\", "a b", "naïve", "x" * 15])
def test_a_quoted_name_means_itself(name: str) -> None:
    found = filters.parse(f"comm = {quoted(name)}")
    assert repr(name) in repr(found) or name in str(found)


@pytest.mark.parametrize(
    ("words", "columns"),
    [
        (("--fields", "Peer,rtt_us,rtt,local"), ("dst", "rtt", "local")),
        (("--fields", "LOCAL,remote", "--json"), ("src", "sport", "dst", "dport")),
        (("--json",), MACHINE_FIELDS),
        (("--csv", "-i", "1"), (*MACHINE_FIELDS, *INTERVAL_FIELDS)),
        (("--vol", "--json"), (*MACHINE_FIELDS, "cwnd_bytes", "cwnd_rate", "bdp", "retrans_share")),
        (("--limits", "--jsonl"), (*MACHINE_FIELDS, "limit", "evidence", "hint")),
    ],
)
def test_columns(words: tuple[str, ...], columns: tuple[str, ...], planned: Planned) -> None:
    assert planned(*words).columns == columns


def test_all_fields_are_those_that_flows_have(planned: Planned) -> None:
    once, twice = planned("--fields", "all").columns, planned("--fields", "all", "-i", "1").columns
    assert set(twice) - set(once) == {*INTERVAL_FIELDS, *TRAFFIC_FIELDS}
    assert set(twice) >= {*MACHINE_FIELDS, *COMPUTED_FIELDS}
    assert all(BY_NAME[name].of_flows for name in twice)


@pytest.mark.parametrize("words", [("-i", "1"), ("--watch",), ("--count", "2", "-i", "1")])
def test_two_readings(words: tuple[str, ...], planned: Planned, options: Typed) -> None:
    assert is_timed(options(*words))
    assert planned(*words).columns == planned(*words).view.with_interval
    assert {"tx_rate", "change"} <= set(planned(*words).question.fields)
    assert "tx_rate" in planned(*words, "-g", "proc").question.fields


@pytest.mark.parametrize("view", ["--lat", "--vol", "--limits"])
def test_every_view_asks_for_what_it_draws(view: str, planned: Planned) -> None:
    found = planned(view)
    assert found.view.name != "flows"
    assert set(found.view.order) <= set(found.question.fields)
    assert "rtt" in planned(view, "--fields", "comm").question.fields or view == "--vol"


def test_groups(planned: Planned) -> None:
    found = planned("-g", "peer, proc,peer", "--sort", "rtt")
    assert found.by == ("dst", "proc")
    assert found.sort == "rtt_us_p50"
    assert planned("-g", "proc", "--sort", "retrans_share:desc").sort == "retrans_share"
    assert planned("--limits", "-g", "proc").by == ("proc", "limit")
    assert "limit" in planned("--limits", "-g", "proc").question.fields
    assert "rtt" in planned("--lat", "-g", "proc").question.fields


@pytest.mark.parametrize(
    ("words", "name", "table", "places"),
    [
        (("-q",), "queues", "volumes", ("dev", "direction", "queue")),
        (("--cpu",), "cpus", "processes", ("cpu", "direction")),
        (("--cpu", "load"), "load", "cpus", ("cpu", "direction")),
    ],
)
def test_places(words: tuple[str, ...], name: str, table: str, places: tuple[str, ...], planned: Planned) -> None:
    found = planned(*words)
    assert (found.view.name, found.view.table, found.timed, found.by) == (name, table, True, ())
    assert found.columns == sections_of(found.view)[table]
    assert {*TRAFFIC_FIELDS, "proc", "pids"} <= set(found.question.fields)
    assert not found.question.demanded
    assert ("bdp" in found.question.fields) == (name == "load")
    assert set(MACHINE_FIELDS) <= set(planned(*words, "--json").question.fields)
    assert planned(*words, "-g", "peer").by == ("dst", *places)
    assert planned(*words, "-g", "unit", "--sort", "packets").sort == "packets"
    assert "unit" in planned(*words, "-g", "unit").question.fields


def test_columns_of_places(planned: Planned) -> None:
    assert planned("-q", "--fields", "Local,bytes,proc", "--sort", "packets:asc").columns == ("local", "bytes", "proc")
    assert planned("-q", "--fields", "local", "--json").columns == ("src", "sport")
    assert planned("--cpu", "--fields", "all").columns == planned("--cpu").columns


def test_sorting(planned: Planned) -> None:
    assert planned("--sort", "rtt").sort == "-rtt"
    assert planned("--sort", "comm").sort == "comm"
    assert "cookie" in planned("--sort", "cookie", "--json").question.fields


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--fields", ","), "--fields ',' names no field"),
        (("--fields", ""), "--fields '' names no field"),
        (("--fields", "rttt"), "did you mean rtt?"),
        (("-g", ","), "--group ',' names no field"),
        (("-g", "proz"), "did you mean proc?"),
        (("-g", "rtt"), "cannot group by rtt"),
        (("--sort", "rttt"), "did you mean rtt?"),
        (("--sort", "rtt:up"), "after ':' comes asc or desc"),
        (("-g", "proc", "--sort", "rtt:asc"), "leave out ':asc'"),
        (("-g", "proc", "--sort", "comm"), "--sort comm: groups are sorted by flows, bytes_sent"),
        (("-g", "proc", "--sort", "nonsense"), "groups are sorted by"),
        (("-g", "proc", "--sort", "tx_rate"), "groups are sorted by flows"),
        (("--sort", "tx_rate"), "tx_rate is known over an interval only: say how long with -i SECS"),
        (("--fields", "change"), "change is known over an interval only"),
        (("-g", "change"), "change is known over an interval only"),
        (("--bins", "cubic"), "say log, quantile or linear"),
        (("--thresh", "1,x"), "say milliseconds"),
        (("--thresh", ""), "say milliseconds"),
        (("--thresh", "2,1"), "have to ascend"),
        (("--thresh", "-1"), "have to ascend"),
        (("--thresh", "nan"), "have to ascend"),
        (("--thresh", "1,2,3,4"), "3 steps at most"),
        (("--threshold", "loss_share"), "say NAME=NUMBER"),
        (("--threshold", "loss_share=inf"), "say a finite number"),
        (("--lat", "-u"), "--lat and -u exclude each other"),
        (("--limits", "-u"), "--limits and -u exclude each other"),
        (("-q", "--fields", "rtt"), "rtt is not known here; there are netns,"),
        (("--cpu", "--fields", "local"), "local is not known here; there are pid"),
        (("--cpu", "--sort", "bytes"), "bytes is not known here"),
        (("-q", "-g", "proc", "--sort", "rtt"), "groups are sorted by packets, segments, bytes"),
    ],
)
def test_what_cannot_be_meant(words: tuple[str, ...], said: str, planned: Planned) -> None:
    with pytest.raises(UsageError) as trouble:
        planned(*words)
    assert said in str(trouble.value)
    assert "\n" not in str(trouble.value)


def test_bins_are_checked_where_they_are_set(planned: Planned) -> None:
    assert planned("--bins", "linear:5").options.bins == "linear:5"
