# SPDX-License-Identifier: Apache-2.0
"""Queueing disciplines of many kinds with packets in them: what we read is what tc says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.tc import COUNTS
from tests.vm.conftest import Sender

from fleutan.sources import queues
from fleutan.sources.queues import Snapshot

Row = dict[str, Any]

#: Where a packet of a discipline is: sent, waiting, or gone.
PLACES = ("qdisc_packets", "backlog_packets", "qdisc_drops")
SENT = 9
#: So slow that one packet passes at once and the next one after eight seconds.
SLOW = "rate 1kbit burst 1600"
#: Kind, options, whether they leave no room for all, and how the settings are told.
KINDS = [
    ("fq", "limit 4", True, None),
    (
        "fq_codel",
        "limit 4 target 7ms interval 150ms flows 64 quantum 1514 noecn",
        True,
        "limit 4p target 6.999ms interval 149.999ms flows 64 quantum 1514b",
    ),
    ("codel", "limit 4", True, "limit 4p target 4.999ms interval 99.999ms"),
    ("netem", "limit 4 delay 30ms 2ms", True, "limit 4p delay 30ms jitter 2ms"),
    ("sfq", "limit 4 perturb 10", True, "quantum 1514b perturb 10"),
    ("prio", "bands 4", False, "bands 4"),
    # Kinds of whose settings nothing is known.
    ("hhf", "limit 4", True, None),
    ("skbprio", "", False, None),
    ("pie", "limit 4", True, None),
]


def quiet(host: Sender) -> tuple[Snapshot, list[Row]]:
    """What we read and what tc says of veth0, while nothing changes."""
    for _ in range(20):
        first = queues.take(host.name)
        said = json.loads(host.run("tc", "-s", "-j", "qdisc", "show", "dev", "veth0"))
        if queues.take(host.name).spaces[0].qdiscs == first.spaces[0].qdiscs:
            return first, said
    raise AssertionError("the disciplines never were quiet")


def ours(snapshot: Snapshot, layer: str) -> dict[tuple[str, str], Row]:
    """The rows of veth0 by parent and handle."""
    rows = queues.qdiscs(snapshot).rows()
    return {(row["parent"], row["handle"]): row for row in rows if row["dev"] == "veth0" and row["layer"] == layer}


def agree(snapshot: Snapshot, said: list[Row]) -> dict[tuple[str, str], Row]:
    """Every discipline that tc names is there with the same counts, and no other."""
    found = ours(snapshot, "qdisc")
    theirs = {("root" if one.get("root") else one["parent"], one["handle"]): one for one in said}
    assert set(found) == set(theirs)
    for place, one in theirs.items():
        row = found[place]
        assert row["qdisc"] == one["kind"]
        assert {name: row[name] for name in COUNTS} == {name: one[word] for name, word in COUNTS.items()}, one["kind"]
    assert not snapshot.notes
    return found


@pytest.mark.parametrize(("kind", "options", "narrow", "told"), KINDS, ids=[kind for kind, *_ in KINDS])
def test_what_waits_and_what_is_dropped_is_what_tc_says(
    host: Sender, kind: str, options: str, narrow: bool, told: str | None
) -> None:
    host.discipline("root handle 1:", "tbf", f"{SLOW} limit 1000000")
    host.discipline("parent 1:1 handle 10:", kind, options)
    host.send(SENT)
    found = agree(*quiet(host))
    slow, own = found["root", "1:"], found["1:1", "10:"]
    assert own["qdisc_options"] == told
    assert (own["qdisc_drops"] > 0) == narrow
    assert own["backlog_packets"] > 0
    assert own["backlog_bytes"] == 1042 * own["backlog_packets"]
    assert slow["qdisc_packets"] + slow["backlog_packets"] + own["qdisc_drops"] == SENT


def test_the_bands_of_prio_add_up(host: Sender) -> None:
    host.discipline("root handle 1:", "tbf", f"{SLOW} limit 1000000")
    host.discipline("parent 1:1 handle 10:", "prio", "bands 3 priomap 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1")
    for count, priority in ((2, 6), (3, 0), (4, 2)):
        host.send(count, priority)
    snapshot, said = quiet(host)
    prio = agree(snapshot, said)["1:1", "10:"]
    bands = ours(snapshot, "class")
    assert set(bands) == {("10:", f"10:{band}") for band in (1, 2, 3)}
    for name in ("qdisc_packets", "qdisc_bytes", "qdisc_drops", "backlog_packets", "backlog_bytes"):
        assert sum(row[name] for row in bands.values()) == prio[name]
    placed = [bands["10:", f"10:{band}"] for band in (1, 2, 3)]
    assert [row["qdisc_packets"] + row["backlog_packets"] for row in placed] == [2, 3, 4]


def test_the_queues_of_mqprio_are_fed_by_their_own(host: Sender) -> None:
    host.discipline("root handle 100:", "mqprio", "num_tc 2 map 0 1 0 1 queues 2@0 2@2 hw 0")
    for queue in range(1, 5):
        host.discipline(f"parent 100:{queue} handle 1{queue}:", "tbf", f"{SLOW} limit 2100")
    for priority in range(4):
        host.send(5, priority)
    snapshot, said = quiet(host)
    found = agree(snapshot, said)
    mqprio = found["root", "100:"]
    assert mqprio["qdisc_drops"] > 0
    assert sum(mqprio[name] for name in PLACES) == 20
    rows = [row for row in queues.queues(snapshot).rows() if (row["dev"], row["direction"]) == ("veth0", "tx")]
    assert [(row["queue"], row["qdisc"], row["handle"]) for row in rows] == [
        (queue, "tbf", f"1{queue + 1}:") for queue in range(4)
    ]
    for name in COUNTS:
        fed = [found[f"100:{queue}", f"1{queue}:"][name] for queue in range(1, 5)]
        assert [row[name] for row in rows] == fed
        assert mqprio[name] == sum(fed)
    seen = [sum(row[name] for name in PLACES) for row in rows]
    assert [sum(seen[:2]), sum(seen[2:])] == [10, 10]
