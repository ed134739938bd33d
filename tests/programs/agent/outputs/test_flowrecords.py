# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from tests.exporting import AT_NS, batch
from tests.programs.agent.outputs.serving import DEADLINE, until
from tests.programs.agent.sampled.test_sockets import owned_packets
from tests.protocols.packet import stacks

from fleutan.linux.proc import Process
from fleutan.programs.agent.outputs.flowrecords import REFRESH, Exporter, FlowRecords, packets_of, refused
from fleutan.programs.agent.outputs.flowtable import FlowTable
from fleutan.programs.agent.sampled.sockets import of_packets
from fleutan.protocols.netflow.accounts import accounts
from fleutan.protocols.netflow.decoding import decode
from fleutan.protocols.netflow.encoding import Sender
from fleutan.protocols.netflow.exporters.state import State
from fleutan.protocols.netflow.flows import flows
from fleutan.protocols.sflow.batches import Sampled
from fleutan.protocols.spans import joined
from fleutan.records import Records
from fleutan.sources.collectors import PIECE, Collector, Collectors
from fleutan.sources.packets.columns import INTERNAL, Packets
from fleutan.sources.packets.owning import Owners, with_owners

FOUR, SIX = stacks.ethernet(stacks.TYPE4, stacks.ipv4(6, stacks.tcp(bytes(60)))), stacks.INNER6
PING = stacks.ethernet(stacks.TYPE4, stacks.ipv4(1, bytes((8, 0, 0, 0, 0, 1, 0, 1))))
ARP = stacks.ethernet(stacks.TYPE_ARP, stacks.arp())
KINDS = {SIX: stacks.IPV6}


def sampled(*frames: bytes, at_ns: Sequence[int] = (), egress: Sequence[bool] = (), **head: Any) -> Sampled:
    """Packets that a device sampled, one in ten where nothing else is said."""
    n = len(frames)
    columns: dict[str, Any] = {"ds_index": [2] * n, "sampling_rate": [10] * n} | head
    columns = {"input_value": [2] * n, "output_value": [INTERNAL] * n} | columns
    known: dict[str, Any] = {"at_ns": np.array(at_ns)} if at_ns else {}
    known |= {"egress": np.array(egress)} if egress else {}
    lengths = np.array([len(one) + 4 for one in frames])
    kinds = np.array([KINDS.get(one, stacks.ETHERNET) for one in frames])
    head = {name: np.array(column) for name, column in columns.items()}
    return Sampled(head, kinds, lengths, lengths * 0 + 4, joined(frames), known=Records(n, known, {}))


#: More flows than go at once.
MANY = 3000


class Kept(Collectors):
    """Keeps what would be sent to one that can be reached from the second tick on."""

    def __init__(self) -> None:
        super().__init__([Collector("192.0.2.1")])
        self.kept: list[bytes] = []
        self.ticks = 0

    def tick(self, now: float) -> None:  # noqa: ARG002
        self.ticks += 1

    def send(self, datagrams: Sequence[bytes], now: float) -> None:  # noqa: ARG002
        self.kept += datagrams

    def accounts(self) -> list[Any]:
        (one,) = super().accounts()
        return [one._replace(trouble="" if self.ticks > 1 else "unknown")]


def outlet(version: int = 10, kept: Kept | None = None, **more: Any) -> tuple[FlowRecords, Kept]:
    made = FlowRecords(version, (), clock_ns=lambda: AT_NS, **more)
    made.collectors = kept = kept or Kept()
    return made, kept


def read(kept: Kept, state: State | None = None) -> Records:
    found = decode(batch(*kept.kept), state or State())
    assert not found.unread.any()
    return flows(found)


