# SPDX-License-Identifier: Apache-2.0
"""Samples against what is known by other ways: counters of devices and of TCP, and the counting of every packet."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from tests.bpf import agrees
from tests.namespaces.conftest import PLAIN, Host, World

from fleutan.linux import namespaces, traffic
from fleutan.linux.packets import attaching
from fleutan.sources.packets.choosing import Sampler
from fleutan.sources.packets.columns import INTERNAL, Packets, Tap
from fleutan.sources.packets.deltas import Deltas
from fleutan.sources.packets.owning import Holding, Owners, with_owners
from fleutan.sources.packets.sampler import BpfSampler
from fleutan.sources.packets.tapping import SocketSampler

pytestmark = pytest.mark.usefixtures("needs_bpf")

FCS = 4
#: How far an estimate may be off, in standard deviations.
SIGMAS = 5.0
PORT = 5201


def index_of(host: Host, device: str = "veth0") -> int:
    return int(host.run("cat", f"/sys/class/net/{device}/ifindex"))


def counter(host: Host, name: str, device: str = "veth0") -> int:
    return int(host.run("cat", f"/sys/class/net/{device}/statistics/{name}"))


def namespace(host: Host) -> namespaces.Namespace:
    return namespaces.find(host.name)


class Look:
    """A sampler whose samples are gathered."""

    def __init__(self, sampler: Sampler) -> None:
        self.sampler, self._parts = sampler, list[Packets]()

    def take(self) -> None:
        while (found := self.sampler.read()) is not None:
            self._parts.append(found)

    def column(self, name: str) -> np.ndarray:
        self.take()
        return np.concatenate([part.columns.values[name] for part in self._parts])

    def known(self, name: str) -> np.ndarray:
        self.take()
        return np.concatenate([part.known(name) for part in self._parts])

    def headers(self) -> list[bytes]:
        self.take()
        return [header for part in self._parts for header in part.header.strings()]


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.fixture(params=["tcx", "clsact"])
def tcx(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "tcx")


def looking(held: ExitStack, host: Host, rates: Mapping[Tap, int], **more: Any) -> Look:
    sampler = held.enter_context(BpfSampler(namespace(host), **more))
    sampler.want(rates)
    assert sampler.notes() == []
    return Look(sampler)


def both(host: Host, one_in: int, device: str = "veth0") -> dict[Tap, int]:
    index = index_of(host, device)
    return {Tap(index, egress): one_in for egress in (False, True)}


def iperf(near: Host, far: Host, looks: list[Look], *words: str, address: str = "192.0.2.2") -> None:
    """Runs iperf3 from near to far, and reads the samples meanwhile."""
    serve = ["ip", "netns", "exec", far.name, "timeout", "30", "iperf3", "-s", "-1", "--forceflush", "-p", str(PORT)]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, env=PLAIN) as server:
        assert server.stdout
        assert any("listening" in line for line in server.stdout)
        command = ["ip", "netns", "exec", near.name, "iperf3", "-c", address, "-p", str(PORT), *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=PLAIN) as client:
            while client.poll() is None:
                for look in looks:
                    look.sampler.wait(0.02)
                    look.take()
            assert client.stdout
            assert client.returncode == 0, client.stdout.read()


class Truth:
    """Every packet of a device's direction, counted one by one (``linux.traffic``)."""

    def __init__(self, counting: traffic.Counting) -> None:
        self._counts = [counting.read()]
        self._counting = counting

    def of(self, host: Host, ifindex: int, *, sent: bool) -> tuple[int, int]:
        """Packets on the wire and their octets, of all data that goes to the server."""
        self._counts.append(self._counting.read())
        rows = traffic.parse(traffic.together(self._counts[1:])).values
        mine = (rows["netns"] == namespace(host).inode) & (rows["ifindex"] == ifindex) & (rows["dport"] == PORT)
        mine &= rows["direction"] == (traffic.TX if sent else traffic.RX)
        return int(rows["segments"][mine].sum()), int(rows["wire_bytes"][mine].sum())


def agree(look: Look, tap: Tap, rate: int, truth: tuple[int, int]) -> None:
    """Packets and octets that the samples of a flow stand for are within the error that chance has."""
    packets, octets = truth
    mine = (look.column("ifindex") == tap.ifindex) & (look.column("egress") == tap.egress)
    mine &= np.array([is_for_the_server(header) for header in look.headers()])
    lengths = look.column("length")[mine] - FCS
    assert packets > 50 * rate, "too few to tell"
    assert not look.column("drops").any()
    assert abs(len(lengths) * rate - packets) < SIGMAS * np.sqrt(packets * (rate - 1))
    assert abs(lengths.sum() * rate - octets) < SIGMAS * rate * np.sqrt((lengths.astype(float) ** 2).sum())


