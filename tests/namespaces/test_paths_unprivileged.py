# SPDX-License-Identifier: Apache-2.0
"""``fleutan paths`` as nobody, without any capability: UDP sockets instead of raw ones."""

from __future__ import annotations

import json
import shutil
import subprocess
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from tests.namespaces.conftest import Host, World
from tests.namespaces.test_paths import Town, routers, town, wire  # noqa: F401 - fixtures

Row = dict[str, Any]
pytestmark = pytest.mark.skipif(not shutil.which("clang"), reason="needs clang")

NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set=-all")
MIDDLE = {4: "10.2.{}.2", 6: "fd00:2:{}::2"}
ENDS = {4: ("10.1.0.2", "10.4.0.2"), 6: ("fd00:1::2", "fd00:4::2")}


def run(host: Host, *words: str) -> subprocess.CompletedProcess[str]:
    return host.fleutan("paths", *words, "--json", before=NOBODY)


def asked(host: Host, *words: str) -> tuple[Row, list[str]]:
    """The answer, and the notes about paths."""
    done = run(host, *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), [line for line in done.stderr.splitlines() if "owners" not in line]


@pytest.mark.parametrize("version", [4, 6])
def test_flows_are_traced_beside_and_a_note_says_what_is_missing(town: Town, version: int) -> None:  # noqa: F811
    first, end = ENDS[version]
    *_, port = town.connected(3, end)
    found, notes = asked(town.near, "dport", str(port), "-w", "5")  # a machine that is busy answers late
    [path] = found["paths"]
    way = routers(path)
    assert (path["method"], path["ended"], len(way)) == ("udp", "reached", 4)
    assert (way[0], way[3]) == ([first], [end])
    middle = {str(ip_address(MIDDLE[version].format(number))) for number in range(4)}
    assert len(way[1]) == 1  # all its probes went one way
    assert middle.issuperset(way[1])
    assert {row["path"] for row in found["flows"]} == {path["id"]}
    assert all(router["rtt_us"] and min(router["rtt_us"]) > 0 for hop in path["hops"] for router in hop["routers"])
    assert [hop["lost"] for hop in path["hops"][:3]] == [0] * 3  # the far host answers a few a second
    [note] = [note for note in notes if "CAP_NET_RAW" in note]
    assert "not inside the flows but by UDP sockets" in note


def test_several_destinations_side_by_side(town: Town) -> None:  # noqa: F811
    ends = {"10.4.0.2": 4, "10.1.0.2": 1, "fd00:4::2": 4, "fd00:1::2": 1, "10.2.1.2": 2}
    found, _ = asked(town.near, "--dsts", ",".join(ends))
    assert {path["destination"] for path in found["paths"]} == set(ends)
    assert {path["ended"] for path in found["paths"]} == {"reached"}
    for path in found["paths"]:
        assert routers(path)[-1] == [path["destination"]]
        assert len(path["hops"]) == ends[path["destination"]]


def test_a_forced_method_that_needs_raw_sockets_is_an_error(town: Town) -> None:  # noqa: F811
    for method in ("syn", "icmp"):
        done = run(town.near, "--dsts", "10.4.0.2", "--method", method)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines()[-1].startswith("fleutan: probing with raw sockets: it needs CAP_NET_RAW")
    done = run(town.near, "--dsts", "10.4.0.2", "--method", "flow")
    assert "Traceback" not in done.stderr
    found, notes = asked(town.near, "--dsts", "10.4.0.2", "--method", "udp")
    assert [path["ended"] for path in found["paths"]] == ["reached"]
    assert any(note.startswith("fleutan: note: by UDP sockets") for note in notes)


def test_no_route_is_told_and_does_not_keep_the_others_back(town: Town) -> None:  # noqa: F811
    town.near.configure("route add unreachable 10.77.0.0/16")
    found, notes = asked(town.near, "--dsts", "10.77.0.1,10.4.0.2")
    assert [path["destination"] for path in found["paths"]] == ["10.4.0.2"]
    assert "fleutan: note: sending to 10.77.0.1: no route" in notes


def test_refusals_of_routers(short_world: World, wire: Path) -> None:  # noqa: F811
    place = Town(short_world, 1, wire)
    place.first.run("sh", "-c", "ip route add prohibit 10.9.0.0/16; ip route add unreachable 10.8.0.0/16")
    found, _ = asked(place.near, "--dsts", "10.9.0.1,10.8.0.1", "-w", "0.5")
    told = {path["destination"]: path["hops"][-1]["routers"][0]["refusal"] for path in found["paths"]}
    assert told == {"10.9.0.1": "!X", "10.8.0.1": "!H"}
    assert {path["ended"] for path in found["paths"]} == {"refused"}


@pytest.mark.parametrize(("end", "mtu"), [("10.4.0.2", "68"), ("fd00:4::2", "1280")])
def test_a_link_as_narrow_as_there_may_be(short_world: World, wire: Path, end: str, mtu: str) -> None:  # noqa: F811
    narrow = Town(short_world, 1, wire)
    narrow.first.run("ip", "link", "set", "east0", "mtu", mtu)
    narrow.middle[0].run("ip", "link", "set", "west", "mtu", mtu)
    narrow.connected(1, end)  # IPv6 begins anew with its neighbours
    found, _ = asked(narrow.near, "--dsts", end)
    [path] = found["paths"]
    assert (path["ended"], len(path["hops"]), routers(path)[3]) == ("reached", 4, [end])