@pytest.mark.parametrize("version", [9, 10])
def test_packets_become_flows_multiplied_by_their_sampling_rates(version: int) -> None:
    made, kept = outlet(version, exporter=Exporter(Sender(version, 77), began=0.0))
    times = [AT_NS - 3 * 10**9, AT_NS - 10**9, AT_NS - 2 * 10**9, AT_NS]
    with made:
        made.packets(sampled(FOUR, FOUR, SIX, FOUR, at_ns=times, sampling_rate=[10, 100, 7, 1]), 1_000_000.0)
        assert kept.kept == []
    found = read(kept)
    four, six = (found.values["proto"] == 6).argmax(), (found.values["proto"] == 17).argmax()
    assert (found.rows, made.exporter.told) == (2, 2)
    names = ("packets", "bytes", "sport", "dport", "tos", "in_if", "direction", "domain")
    assert [int(found.values[name][four]) for name in names] == [111, 111 * 100, 40000, 443, 0xB8, 2, 0, 77]
    assert [int(found.values[name][six]) for name in names[:4]] == [7, 7 * len(SIX), 40000, 53]
    assert found.values["src"][four].tolist() == stacks.halves(stacks.NEAR)
    assert int(found.values["tcp_flags"][four]) == 0x118
    assert not found.known["tcp_flags"][six]
    assert "out_if" not in found.values, "the host itself is no interface"
    assert "sampling_rate" not in found.values, "counts are multiplied already"
    moved = abs(found.values["start"][four] - times[0]), abs(found.values["end"][four] - times[3])
    assert max(moved) <= 10**6


def test_times_of_packets_that_have_none_are_now_and_sides_follow_from_interfaces() -> None:
    found = packets_of(sampled(FOUR, FOUR, FOUR, input_value=[2, 3, 2], output_value=[0, 2, 2]), AT_NS)
    assert found.values["end"].tolist() == [AT_NS] * 3
    assert found.values["direction"].tolist()[:2] == [0, 1]
    assert found.known["direction"].tolist() == [True, True, False]
    assert found.known["out_if"].tolist() == [False, True, True]
    given = packets_of(sampled(FOUR, FOUR, at_ns=[0, 5], egress=[True, False]), AT_NS)
    assert (given.values["end"].tolist(), given.values["direction"].tolist()) == ([AT_NS, 5], [1, 0])


def test_packets_without_addresses_are_counted_and_icmp_has_its_type() -> None:
    made, kept = outlet()
    made.packets(sampled(ARP, PING), 0.0)
    made.packets(sampled(ARP), 0.0)
    assert refused([made]) == {"IPFIX: they have no IP addresses": 2}
    with made:
        pass
    found = read(kept)
    assert found.values["icmp"].tolist() == [8 << 8]
    assert "sport" not in found.values


def owned() -> Sampled:
    packets = owned_packets()
    header = joined([FOUR, SIX, FOUR])
    columns = packets.columns.values | {"protocol": np.array([1, 12, 1]), "egress": np.array([True] * 3)}
    columns["rate"] = np.array([10, 10, 10])
    process = Process(77, comm="cürl", cgroup="0::/system.slice/web.service\n")
    owners = Owners(lambda: (np.array([77]), np.array([2])), lambda _pids, _fields: [process])
    return of_packets(with_owners(Packets(Records(3, columns, packets.columns.known), header), owners), {})


def test_ipfix_says_who_holds_the_socket_and_how_its_connection_fares() -> None:
    made, kept = outlet()
    with made:
        made.packets(owned(), 0.0)
    batch_ = decode(batch(*kept.kept), State())
    records = {}
    for group in batch_.groups:
        for row in range(group.rows):
            fields = enumerate(group.layout.fields)
            named = {field.element.name: group.spans(place).strings()[row] for place, field in fields}
            records[named["protocolIdentifier"][0], "vlanId" in named] = named
    tcp, udp = records[6, False], records[17, False]
    assert (tcp["processName"], tcp["systemdUnit"], tcp["containerId"]) == ("cürl".encode(), b"web.service", b"")
    numbers = ("processId", "userId", "socketCookie", "controlGroupId", "tcpRetransmittedSegments")
    assert [int.from_bytes(tcp[name]) for name in numbers] == [77, 1002, 9, 2, 5]
    assert "tcpSmoothedRoundTripTime" not in tcp, "nothing was measured"
    assert not {"processId", "processName", "userId", "tcpRetransmittedSegments"} & udp.keys()
    old, kept = outlet(9)
    with old:
        old.packets(owned(), 0.0)
    assert read(kept).rows == 3


def test_what_is_no_utf_8_is_made_it_and_long_text_is_cut_between_characters() -> None:
    made, kept = outlet()
    one = owned()
    one.known.values["comm"] = np.array([b"\xffbad"] * 3)
    one.known.values["unit"] = np.array(["é".encode() * 200] * 3)
    with made:
        made.packets(one, 0.0)
    told = b"".join(kept.kept)
    assert "\N{REPLACEMENT CHARACTER}bad".encode() in told
    assert bytes([254]) + "é".encode() * 127 in told
    assert read(kept).rows == 3