def is_for_the_server(header: bytes) -> bool:
    at = 16 if header[12:14] in (b"\x81\x00", b"\x88\xa8") else 12
    at += {b"\x08\x00": 22, b"\x86\xdd": 42}.get(header[at : at + 2], 999)
    return header[at + 2 : at + 4] == PORT.to_bytes(2, "big")


@pytest.mark.parametrize(
    ("rate", "words", "address"),
    [
        (100, ("-t", "1", "-b", "4G"), "192.0.2.2"),
        (100, ("-t", "1", "-P", "4", "-b", "1G"), "2001:db8::2"),
        (20, ("-u", "-b", "200M", "-l", "1000", "-t", "1"), "192.0.2.2"),
        (20, ("-u", "-b", "60M", "-l", "100", "-t", "1"), "2001:db8::2"),
    ],
    ids=["tcp", "tcp6", "udp", "udp6"],
)
def test_what_samples_stand_for_is_what_there_was(
    world: World, rate: int, words: tuple[str, ...], address: str
) -> None:
    def look() -> None:
        with ExitStack() as held:
            compare(held)

    def compare(held: ExitStack) -> None:
        near, far = world.pair()
        out, back = Tap(index_of(near), egress=True), Tap(index_of(far), egress=False)
        sent = looking(held, near, {out: rate})
        received = looking(held, far, {back: rate})
        truth = Truth(held.enter_context(traffic.Counting()))
        iperf(near, far, [sent, received], *words, address=address)
        agree(sent, out, rate, truth.of(near, out.ifindex, sent=True))
        agree(received, back, rate, truth.of(far, back.ifindex, sent=False))
        for one in (sent, received):
            assert (one.column("rate") == rate).all()
            assert not one.column("drops").any()
            assert one.column("length").max() <= 1514 + FCS

    agrees(look)


def test_of_all_packets_each_is_a_sample_and_the_pool_is_what_tcp_counted(
    world: World, held: ExitStack, tcx: bool
) -> None:
    """Of packets that stand for many each segment is one, with the lengths that it has on the wire."""
    near, far = quiet_pair(world)
    rates = both(near, 1)
    look = looking(held, near, rates, tcx=tcx)
    device = counter(near, "tx_packets")
    tcp = [tcp_counter(near, name) for name in ("InSegs", "OutSegs")]
    iperf(near, far, [look], "-n", "4M")
    told = [tcp_counter(near, name) - before for name, before in zip(("InSegs", "OutSegs"), tcp, strict=True)]
    headers, egress = look.headers(), look.column("egress")
    is_tcp = np.array([header[12:14] == b"\x08\x00" and header[23] == 6 for header in headers])
    assert [int((is_tcp & (egress == sent)).sum()) for sent in (False, True)] == told
    totals = look.sampler.totals()
    assert [totals[tap].pool for tap in rates] == [int((egress == sent).sum()) for sent in (False, True)]
    assert counter(near, "tx_packets") - device < told[1], "the device counts packets before they are cut"
    lengths = np.array([int.from_bytes(header[16:18]) for header in headers])
    assert (lengths == look.column("length") - 14 - FCS)[is_tcp].all()
    assert lengths[is_tcp].max() == 1500
    sums = [np.frombuffer(header[14:34], ">u2").sum() for header in headers if header[12:14] == b"\x08\x00"]
    assert {(one & 0xFFFF) + (one >> 16) for one in map(int, sums)} == {0xFFFF}, "checksums are right"


def quiet_pair(world: World) -> tuple[Host, Host]:
    """Two hosts that say nothing by themselves."""
    hosts = world.pair()
    for host in hosts:
        host.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/veth0/disable_ipv6")
    return hosts


def tcp_counter(host: Host, name: str) -> int:
    names, values = (line.split() for line in host.run("cat", "/proc/net/snmp").splitlines() if line.startswith("Tcp:"))
    retransmitted = int(values[names.index("RetransSegs")]) if name == "OutSegs" else 0
    return int(values[names.index(name)]) + retransmitted


