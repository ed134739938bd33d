# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from fleutan.analysis.paths import Hop, Path, Router, flows_of, loads, merged, steps, table
from fleutan.column import text_column
from fleutan.table import Reading, Table


def hop(ttl: int, *routers: str, rtt: float = 0.0, lost: int = 0) -> Hop:
    rtts = (rtt or ttl * 1000.0,)
    return Hop(ttl, tuple(Router(address, rtts) for address in routers), max(len(routers), 1) + lost, lost)


def path(*hops: str, method: str = "flow", name: str = "", destination: str = "") -> Path:
    """Hops as words; ``*`` is a silent one, ``a,b`` two routers."""
    made = [hop(ttl, *([] if word == "*" else word.split(",")), lost=word == "*") for ttl, word in enumerate(hops, 1)]
    return Path(name, method, tuple(made), destination=destination or hops[-1])


def test_equal_paths_are_one_and_have_the_answers_of_all() -> None:
    found, places = merged([path("a", "b", "z"), path("a", "c", "z"), path("a", "b", "z")])
    assert [one.id for one in found] == ["p0", "p1"]
    assert places == [0, 1, 0]
    assert found[0].hops[1].routers[0].rtts_us == (2000.0, 2000.0)
    assert (found[0].hops[1].sent, found[0].hops[1].lost) == (2, 0)


def test_a_hop_that_was_silent_for_one_may_have_answered_for_another() -> None:
    found, places = merged([path("a", "*", "z"), path("a", "b", "z"), path("a", "b", "z", method="syn")])
    assert places == [0, 0, 1]
    assert [router.address for router in found[0].hops[1].routers] == ["b"]
    assert found[0].hops[1].loss == pytest.approx(1 / 3)


@pytest.mark.parametrize("other", [path("a", "b", "c", "z"), path("a", "b", "y"), path("a", "b", "z", destination="x")])
def test_what_differs_is_another_path(other: Path) -> None:
    assert merged([path("a", "b", "z"), other])[1] == [0, 1]


def test_the_end_is_that_of_the_one_that_came_through() -> None:
    assert merged([path("a", "z")._replace(ended="silent"), path("a", "z")])[0][0].ended == "reached"
    assert merged([]) == ([], [])


def test_what_crosses_each_router_and_each_link() -> None:
    paths = [path("a", "b", "z", name="p0"), path("a", "c", "z", name="p1"), path("a", "*", "y", name="p2")]
    routers, links = loads(paths, {"p0": [10.0, 20.0], "p1": [5.0], "p2": [1.0]})
    assert [(one.head, one.rate, one.flows) for one in routers] == [
        ("a", 36.0, 4),
        ("z", 35.0, 3),
        ("b", 30.0, 2),
        ("c", 5.0, 1),
        ("y", 1.0, 1),
    ]
    assert [(one.tail, one.head, one.rate) for one in links][:3] == [
        ("", "a", 36.0),
        ("a", "b", 30.0),
        ("b", "z", 30.0),
    ]
    assert ("a", "y", 1.0, 1) in links


def test_routers_at_one_hop_share_what_crosses_it() -> None:
    routers, links = loads([path("a,b", "z", name="p0")], {"p0": [8.0]})
    assert {one.head: one.rate for one in routers} == {"a": 4.0, "b": 4.0, "z": 8.0}
    assert {(one.tail, one.head): one.rate for one in links} == {
        ("", "a"): 4.0,
        ("", "b"): 4.0,
        ("a", "z"): 4.0,
        ("b", "z"): 4.0,
    }


def test_where_time_comes_in() -> None:
    way = Path(
        "p0", "flow", (hop(1, "a", rtt=100), hop(2, "b", rtt=5000), hop(3, "c", rtt=5100), hop(4, "z", rtt=9000))
    )
    assert [(step.ttl, step.added_us, step.slow_reply) for step in steps(way)] == [
        (1, 100.0, False),
        (2, 4900.0, False),
        (3, 100.0, False),
        (4, 3900.0, False),
    ]


def test_a_hop_that_answers_slowly_but_forwards_at_once_is_not_blamed() -> None:
    way = Path("p0", "flow", (hop(1, "a", rtt=100), hop(2, "b", rtt=9000), hop(3), hop(4, "z", rtt=400)))
    found = steps(way)
    assert [(step.added_us, step.slow_reply) for step in found] == [
        (100.0, False),
        (300.0, True),
        (None, False),
        (0, False),
    ]


@pytest.mark.parametrize(("after", "is_slow"), [(9100.0, False), (8900.0, True)])
def test_a_tenth_less_beyond_is_no_slow_reply(after: float, is_slow: bool) -> None:
    assert steps(Path("p0", "flow", (hop(1, "a", rtt=10_000.0), hop(2, "z", rtt=after))))[0].slow_reply is is_slow


