# SPDX-License-Identifier: Apache-2.0
"""Which flows are traced and how, from tables made by hand; and this host's loopback."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.bpf import needs_bpf
from tests.faces.cli.conftest import table_of

from fleutan.analysis.paths import Hop, Path, Router
from fleutan.errors import NotSupported, UsageError
from fleutan.linux import capabilities
from fleutan.live import Question
from fleutan.live import paths as live
from fleutan.live.paths import Settings, Wanted, ask
from fleutan.protocols.tracing.hops import Rules
from fleutan.protocols.tracing.probes import Flow
from fleutan.sources.capture import Reader
from fleutan.sources.paths import Aim, Traced
from fleutan.table import Table

ROW: dict[str, Any] = {
    "proto": "tcp",
    "state": "established",
    "src": "10.9.0.1",
    "sport": 1,
    "dst": "10.9.0.77",
    "dport": 443,
    "netns_inode": 7,
    "cookie": 5,
    "tos": 8,
    "snd_una": 100,
    "rcv_nxt": 200,
    "rcv_wnd": 70_000,
    "dev": "eth0",
    "flow_label": 77,
}
needs_raw = pytest.mark.skipif(bool(capabilities.missing(("CAP_NET_RAW",))), reason="needs CAP_NET_RAW")


def table(*rows: dict[str, Any]) -> Table:
    return table_of([ROW | row for row in rows])


def every(found: Table) -> Any:
    return np.arange(len(found))


def test_a_connection_is_traced_with_its_own_ends_and_numbers() -> None:
    rows = table(
        {}, {"proto": "udp"}, {"state": "close-wait"}, {"snd_una": None}, {"dst": "2001:db8::9", "src": "2001:db8::1"}
    )
    found = live._live(rows, every(rows), Settings())
    assert [one.rows for one in found] == [[0], [4]]
    assert found[0].aim == Aim(
        Flow(4, bytes([10, 9, 0, 1]), bytes([10, 9, 0, 77]), 6, 1, 443, tos=8), "flow", 100, 200, 0xFFFF, 5, "eth0"
    )
    assert (found[1].aim.flow.family, found[1].aim.flow.label) == (6, 77)
    assert live._live(rows, every(rows), Settings("icmp")) == []
    assert live._live(table({"rcv_wnd": None}), np.arange(1), Settings())[0].aim.window == 0xFFFF
    assert live._live(table({"rcv_wnd": 500}), np.arange(1), Settings())[0].aim.window == 500


@needs_raw
def test_inside_flows_of_udp_only_where_that_is_asked_for() -> None:
    here = {"proto": "udp", "snd_una": None, "src": "127.0.0.1", "dst": "127.0.0.77", "dev": None, "dport": 4433}
    rows = table({}, here | {"sport": 2}, here | {"state": "close"}, here | {"src": "fe80::2", "dst": "fe80::1"})
    notes: list[str] = []
    with Reader(source="netlink") as reader:
        [dump] = reader.take().namespaces
        assert live._inside(rows, every(rows), dump, Settings(), reader, notes) == []
        assert live._inside(rows, np.arange(1), dump, Settings("flow"), reader, notes) == []
        assert notes == []
        [(wanted, found)] = live._inside(rows, every(rows), dump, Settings("flow"), reader, notes)
    assert wanted.rows == [1]
    assert wanted.aim.flow == Flow(4, bytes([127, 0, 0, 1]), bytes([127, 0, 0, 77]), 17, 2, 4433, tos=8)
    assert (found.path.method, found.path.ended, found.path.hops) == ("flow", "reached", (Hop(1, ()),))
    assert notes == ["not inside UDP flows to fe80::1: nobody says how far away it is"]


@pytest.fixture
def nobody() -> Iterator[None]:
    """Without the right to raw sockets for a while."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


@pytest.mark.usefixtures("nobody")
def test_without_raw_sockets_a_note_says_what_is_missing() -> None:
    notes: list[str] = []
    auto, forced = (live._possible(Settings(method), notes) for method in ("", "udp"))
    assert (auto.method, auto.raw) == (forced.method, forced.raw) == ("udp", False)
    by, why = "by UDP sockets, which see neither MPLS labels nor", "probing with raw sockets: it needs CAP_NET_RAW"
    assert [(note.partition(by)[0], why in note) for note in notes] == [("not inside the flows but ", True), ("", True)]
    assert live._possible(Settings("icmp"), notes) == Settings("icmp")
    settings = Settings(destinations=("127.0.0.78", "fe80::1"), pps=0)
    nothing = Question(protos=("dccp",))
    with Reader(source="netlink") as reader:
        found = ask(nothing, reader, settings)
        with pytest.raises(NotSupported, match="it needs CAP_NET_RAW"):
            ask(nothing, reader, replace(settings, method="icmp"))
    [path] = found.paths
    assert (path.method, path.ended, [sorted(hop.addresses) for hop in path.hops]) == (
        *("udp", "reached"),
        [["127.0.0.78"]],
    )
    assert any("fe80::1" in note for note in found.flows.reading.notes)
    assert any(note.startswith("not inside the flows") for note in found.flows.reading.notes)


@needs_raw
def test_with_raw_sockets_nothing_is_missing() -> None:
    notes: list[str] = []
    assert [live._possible(Settings(method), notes) for method in ("", "udp")] == [Settings(), Settings("udp")]
    assert notes == []


def test_of_many_connections_to_one_address_some_are_traced_and_a_note_says_so() -> None:
    rows = table(*({"sport": port} for port in range(5)), {"dst": "10.9.0.78"})
    notes: list[str] = []
    found = list(live._sampled(live._live(rows, every(rows), Settings()), 2, notes))
    assert [one.rows for one in found] == [[0], [1], [5]]
    assert notes == ["2 of 5 connections to 10.9.0.77 were traced: --each says how many"]