@pytest.mark.parametrize("offload", [True, False])
def test_the_pool_is_exactly_what_the_device_counts_where_no_packet_stands_for_many(
    world: World, held: ExitStack, tcx: bool, offload: bool
) -> None:
    near, far = quiet_pair(world)
    if not offload:
        for host in (near, far):
            host.configure("link set veth0 gso_max_segs 1 gso_max_size 1514")
    rates = both(near, 50)
    look = looking(held, near, rates, tcx=tcx)
    before = [counter(near, name) for name in ("rx_packets", "tx_packets")]
    words = ("-u", "-b", "50M", "-l", "200", "-t", "1") if offload else ("-n", "20M")
    iperf(near, far, [look], *words)
    after = [counter(near, name) for name in ("rx_packets", "tx_packets")]
    told = [now - then for now, then in zip(after, before, strict=True)]
    found = [look.sampler.totals()[tap].pool for tap in rates]
    if offload:  # a packet or two of the connection that controls it stands for several
        assert all(0 <= ours - theirs < 20 for ours, theirs in zip(found, told, strict=True))
    else:
        assert found == told


# -- whose it is


def test_every_packet_of_a_connection_has_its_state_at_both_ends_and_udp_its_socket(
    world: World, held: ExitStack, tcx: bool
) -> None:
    near, far = world.pair()
    looks = [looking(held, host, both(host, 10), tcx=tcx) for host in (near, far)]
    for address in ("192.0.2.2", "2001:db8::2"):
        iperf(near, far, looks, "-n", "20M", address=address)
        iperf(near, far, looks, "-u", "-b", "20M", "-n", "2M", address=address)
    for look, host in zip(looks, (near, far), strict=True):
        protocols = np.array([protocol(header) for header in look.headers()])
        data = look.column("length") > 100
        assert (data & (protocols == 6)).sum() > 50
        assert (data & (protocols == 17)).sum() > 50
        rows = data & np.isin(protocols, (6, 17))
        assert look.column("is_own")[rows].all()
        assert look.known("uid")[rows].all()
        # Before accept() and after close() a connection belongs to no descriptor.
        assert look.known("inode")[rows].mean() > 0.95
        assert look.known("cookie")[rows & ((protocols == 6) | look.column("egress"))].all()
        assert (look.column("netns")[rows] == namespace(host).inode).all()
        state = look.known("direction")
        assert state[data & (protocols == 6)].all(), "every one has the state of its connection"
        assert not state[protocols == 17].any()
        assert (look.column("direction") == np.where(look.column("egress"), 2, 1))[state].all()
        assert look.column("snd_mss")[state].min() >= 500
        assert look.column("pmtu")[state].max() == 1500
        internal = np.where(look.column("egress"), look.column("input"), look.column("output"))
        assert (internal[rows] == INTERNAL).all()
        own = np.where(look.column("egress"), look.column("output"), look.column("input"))
        assert (own == index_of(host)).all()
    sender = looks[0].column("egress") & looks[0].known("rtt_us")
    assert (looks[0].column("rtt_us")[sender] > 0).all()
    assert look.column("bytes_received")[state].max() > 10_000_000


def protocol(header: bytes) -> int:
    return {b"\x08\x00": header[23], b"\x86\xdd": header[20]}.get(header[12:14], 0)


def test_the_state_is_what_ss_says(world: World, held: ExitStack) -> None:
    near, far = world.pair()
    look = looking(held, near, both(near, 1))
    server, client = far.actor(), near.actor()
    server.do("s = socket.create_server(('192.0.2.2', 7000))")
    client.do("c = socket.create_connection(('192.0.2.2', 7000))")
    server.do("a = s.accept()[0]")
    client.do("c.sendall(bytes(300_000))")
    server.do("left = 300_000")
    server.do("while left: left -= len(a.recv(65536))")
    [said] = [row for row in near.ss("-t").values() if row["dport"] == 7000]
    rows = (look.column("cookie") == said["cookie"]) & look.known("direction")
    last = np.flatnonzero(rows & look.column("egress"))[-1]
    assert rows.sum() > 100
    for ours, theirs in (("snd_mss", "mss"), ("pmtu", "pmtu"), ("uid", "uid"), ("inode", "inode")):
        assert look.column(ours)[last] == said.get(theirs, 0), ours
    assert look.column("segs_out")[last] <= said["segs_out"]
    assert said["min_rtt_us"] <= look.column("min_rtt_us")[last]
    assert (look.column("segs_out")[rows].max(), look.column("bytes_sent")[rows].max()) == (
        said["segs_out"],
        said["bytes_sent"],
    )