def test_flows_and_templates_go_out_in_time() -> None:
    made, kept = outlet(active=60.0, idle=15.0)
    made.tick(0.0)
    made.packets(sampled(FOUR), 1.0)
    made.tick(2.0)  # it can be reached now, and there are no templates yet
    made.tick(15.0)
    assert kept.kept == []
    made.tick(16.0)
    assert read(kept).rows == 1
    kept.kept.clear()
    for second in range(17, int(REFRESH) + 2):
        made.tick(float(second))
    assert kept.kept == []
    made.tick(REFRESH + 2.0)
    assert [int(one.templates.sum()) for one in (decode(batch(*kept.kept), State()),)] == [1]
    kept.kept.clear()
    kept.ticks = 0
    made.tick(REFRESH + 3.0)
    assert kept.kept == []
    made.tick(REFRESH + 4.0)
    assert len(kept.kept) == 1, "it was away: it may be another that knows no templates"


@pytest.mark.parametrize("version", [9, 10])
def test_numbers_and_templates_go_on_when_it_is_made_anew(version: int) -> None:
    exporter, kept = Exporter(Sender(version, 5), began=0.0), Kept()
    for _ in range(2):
        made, _ = outlet(version, kept, exporter=exporter)
        with made:
            made.packets(sampled(FOUR, SIX), 1000.0)
    assert exporter.told == 4
    found = decode(batch(*kept.kept), State())
    told = accounts(found)
    sequence, advance = told.values["sequence"], told.values["advance"]
    assert (sequence[:-1] + advance[:-1]).tolist() == sequence[1:].tolist()
    assert int(found.templates.sum()) == 2


def test_what_has_no_room_goes_early() -> None:
    made, kept = outlet()
    made._table = FlowTable(most=1)
    made.packets(sampled(FOUR), 0.0)
    made.packets(sampled(SIX), 0.0)
    assert read(kept).values["end_reason"].tolist() == [5]


def test_many_flows_go_at_the_end_too() -> None:
    made, kept = outlet()
    frames = [stacks.ethernet(stacks.TYPE4, stacks.ipv4(17, stacks.udp(53, sport=port))) for port in range(MANY)]
    with made:
        made.packets(sampled(*frames), 0.0)
    assert len(kept.kept) > PIECE
    assert sorted(read(kept).values["sport"].tolist()) == list(range(MANY))


def test_many_that_are_due_at_once_leave_a_piece_at_a_time() -> None:
    made, kept = outlet(idle=15.0)
    frames = [stacks.ethernet(stacks.TYPE4, stacks.ipv4(17, stacks.udp(53, sport=port))) for port in range(MANY)]
    made.packets(sampled(*frames), 0.0)
    made.tick(20.0)
    assert (len(kept.kept), kept.pieces > 0) == (PIECE, True)
    kept.drain(20.0)
    assert read(kept).rows == MANY


def test_flows_of_more_shapes_than_templates_are_counted() -> None:
    sender = Sender(10, 7)
    sender.shapes = {(one,): 300 for one in range(2000)}  # type: ignore[misc]
    made, kept = outlet(exporter=Exporter(sender))
    with made:
        made.packets(sampled(FOUR), 0.0)
    assert kept.kept == []
    assert (made.exporter.told, refused([made])) == (0, {"IPFIX: there are more kinds of them than templates": 1})


@pytest.fixture(params=[(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def end(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, Collector]]:
    family, address = request.param
    with socket.socket(family, socket.SOCK_DGRAM) as made:
        made.bind((address, 0))
        made.settimeout(DEADLINE)
        yield made, Collector(address, made.getsockname()[1])


def test_what_waits_is_sent_at_the_end_over_either_ip(end: tuple[socket.socket, Collector]) -> None:
    heard, place = end
    with FlowRecords(10, [place]) as made:
        made.counters([], 0)

        def is_open() -> bool:
            made.tick(0.0)
            return not made.accounts()[0].trouble

        until(is_open)
        made.packets(sampled(FOUR, sampling_rate=[70_000]), 1.0)
    state = State()
    decode(batch(heard.recv(1 << 16)), state)
    assert flows(decode(batch(heard.recv(1 << 16)), state)).values["packets"].tolist() == [70_000]
    assert made.accounts()[0].sent == 2