def test_less_beyond_than_answers_lie_apart_is_no_slow_reply() -> None:
    apart = Hop(1, (Router("a", (10_000.0, 14_000.0, 18_000.0)),), 3)
    for after, is_slow in ((6001.0, False), (5999.0, True)):
        assert steps(Path("p0", "flow", (apart, hop(2, "z", rtt=after))))[0].slow_reply is is_slow


def test_loss_that_goes_on_to_the_end_comes_in_where_it_begins() -> None:
    hops = (
        Hop(1, (Router("a", (1.0,)),), 10, 0),
        Hop(2, (Router("b", (1.0,)),), 10, 8),  # answers few
        Hop(3, (Router("c", (1.0,)),), 10, 3),
        Hop(4, (Router("z", (1.0,)),), 10, 4),
        Hop(5, (), 0, 0),
    )
    assert [step.loss for step in steps(Path("p0", "icmp", hops))] == [0.0, 0.3, 0.0, pytest.approx(0.1), None]


def test_how_far_answers_lie_apart() -> None:
    [step] = steps(Path("p0", "icmp", (Hop(1, (Router("a", (1.0, 2.0, 3.0, 4.0, 5.0)),), 5),)))
    assert step.spread_us == 2.0
    [step] = steps(Path("p0", "icmp", (hop(1, "a"),)))
    assert step.spread_us is None
    assert steps(Path("p0", "icmp", ())) == []


def test_a_destination_that_kept_silent() -> None:
    silent = Path("p0", "flow", (hop(1, "a"), Hop(2, (), 3, 3)), destination="z")
    assert silent.inferred
    assert [silent.at(each) for each in silent.hops] == [frozenset("a"), frozenset("z")]
    assert silent.rtt_us is None
    assert [step.loss for step in steps(silent)] == [0.0, None]
    gone = silent._replace(ended="silent")
    assert not gone.inferred
    assert gone.at(gone.hops[-1]) == frozenset()
    assert [step.loss for step in steps(gone)] == [0.0, 1.0]


def test_the_round_trip_time_of_a_path() -> None:
    assert path("a", "b,z").rtt_us == 2000.0
    assert path("a", "b")._replace(ended="last").rtt_us is None
    assert Path("p0", "flow", ()).rtt_us is None
    assert not Path("p0", "flow", ()).inferred


def test_the_flows_of_each_path() -> None:
    reading = Reading("web1", "host", 0, 0, "", ())
    column = text_column(["p1", None, "p0", "p1"])
    found = flows_of(Table("flows", {"path": column}, reading))
    assert {name: rows.tolist() for name, rows in found.items()} == {"p1": [0, 3], "p0": [2]}
    assert list(flows_of(Table("flows", {"path": column.take(np.array([1, 2]))}, reading))) == ["p0"]
    assert flows_of(Table("flows", {}, reading)) == {}


def test_a_flow_that_goes_in_a_circle_is_counted_once() -> None:
    routers, links = loads([path("a,b", "c", "a", "c", name="p0")], {"p0": [8.0, 2.0]})
    assert [(one.head, one.rate, one.flows) for one in routers] == [("a", 10.0, 2), ("c", 10.0, 2), ("b", 5.0, 2)]
    assert {(one.tail, one.head): one.rate for one in links}["a", "c"] == 10.0


def test_paths_as_a_table() -> None:
    flows = Table("flows", {"path": text_column(["p0", None, "p1", "p0"])}, Reading("mine"))
    near = Path("p0", "flow", (hop(1, "10.0.0.1"), hop(2, "10.9.0.77", lost=1)), destination="10.9.0.77")
    gone = Path("p1", "syn", (hop(1, lost=2),), "silent", "2001:db8::9")
    found = table([near, gone], flows)
    first, second = found.rows()
    assert (first["path"], first["dst"], first["hop_count"], first["rtt_us"], first["path_loss"]) == (
        *("p0", "10.9.0.77", 2, 2000, 0.5),
    )
    assert (first["path_end"], first["connections"], first["via"]) == ("reached", 2, "10.0.0.1 10.9.0.77")
    assert (second["method"], second["dst"], second["rtt_us"], second["via"]) == ("syn", "2001:db8::9", None, "*")
    assert (found.kind, found.reading.host) == ("paths", "mine")
    assert len(table([], flows)) == 0


def test_equal_paths_keep_how_their_hops_are_balanced_and_linked() -> None:
    spread = hop(2, "b", "c")._replace(balancing="per flow", links=(("a", "b"), ("a", "c")))
    one = Path("", "udp", (hop(1, "a"), spread))
    [found], _ = merged([one, one])
    assert (found.hops[1].balancing, found.hops[1].links) == (spread.balancing, spread.links)
    assert found.goes("a", "b")
    assert not found.goes("x", "b")
    assert found.goes("", "a")