def test_packets_belong_to_the_process_that_holds_their_socket_and_tell_what_it_sent_again(
    world: World, held: ExitStack
) -> None:
    near, far = world.pair("tbf", "rate", "20mbit", "burst", "5k", "limit", "20k")  # so that some are lost
    sampler = held.enter_context(BpfSampler(namespace(near)))
    sampler.want(both(near, 3))
    owners, deltas = Owners(held.enter_context(Holding())), Deltas()
    server, client = far.actor(), near.actor()
    server.do("s = socket.create_server(('192.0.2.2', 7000))")
    client.do("c = socket.create_connection(('192.0.2.2', 7000)); c.settimeout(20)")
    server.do("a = s.accept()[0]")
    server.do("Thread(target=lambda: [0 for _ in iter(lambda: a.recv(1 << 16), b'')], daemon=True).start()")
    parts = []
    for _ in range(20):
        client.do("c.sendall(bytes(100_000))")
        if (packets := sampler.read()) is not None:
            parts.append(deltas.of(with_owners(packets, owners)))
    [said] = [row for row in near.ss("-t").values() if row["dport"] == 7000]
    mine = [part.columns.values["cookie"] == said["cookie"] for part in parts]
    assert sum(rows.sum() for rows in mine) > 300
    for part, rows in zip(parts, mine, strict=True):
        assert set(part.columns.values["pid"][rows].tolist()) <= {client.pid}
        assert set(part.columns.values["comm"][rows].tolist()) <= {b"python3", b"python"}

    def summed(name: str) -> int:
        return sum(int(part.columns.values[name][rows].sum()) for part, rows in zip(parts, mine, strict=True))

    first = next(part.columns.values["segs_out"][rows][0] for part, rows in zip(parts, mine, strict=True) if rows.any())
    assert said["retrans"] > 5
    assert 0.5 * said["retrans"] <= summed("retrans_since") <= said["retrans"]
    assert 1_000 < summed("segs_out_since") + first <= said["segs_out"]


def test_what_a_router_passes_on_goes_where_its_routes_say(world: World, held: ExitStack) -> None:
    near, router, far = (world.host() for _ in range(3))
    for number, host in ((0, near), (1, far)):
        host.configure(f"link add veth0 type veth peer name veth{number} netns {router.name}")
        host.configure(
            f"address add 192.0.{2 + number}.2/24 dev veth0",
            f"address add 2001:db8:{number}::2/64 dev veth0 nodad",
            "link set veth0 up",
            f"route add default via 192.0.{2 + number}.1",
            f"route add default via 2001:db8:{number}::1",
        )
        router.configure(
            f"address add 192.0.{2 + number}.1/24 dev veth{number}",
            f"address add 2001:db8:{number}::1/64 dev veth{number} nodad",
            f"link set veth{number} up",
        )
    router.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
    indexes = [index_of(router, f"veth{number}") for number in (0, 1)]
    look = looking(held, router, both(router, 5, "veth0") | both(router, 5, "veth1"))
    for address in ("192.0.3.2", "2001:db8:1::2"):
        iperf(near, far, [look], "-n", "5M", address=address)
    data = look.column("length") > 1000
    ways = {(int(a), int(b)) for a, b in zip(look.column("input")[data], look.column("output")[data], strict=True)}
    assert ways == {(indexes[0], indexes[1])}
    assert set(look.column("ifindex")[data].tolist()) == set(indexes)
    assert (look.column("netns")[data & look.column("is_own")] == namespace(near).inode).all(), "of this host, if any"


def test_a_vlan_tag_is_where_it_was_on_the_wire(world: World, held: ExitStack, tcx: bool) -> None:
    """Where it is sent the tag stands in the packet; the kernel puts it beside what it received."""
    near, far = quiet_pair(world)
    out, back = Tap(index_of(near), egress=True), Tap(index_of(far), egress=False)
    looks = [looking(held, host, {tap: 20}, tcx=tcx) for host, tap in ((near, out), (far, back))]
    near.actor().do(_TAGGED)
    for look, tap, side in zip(looks, (out, back), ("out", "in"), strict=True):
        tagged = look.known(f"{side}_vlan")
        assert set(look.column(f"{side}_vlan")[tagged].tolist()) == {7}
        assert set(look.column(f"{side}_priority")[tagged].tolist()) == {3}
        assert {header for header in look.headers() if header[12:14] == b"\x81\x00"} == {tagged_frame()[:128]}
        assert set(look.column("length")[tagged].tolist()) == {len(tagged_frame()) + FCS}
        assert abs(tagged.sum() * 20 - 20_000) < SIGMAS * np.sqrt(20_000 * 19)
        assert look.sampler.totals()[tap].pool - 20_000 in range(3), "and what asks for addresses"


