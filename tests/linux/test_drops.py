# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bpf import needs_bpf, same_object_again

from fleutan.errors import FleutanError, NotSupported
from fleutan.linux import drops
from fleutan.linux.drops import (
    DROP,
    PROGRAMS,
    RECEIVED,
    RESET_RECEIVED,
    RESET_SENT,
    Counting,
    Counts,
    Symbols,
    parse,
)
from fleutan.linux.libbpf import counting_runs
from fleutan.linux.reasons import drop_reasons, reset_reasons

KEY, COUNT = 72, 40
CPUS = 2
UDP = 17

Row = dict[str, Any]


def key(
    family: int = 2, sport: int = 53, dport: int = 1000, cookie: int = 9, location: int = 0xFFFF_FFFF_8100_0010
) -> bytes:
    """A struct drop_key."""
    ends = bytes(range(16)), bytes(range(16, 32))
    return struct.pack(
        "=QQ16s16s3I3H4B2x",
        *(cookie, location, *ends, 6, 4026531840, 3, sport, dport, 0x0800, DROP, RECEIVED, family, UDP),
    )


def value(packets: int, device: bytes = b"") -> bytes:
    """A struct drop_count."""
    return struct.pack("=3Q16s", packets, packets + 1, packets * 100, device)


def counts(flows: tuple[bytes, bytes] = (b"", b""), rest: tuple[bytes, bytes] = (b"", b"")) -> Counts:
    return Counts(flows, rest, 1, 2, 3)


def test_nothing_is_no_rows() -> None:
    assert parse(counts()).rows == 0


def test_counts_have_the_kernels_words() -> None:
    found = parse(counts((key() + key(family=0, cookie=0), value(4, b"eth0") + value(5))))
    values = {name: column[0].tolist() for name, column in found.values.items() if column.ndim == 1}
    expected = {"idiag_cookie": 9, "location": 0xFFFF_FFFF_8100_0010 - (1 << 64), "reason": 6, "ifindex": 3}
    expected |= {"netns_inode": 4026531840, "idiag_sport": 53, "idiag_dport": 1000, "ethertype": 0x0800}
    expected |= {"event": DROP, "direction": RECEIVED, "idiag_family": 2, "proto": UDP, "of_flow": 1}
    assert values == {**expected, "packets": 4, "segments": 5, "bytes": 400, "device": b"eth0"}
    assert found.values["idiag_src"][0].tobytes() == bytes(range(16))
    for name in ("idiag_cookie", "idiag_src", "idiag_dst", "idiag_sport", "idiag_dport", "proto"):
        assert found.known[name].tolist() == [True, False]


def test_rows_without_flow_are_added_over_the_cpus() -> None:
    found = parse(counts(rest=(key(), value(4) + value(5, b"eth0"))))
    assert (found.values["packets"].tolist(), found.values["device"].tolist()) == ([9], [b"eth0"])
    assert not found.known["idiag_src"].any()
    assert found.values["of_flow"].tolist() == [0]


def test_what_has_no_ports_has_none() -> None:
    found = parse(counts((key(sport=0, dport=0), value(1))))
    assert not found.known["idiag_sport"].any()
    assert found.known["idiag_src"].all()