def test_flows_that_cannot_be_traced_from_inside_share_a_trace_to_their_end() -> None:
    rows = table({}, {"sport": 2}, {"proto": "udp", "dport": 53}, {"dport": 80})
    end = bytes([10, 9, 0, 77])
    found = live._beside(rows, [0, 1, 2, 3], Settings())
    assert found == {("syn", end, 443): [0, 1], ("udp", end, 0): [2], ("syn", end, 80): [3]}
    assert live._beside(rows, [0, 3], Settings("icmp")) == {("icmp", end, 0): [0, 3]}
    assert live._beside(rows, [0], Settings("flow")) == {}


def test_what_stays_on_this_host_or_has_no_peer_is_not_traced() -> None:
    rows = table({"dst": "127.0.0.1"}, {"dport": 0}, {}, {"dst": "10.9.0.78"}, {"dst": "::1"})
    assert live._meant(rows, ()).tolist() == [False, False, True, True, False]
    assert live._meant(rows, ("10.9.0.78",)).tolist() == [False, False, False, True, False]


def test_destinations_without_a_flow() -> None:
    settings = Settings(destinations=("10.9.0.77", "10.9.0.5", "10.9.0.5", "::1"))
    assert live._lone(table({}), settings) == [bytes([10, 9, 0, 5]), bytes(15) + b"\1"]


def test_flows_name_their_paths() -> None:
    def traced(*routers: str) -> Traced:
        hops = tuple(Hop(ttl, (Router(address, (1.0,)),), 1) for ttl, address in enumerate(routers, 1))
        return Traced(Path("", "flow", hops, destination=routers[-1]))

    aim = Aim(Flow(4, bytes(4), bytes(4), 6, 1, 2), "flow")
    found = live._answer(
        table({}, {}, {}, {}),
        [(Wanted(aim, [2]), traced("a", "z")), (Wanted(aim, [0, 3]), traced("b", "z"))],
        ["a note"],
    )
    assert found.flows.columns["path"].objects() == ["p1", None, "p0", "p1"]
    assert [path.id for path in found.paths] == ["p0", "p1"]
    assert found.flows.reading.notes[-1] == "a note"


def test_what_may_be_wrong_is_noted_once() -> None:
    end = Path("", "syn", (), "reached", "10.9.0.77")
    one = Wanted(Aim(Flow(4, bytes(4), bytes(4), 6, 1, 2), "syn"), [])
    told = live._answer(table({}), [(one, Traced(end, missed=3, rivals=True)), (one, Traced(end, missed=3))], ["so"])
    so, missed, rivals = told.flows.reading.notes
    assert so == "so"
    assert missed.startswith("3 packets found no room")
    assert "flows to 10.9.0.77 over several next hops" in rivals
    assert live._answer(table({}), [(one, Traced(end))], []).flows.reading.notes == ()


def test_inside_a_connection_there_are_few_probes() -> None:
    rules = Settings(rules=Rules(queries=7, ahead=9)).by_method()
    assert (rules["flow"].queries, rules["flow"].spacing_ns, rules["flow"].inferred) == (1, 10**9, True)
    assert (rules["syn"].queries, rules["syn"].spacing_ns) == (7, 0)
    with pytest.raises(UsageError, match="no method is called 'magic'; there are flow, syn, udp, icmp"):
        Settings("magic")


@needs_raw
@pytest.mark.parametrize("method", ["syn", "udp", "icmp"])
def test_this_host_is_one_hop_away(method: str) -> None:
    settings = Settings(method, destinations=("127.0.0.1",), pps=0)
    with Reader(source="netlink") as reader:
        found = ask(Question("pid = 0"), reader, settings)
    [path] = found.paths
    assert (path.method, path.ended, [sorted(hop.addresses) for hop in path.hops]) == (
        method,
        "reached",
        [["127.0.0.1"]],
    )
    assert len(found.flows) == 0


@needs_bpf
def test_the_numbers_of_connections_are_read_anew() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as mine:
        accepted, _ = server.accept()
        cookie = int.from_bytes(mine.getsockopt(socket.SOL_SOCKET, 57, 8), "little")  # SO_COOKIE
        with Reader(source="bpf") as reader:
            [dump] = reader.take().namespaces
            read = live._renewed(reader, dump)
            before = read({cookie})[cookie]
            mine.sendall(b"x" * 10)
            accepted.recv(10)
            after = read({cookie})[cookie]
            assert (after.una - before.una, after.next) == (10, before.next)
            accepted.close()
            assert read({1}) == {}


@needs_raw
def test_a_way_that_cannot_be_gone_is_told() -> None:
    settings = Settings("udp", destinations=("fe80::1",))
    with Reader(source="netlink") as reader:
        found = ask(Question("pid = 0"), reader, settings, 0.01)
    assert found.paths == []
    assert any("fe80::1" in note for note in found.flows.reading.notes)


@needs_raw
@pytest.mark.parametrize("method", ["", "syn", "icmp"])
def test_all_ways_to_this_host(method: str) -> None:
    settings = Settings(method, destinations=("127.0.0.1",), pps=0, confidence=0.95)
    with Reader(source="netlink") as reader:
        [path] = ask(Question("pid = 0"), reader, settings).paths
    assert (path.method, path.ended) == (method or "udp", "reached")
    assert [sorted(hop.addresses) for hop in path.hops] == [["127.0.0.1"]]


def test_all_ways_are_not_those_of_one_flow() -> None:
    with pytest.raises(UsageError, match="--multipath goes with syn, udp or icmp"):
        Settings("flow", confidence=0.95)