def tagged_frame() -> bytes:
    """UDP in IPv4 behind a tag of VLAN 7, priority 3."""
    return b"\xff" * 6 + b"\x02" + bytes(5) + b"\x81\x00\x60\x07\x08\x00" + b"\x45" + bytes(299)


_TAGGED = f"""
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("veth0", 0x8100))
frame = {tagged_frame()!r}
for _ in range(20_000): raw.send(frame)
raw.close()
"""


@pytest.mark.parametrize("offload", ["on", "off"])
def test_devices_of_vlans_are_sampled_below_with_their_tags(world: World, held: ExitStack, offload: str) -> None:
    near, far = world.pair()
    for number, host in enumerate((near, far), 1):
        host.run("python3", "-c", _OFFLOAD, "veth0", offload)
        try:
            host.configure("link add link veth0 name vlan7 type vlan id 7 egress-qos-map 0:3")
        except subprocess.CalledProcessError:
            pytest.skip("needs a kernel with VLAN devices (CONFIG_VLAN_8021Q)")
        host.configure(f"address add 198.51.100.{number}/24 dev vlan7", "link set vlan7 up")
    out, back = Tap(index_of(near), egress=True), Tap(index_of(far), egress=False)
    looks = [looking(held, host, {tap: 20}) for host, tap in ((near, out), (far, back))]
    truth = Truth(held.enter_context(traffic.Counting()))
    iperf(near, far, looks, "-n", "40M", "-b", "500M", address="198.51.100.2")
    for look, host, tap, side in zip(looks, (near, far), (out, back), ("out", "in"), strict=True):
        agree(look, tap, 20, truth.of(host, tap.ifindex, sent=tap.egress))
        tagged = look.known(f"{side}_vlan")
        assert tagged[look.column("length") > 1000].all()
        assert set(look.column(f"{side}_vlan")[tagged].tolist()) == {7}
        assert set(look.column(f"{side}_priority")[tagged].tolist()) == {3}
        assert look.column("length").max() == 1518 + FCS
        assert look.column("is_own")[tagged].all()


#: Has a device put tags into packets by itself or not, as ethtool would (ETHTOOL_SFLAGS: ETH_FLAG_TXVLAN, _RXVLAN).
_OFFLOAD = """
import array, fcntl, socket, struct, sys
name, said = sys.argv[1], sys.argv[2]
asked = array.array("B", struct.pack("=II", 0x26, (1 << 7 | 1 << 8) if said == "on" else 0))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
    fcntl.ioctl(here, 0x8946, struct.pack("16sP16x", name.encode(), asked.buffer_info()[0]))
"""


def test_packet_sockets_give_as_many_octets_where_there_is_no_bpf(world: World) -> None:
    def compare() -> None:
        with ExitStack() as held:
            sockets_agree(world, held)

    agrees(compare)


def sockets_agree(world: World, held: ExitStack) -> None:
    near, far = quiet_pair(world)
    rates = both(near, 10)
    sampler = held.enter_context(SocketSampler(namespace(near)))
    sampler.want(rates)
    look = Look(sampler)
    out = Tap(index_of(near), egress=True)
    truth = Truth(held.enter_context(traffic.Counting()))
    iperf(near, far, [look], "-u", "-b", "50M", "-l", "500", "-t", "1")
    packets, octets = truth.of(near, out.ifindex, sent=True)
    mine = look.column("egress") & np.array([is_for_the_server(header) for header in look.headers()])
    lengths = look.column("length")[mine] - FCS
    assert abs(len(lengths) * 10 - packets) < SIGMAS * np.sqrt(packets * 9)
    assert abs(lengths.sum() * 10 - octets) < SIGMAS * 10 * np.sqrt((lengths.astype(float) ** 2).sum())
    assert (look.column("input")[mine] == INTERNAL).all()


# -- what comes and goes