@given(st.integers(0, 3 * KEY), st.integers(0, 3 * COUNT))
def test_bytes_are_whole_records_or_an_error(keys: int, values: int) -> None:
    taken = counts((bytes(keys), bytes(values)))
    if keys % KEY or values % (keys // KEY * COUNT or 1) or (keys and not values):
        with pytest.raises(FleutanError, match="do not go with"):
            parse(taken)
    else:
        assert parse(taken).rows == keys // KEY


# -- the kernel


@pytest.fixture
def counting() -> Iterator[Counting]:
    with Counting() as made:
        yield made


def rows_of(taken: Counts, **wanted: int) -> list[Row]:
    found = parse(taken)
    if not found.rows:
        return []
    names = [name for name, values in found.values.items() if values.ndim == 1]
    chosen = np.logical_and.reduce([found.values[name] == number for name, number in wanted.items()])
    return [{name: found.values[name][row].tolist() for name in names} for row in np.flatnonzero(chosen)]


def bound(kind: socket.SocketKind) -> socket.socket:
    made = socket.socket(socket.AF_INET, kind)
    made.bind(("127.0.0.1", 0))
    return made


def unwanted(times: int, port: int) -> int:
    """Datagrams to a port where nobody is; the port that they came from."""
    with bound(socket.SOCK_DGRAM) as sender:
        for _ in range(times):
            sender.sendto(b"x" * 100, ("127.0.0.1", port))
        return int(sender.getsockname()[1])


@pytest.fixture
def closed_port() -> int:
    """A UDP port where nobody is."""
    with bound(socket.SOCK_DGRAM) as taken:
        return int(taken.getsockname()[1])


@needs_bpf
def test_what_nobody_wants_is_counted_by_flow(counting: Counting, closed_port: int) -> None:
    sport = unwanted(7, closed_port)
    (row,) = rows_of(counting.read(), idiag_sport=closed_port, idiag_dport=sport)
    assert (row["event"], row["direction"], row["proto"], row["idiag_family"]) == (DROP, RECEIVED, UDP, 2)
    assert (row["packets"], row["segments"], row["bytes"]) == (7, 7, 7 * 108)
    assert (row["device"], row["ifindex"]) == (b"lo", 1)
    assert row["netns_inode"] == os.stat("/proc/self/ns/net").st_ino
    assert drop_reasons()[row["reason"]] == "NO_SOCKET"


@needs_bpf
def test_every_event_is_in_one_reading(counting: Counting, closed_port: int) -> None:
    seen = 0
    for times in (3, 4, 0, 5):
        unwanted(times, closed_port)
        seen += sum(row["packets"] for row in rows_of(counting.read(), idiag_sport=closed_port))
    assert seen == 12


@needs_bpf
def test_a_refused_connection_is_a_drop_a_reset_sent_and_one_received(counting: Counting) -> None:
    with bound(socket.SOCK_STREAM) as taken, socket.socket() as client:
        port = taken.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            client.connect(("127.0.0.1", port))
    read = counting.read()
    (dropped,) = rows_of(read, event=DROP, idiag_sport=port)
    (received,) = rows_of(read, event=RESET_RECEIVED, idiag_dport=port)
    sent = rows_of(read, event=RESET_SENT, idiag_sport=port)
    assert len(sent) == bool(reset_reasons())  # kernels whose resets have no reasons do not tell these
    assert {row["idiag_dport"] for row in (dropped, *sent)} == {received["idiag_sport"]}
    assert dropped["location"] != 0
    assert [row["location"] for row in (received, *sent)] == [0] * (1 + len(sent))
    assert {row["packets"] for row in (dropped, received, *sent)} == {1}


@needs_bpf
def test_flows_without_room_are_counted_without_their_flow(closed_port: int) -> None:
    with Counting(flows=1) as counting:
        for _ in range(5):
            unwanted(4, closed_port)
        read = counting.read()
    assert len(rows_of(read, of_flow=1)) == 1
    reasons = {drop_reasons()[row["reason"]]: row["packets"] for row in rows_of(read, of_flow=0)}
    assert reasons["NO_SOCKET"] >= 16
    assert read.lost == (0, 0, 0)


@needs_bpf
def test_what_finds_no_room_at_all_is_added_up(closed_port: int) -> None:
    with Counting(flows=1, rest=1) as counting, bound(socket.SOCK_DGRAM) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        for _ in range(3):  # two reasons, one row
            unwanted(4, closed_port)
            unwanted(20, deaf.getsockname()[1])
        first, second = counting.read(), counting.read()
    counted = int(parse(first).values["packets"].sum())
    assert first.lost.packets >= 8
    assert counted + first.lost.packets >= 12 + 3 * 10
    # What else this host drops meanwhile may be as short as an IPv4 header.
    assert first.lost.bytes >= 8 * 100 + (first.lost.packets - 8) * 20
    assert second.lost.packets < first.lost.packets


@needs_bpf
def test_its_cost_is_counted_where_the_kernel_counts(closed_port: int) -> None:
    with counting_runs(), Counting() as counting:
        unwanted(5, closed_port)
        assert counting.runs("kfree_skb").run_cnt >= 5
        assert all(counting.runs(program).recursion_misses == 0 for program in PROGRAMS)


@needs_bpf
def test_nothing_is_left_behind() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with Counting() as counting:
        counting.read()
    with suppress(NotSupported), Counting(library="libbpf.so.0x"):
        pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_without_libbpf_it_says_what_to_install() -> None:
    with pytest.raises(NotSupported, match="install libbpf1"), Counting(library="libbpf.so.0x"):
        pass


# -- places in the kernel

KALLSYMS = """\
ffffffff81000000 T _stext
ffffffff81000100 T tcp_v4_rcv
ffffffff81000900 t nf_hook_slow.part.0
ffffffffc0001000 t nft_do_chain\t[nf_tables]
ffffffff81000500 T ip_rcv
"""


@pytest.fixture
def kallsyms(tmp_path: Path) -> Path:
    path = tmp_path / "kallsyms"
    path.write_text(KALLSYMS)
    return path


def test_an_address_is_in_the_function_that_begins_last_before_it(kallsyms: Path) -> None:
    addresses = {0xFFFF_FFFF_8100_0100: "tcp_v4_rcv", 0xFFFF_FFFF_8100_04FF: "tcp_v4_rcv"}
    addresses |= {0xFFFF_FFFF_8100_0500: "ip_rcv", 0xFFFF_FFFF_8100_0901: "nf_hook_slow"}
    addresses |= {0xFFFF_FFFF_C000_2000: "nft_do_chain [nf_tables]"}
    assert Symbols(str(kallsyms)).names(addresses) == addresses
    signed = {address - (1 << 64): name for address, name in addresses.items()}
    assert Symbols(str(kallsyms)).names(signed) == signed


def test_addresses_below_all_functions_have_no_name(kallsyms: Path) -> None:
    assert Symbols(str(kallsyms)).names([0x1000]) == {}


def test_hidden_addresses_name_nothing(kallsyms: Path) -> None:
    kallsyms.write_text("".join(f"{0:016x}{line[16:]}\n" for line in KALLSYMS.splitlines()))
    assert Symbols(str(kallsyms)).names([0xFFFF_FFFF_8100_0100]) == {}
    assert Symbols(str(kallsyms.with_name("none"))).names([0xFFFF_FFFF_8100_0100]) == {}


def test_the_file_is_read_for_new_addresses_only_and_what_is_kept_is_bounded(kallsyms: Path) -> None:
    symbols, first = Symbols(str(kallsyms)), 0xFFFF_FFFF_8100_0100
    assert symbols.names([first]) == {first: "tcp_v4_rcv"}
    kallsyms.unlink()
    assert symbols.names([first, first]) == {first: "tcp_v4_rcv"}
    assert symbols.names(range(first, first + drops.REMEMBERED + 1)) == {}
    assert symbols.names([first]) == {}


@needs_bpf
@pytest.mark.skipif(
    Path("/proc/kallsyms").read_bytes()[:16] == b"0" * 16, reason="needs the addresses in /proc/kallsyms"
)
def test_the_place_of_a_drop_is_a_function_of_its_protocol(counting: Counting, closed_port: int) -> None:
    sport = unwanted(1, closed_port)
    (row,) = rows_of(counting.read(), idiag_sport=closed_port, idiag_dport=sport)
    assert "udp" in Symbols().names([row["location"]])[row["location"]]


def test_the_object_is_what_its_source_compiles_to(tmp_path: Path) -> None:
    same_object_again("drops", tmp_path)
