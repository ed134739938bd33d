# SPDX-License-Identifier: Apache-2.0
"""Questions to recorded captures, and one to this host."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from fleutan.errors import FilterError, UsageError
from fleutan.exports import csv
from fleutan.exports import json as json_export
from fleutan.fields import FIELDS
from fleutan.linux.namespaces import Namespace
from fleutan.linux.proc import Holders
from fleutan.live import CONNECTED, Asked, Question, ask, host_name
from fleutan.sources.capture import Capture, Dump, NamespaceDump
from fleutan.sources.words import PROTOCOLS
from fleutan.table import Table

DATA = Path(__file__).parent / "data"
HERE = Namespace(4026531840, "host", "/here")
SECOND = 10**9
NUMBERS = {name: number for number, name in PROTOCOLS.items()}
TIMED = ("change", "tx_rate", "acked_rate", "rx_rate", "segs_out_rate", "segs_in_rate", "retrans_rate")


def capture(
    *names: str, reader: Literal["netlink", "bpf"] = "netlink", seconds: int = 0, holders: Holders | None = None
) -> Capture:
    """Recorded sockets of these protocols, as if read so many seconds after the first time."""
    folder = DATA / ("inetdiag" if reader == "netlink" else "iterators")
    dumps = [Dump(NUMBERS[name], reader, (folder / f"{name}.bin").read_bytes()) for name in names]
    at = seconds * SECOND
    return Capture(10**18 + at, at, [NamespaceDump(HERE, {1: "lo"}, dumps)], holders, "a test", [])


EVERYTHING = capture("tcp", "udp", "mptcp")
#: The recorded sockets had been used just before.
AT_ONCE = {"idle_ms": 0}


def answer(question: Question, to: Capture = EVERYTHING, before: Capture | None = None) -> Table:
    return Asked(question).answer(to, before)


def counts(table: Table, name: str) -> dict[Any, int]:
    values = table[name].tolist()
    return {value: values.count(value) for value in dict.fromkeys(values)}


# -- scope


def test_connected_sockets_are_meant_unless_told() -> None:
    states = counts(answer(Question()), "state")
    assert set(states) == {"established", "syn-sent", "fin-wait-2", "close-wait"}
    assert set(states) <= set(CONNECTED)
    assert set(counts(answer(Question(states="listening")), "state")) == {"listen", "close"}
    everything = counts(answer(Question(states="all")), "state")
    assert sum(everything.values()) == 24 + 6 + 3
    assert {"time-wait", "syn-recv"} <= set(everything)


def test_a_filter_that_names_a_state_chooses_among_all() -> None:
    assert counts(answer(Question("state time-wait")), "state") == {"time-wait": 2}
    assert set(counts(answer(Question("not state established")), "state")) > {"listen", "time-wait"}
    assert set(counts(answer(Question("state all", states="listening")), "state")) == {"listen", "close"}
    assert counts(answer(Question("sport > 0", also=("state listening",))), "state") == {"listen": 5}


def test_protocols_and_families_narrow_the_scope() -> None:
    assert counts(answer(Question(protos=("tcp", "mptcp"), states="all")), "proto") == {"tcp": 24, "mptcp": 3}
    assert counts(answer(Question(family="ipv6", protos=("udp",), states="all")), "proto") == {"udp": 2}


# -- filters


def test_all_filters_have_to_hold() -> None:
    one = answer(Question("cong = bbr", also=("has rtt", "family ipv4")))
    assert counts(one, "family") == {"ipv4": len(one)}
    assert counts(one, "cong") == {"bbr": len(one)}
    assert 0 < len(one) < len(answer(Question("cong = bbr")))
    assert len(answer(Question("  ", also=("",)))) == len(answer(Question()))


def test_computed_fields_can_be_asked_for_and_filtered_by() -> None:
    every = answer(Question(fields=("limit", "hint", "bdp"), thresholds=AT_ONCE))
    idle = answer(Question("limit = idle", fields=("evidence",), thresholds=AT_ONCE))
    assert {"limit", "hint", "bdp"} <= set(every.columns)
    assert "evidence" not in every
    assert len(idle) == counts(every, "limit")["idle"] > 0
    assert counts(idle, "limit") == {"idle": len(idle)}
    assert all("nothing sent or received" in said for said in idle["evidence"])


def test_thresholds_decide() -> None:
    every = answer(Question("tcp", fields=("limit",)))
    hasty = answer(Question("tcp", fields=("limit",), thresholds=AT_ONCE))
    assert "idle" not in counts(every, "limit")
    assert counts(hasty, "limit")["idle"] > 9


def test_owners_can_be_filtered_by() -> None:
    inode = int(answer(Question("udp"))["inode"].max())
    held = replace(EVERYTHING, holders=Holders([4_111_222], [inode], 0))
    table = answer(Question("pid = 4111222", fields=("pids",)), held)
    assert (table["pids"].tolist(), table["inode"].tolist()) == ([(4_111_222,)], [inode])
    assert len(answer(Question("pid = 1"), held)) == 0


def test_nothing_matches_a_filter_that_nothing_can_match() -> None:
    assert len(answer(Question("not all"))) == 0
    assert len(answer(Question("all"))) == len(answer(Question()))


# -- what is wrong is said before anything is read


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (Question(fields=("rtt", "rttt")), "no field is called 'rttt'; did you mean rtt?"),
        (Question(thresholds={"idle": 1}), "no threshold of the limits is called 'idle'; did you mean idle_ms?"),
        (Question(states="open"), "no states are called 'open'; there are connected, listening, all"),  # type: ignore[arg-type]
        (Question("rtt >"), "a value must follow"),
        (Question(also=("rtt >",)), "a value must follow"),
        (Question("direction = tx"), "direction is not known of flows; 'fleutan fields' lists what is"),
        (Question(demanded=frozenset({"reason"})), "reason is not known of flows"),
    ],
)
def test_wrong_questions(question: Question, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ask(question, netns="no such namespace")


@pytest.mark.parametrize("name", TIMED)
def test_a_filter_over_an_interval_needs_one(name: str) -> None:
    question = Question(f"has {name}")
    with pytest.raises(UsageError, match=f"{name} is only known over an interval: say how many seconds"):
        ask(question, netns="no such namespace")
    with pytest.raises(UsageError, match="only known over an interval"):
        answer(question)
    assert len(answer(question, capture("tcp", seconds=1), capture("tcp"))) >= 0


@pytest.mark.parametrize("interval", [0, -1.0, float("nan"), float("inf")])
def test_an_interval_is_a_number_above_0(interval: float) -> None:
    with pytest.raises(UsageError, match="say a number above 0"):
        ask(Question(), netns="no such namespace", interval=interval)


def test_an_unknown_namespace_is_a_wrong_question() -> None:
    with pytest.raises(UsageError, match="no network namespace called 'no such namespace'"):
        ask(Question(), netns="no such namespace")


def test_what_only_the_database_finds_wrong_is_a_wrong_filter() -> None:
    with pytest.raises(FilterError, match="cannot be evaluated"):
        answer(Question("cong ~ '(a{600}){600}'"))


# -- fields


def test_aliases_keys_and_repetitions_give_one_column() -> None:
    table = answer(Question(fields=("rtt", "rtt_us", "RTT", "peer", "dst", "tx")))
    assert [name for name in table.columns if name in ("rtt", "dst", "bytes_sent")] == ["dst", "bytes_sent", "rtt"]


def test_every_field_can_be_asked_for() -> None:
    names = tuple(field.name for field in FIELDS)
    table = answer(Question(fields=names, states="all"), capture("tcp", "udp", reader="bpf"))
    assert set(table.columns) == set(names)
    timed = answer(
        Question(fields=names, states="all"),
        capture("tcp", "udp", reader="bpf", seconds=2),
        capture("tcp", "udp", reader="bpf"),
    )
    assert set(timed.columns) == set(names)


@pytest.mark.parametrize(
    ("question", "way"),
    [
        (Question(fields=("cpu", "bbr_bw")), "auto"),
        (Question(demanded=frozenset({"cpu"})), "bpf"),
        (Question(demanded=frozenset({"dev"})), "bpf"),
        (Question("tx_queue = 1"), "bpf"),
        (Question(demanded=frozenset({"bbr_bw"})), "netlink"),
        (Question("rtt > 1ms"), "auto"),
    ],
)
def test_the_way_of_reading_follows_from_what_is_demanded(question: Question, way: str) -> None:
    assert Asked(question).answer_by == way


# -- intervals


def test_two_captures_give_rates_over_the_steady_time_between_them() -> None:
    before, after = capture("tcp"), capture("tcp", seconds=4)
    after.at_ns = before.at_ns - 3600 * SECOND  # the clock was set back
    table = answer(Question("tcp", fields=TIMED), after, before)
    assert table.reading.interval_ns == 4 * SECOND
    assert table.reading.at_ns == after.at_ns
    assert table.reading.notes == ()
    assert counts(table, "change") == {None: len(table)}
    assert {rate for rate in table["tx_rate"].tolist() if rate is not None} == {0}


def test_a_process_that_ends_before_the_answer_keeps_its_name() -> None:
    inode = answer(Question("proto = udp", fields=("inode",), states="all"))["inode"].max()
    asked = Asked(Question(fields=("comm", "change"), states="all"))
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as held:
        before = capture("tcp", "udp", holders=Holders([held.pid], [int(inode)], 0))
        table = asked.look(before)
        assert asked.look(before) is table
        held.communicate()
    found = asked.answer(capture("tcp", seconds=1, holders=Holders([], [], 0)), before)
    assert [name for name in found["comm"].tolist() if name] == [name for name in table["comm"].tolist() if name] != []


def test_without_time_in_between_there_are_no_rates_and_a_note_says_so() -> None:
    table = answer(Question(fields=TIMED), EVERYTHING, EVERYTHING)
    assert counts(table, "tx_rate") == {None: len(table)}
    assert len(table.reading.notes) == 1


def test_everything_may_have_vanished_or_appeared() -> None:
    some, none = capture("tcp"), capture(seconds=1)
    gone = answer(Question(fields=(*TIMED, "limit", "bdp")), none, some)
    assert counts(gone, "change") == {"vanished": len(gone)}
    assert len(gone) == len(answer(Question(), some))
    assert counts(gone, "limit") == {None: len(gone)}
    fresh = answer(Question(fields=TIMED), capture("tcp", seconds=5), replace(none, steady_ns=SECOND))
    assert counts(fresh, "change") == {"appeared": len(fresh)}
    sent = fresh["tx_rate"]
    assert sent.max() > 0


def test_verdicts_over_an_interval_are_those_of_the_interval() -> None:
    question = Question("state established and tcp", fields=("limit", "evidence", "bdp", "bytes_sent"))
    alone = answer(question, capture("tcp", seconds=2))
    timed = answer(question, capture("tcp", seconds=2), capture("tcp"))
    assert alone["bytes_sent"].tolist() == timed["bytes_sent"].tolist()
    assert counts(timed, "limit") != counts(alone, "limit")
    filtered = answer(replace(question, filter="limit = idle"), capture("tcp", seconds=2), capture("tcp"))
    assert len(filtered) == counts(timed, "limit")["idle"]


# -- nothing at all


@pytest.mark.parametrize("filter_", ["", "rtt > 1ms and pid = 1", "limit = idle", "comm = nginx or dst 10/8"])
@pytest.mark.parametrize("timed", [False, True])
def test_a_host_without_sockets_answers_every_question(filter_: str, timed: bool) -> None:
    names = tuple(field.name for field in FIELDS)
    table = answer(Question(filter_, fields=names), capture(seconds=1), capture() if timed else None)
    assert len(table) == 0
    assert set(table.columns) == set(names)
    document = json.loads(b"".join(json_export.document(table, {"schema": "x"})))
    assert document == {"schema": "x", "flows": []}
    assert b"".join(csv.lines(table)).count(b"\n") == 1
    assert b"".join(json_export.lines(table)) == b""
    assert table.sql("SELECT count(*) FROM flows").rows == [(0,)]
    assert len(table.pandas()) == len(table.polars()) == 0


# -- this host


def test_this_host_is_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client, server.accept()[0]:
            own = f"host 127.0.0.1 and port {port}"
            found = ask(Question(own, fields=("service", "comm"), states="all"), source="netlink")
            assert sorted(found["sport"].tolist()) == sorted([port, port, client.getsockname()[1]])
            assert counts(found, "service") == {port: 3}
            assert found.reading.host == host_name() == socket.gethostname()
            timed = ask(Question(own, fields=("tx_rate", "change")), source="netlink", interval=0.05)
            assert counts(timed, "tx_rate") == {0: 2}
            assert timed.reading.interval_ns >= 0.05 * SECOND
    assert np.all(found.column("owner").mask())


@pytest.mark.parametrize(
    ("question", "noted"),
    [
        (Question(), True),
        (Question(filter="sport = 1"), False),
        (Question(filter="sport = 1 or comm = nobody"), True),
    ],
)
def test_missing_owners_are_noted_where_they_could_matter(question: Question, noted: bool) -> None:
    without = replace(capture("tcp", holders=Holders([], [], 3)), unreadable="3 processes")
    table = answer(question, without)
    assert len(table) == 0 or not question.filter
    assert any("no known owner" in note for note in table.reading.notes) is noted