def test_devices_vanish_and_come_while_they_are_sampled(world: World, held: ExitStack, tcx: bool) -> None:
    near, far = world.pair()
    near.configure("link add d0 type veth peer name d1", "link set d0 up", "link set d1 up")
    gone, stays = index_of(near, "d0"), index_of(near)
    look = looking(held, near, {Tap(gone, egress=True): 1, Tap(stays, egress=True): 1}, tcx=tcx)
    near.configure("link delete d0")
    look.sampler.want({Tap(gone, egress=True): 1, Tap(stays, egress=True): 1})
    assert look.sampler.notes() == [f"there is no device {gone} (any more)"]
    iperf(near, far, [look], "-n", "100K")
    assert set(look.column("ifindex")[look.column("length") > 1000].tolist()) == {stays}
    near.configure("link add d0 type veth peer name d1")
    more = Tap(index_of(near, "d0"), egress=False)
    look.sampler.want({more: 1, Tap(stays, egress=True): 1})
    assert look.sampler.notes() == []
    assert set(look.sampler.totals()) == {more, Tap(stays, egress=True)}


def test_a_namespace_that_is_deleted_ends_its_samplers_only(world: World, held: ExitStack, tcx: bool) -> None:
    near, far = world.pair()
    doomed = world.host()
    other = looking(held, doomed, {Tap(1, egress=True): 1}, tcx=tcx)
    look = looking(held, near, both(near, 1), tcx=tcx)
    subprocess.run(["ip", "netns", "delete", doomed.name], check=True)
    other.sampler.want({Tap(1, egress=True): 1})
    assert "is gone" in other.sampler.notes()[0]
    assert other.sampler.read() is None
    iperf(near, far, [look], "-n", "100K")
    assert len(look.column("at_ns")) > 60


def test_two_sample_one_device_each_by_itself(world: World, held: ExitStack, tcx: bool) -> None:
    near, far = quiet_pair(world)
    rates = both(near, 1)
    looks = [looking(held, near, rates, tcx=tcx), looking(held, near, dict.fromkeys(rates, 7), tcx=tcx)]
    iperf(near, far, looks, "-n", "1M")
    totals = [look.sampler.totals() for look in looks]
    assert totals[0] == totals[1]
    assert {*looks[0].column("rate").tolist(), *looks[1].column("rate").tolist()} == {1, 7}
    looks[0].sampler.want({})
    iperf(near, far, looks, "-n", "1M")
    assert looks[1].sampler.totals()[Tap(index_of(near), egress=True)].pool > 1_200, "the other one goes on"


#: Samples all devices until it is killed.
_SAMPLES = """
import sys, time
from fleutan.sources.packets.columns import Tap
from fleutan.sources.packets.deltas import Deltas
from fleutan.sources.packets.owning import Holding, Owners, with_owners
from fleutan.sources.packets.sampler import BpfSampler
from fleutan.sources.packets.tapping import SocketSampler
with BpfSampler(tcx=sys.argv[2] == "tcx") as sampler:
    sampler.want({Tap(int(sys.argv[1]), egress): 10 for egress in (False, True)})
    print(*sampler.notes(), sampler.way, flush=True)
    time.sleep(60)
"""


def left(host: Host, index: int) -> int:
    """How many programs of ours there are at a device."""
    with namespaces.entered(namespace(host)):
        filters = [one for egress in (False, True) for one in attaching.filters(index, egress=egress)]
    links = host.run("bpftool", "link") if shutil.which("bpftool") else ""
    return len(filters) + links.count(f"ifindex veth0({index})")


def test_who_is_killed_leaves_nothing_or_nothing_that_the_next_does_not_take_away(
    world: World, held: ExitStack, tcx: bool
) -> None:
    near, far = world.pair()
    index, way = index_of(near), "tcx" if tcx else "clsact"
    command = ["ip", "netns", "exec", near.name, sys.executable, "-c", _SAMPLES, str(index), way]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=PLAIN) as process:
        assert process.stdout
        attached = process.stdout.readline()
        assert attached in ("tcx\n", "clsact\n")
        process.send_signal(signal.SIGKILL)
        process.wait()
    if attached == "tcx\n":
        assert not left(near, index)
        return
    assert left(near, index) == 2
    look = looking(held, near, {Tap(index, egress=True): 1}, tcx=False)
    assert left(near, index) == 1
    iperf(near, far, [look], "-n", "100K")
    assert len(look.column("at_ns")) > 60
