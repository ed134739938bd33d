# SPDX-License-Identifier: Apache-2.0
"""Messages as columns: those that no socket at hand gives, and broken ones."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleutan.linux import inetdiag
from fleutan.records import Records

RECORDED = Path(__file__).parents[1] / "data" / "inetdiag"
PROTOCOLS = {"tcp": 6, "udp": 17, "mptcp": 262}


def attribute(kind: int, body: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(body), kind) + body + bytes(-len(body) % 4)


def message(*attributes: bytes, cookie: int = 7, kind: int = 20, family: int = 2) -> bytes:
    body = struct.pack("=BBBB", family, 1, 0, 0) + struct.pack(">HH", 443, 50000) + bytes(range(32))
    body += struct.pack("=IQ5I", 3, cookie, 5, 6, 7, 8, 9) + b"".join(attributes)
    return struct.pack("=IHHII", 16 + len(body), kind, 2, family, 99) + body


FULL = attribute(8, b"\x02")


def only(*attributes: bytes, protocol: int = 6) -> dict[str, Any]:
    """What is known of the one row."""
    records = inetdiag.parse(message(*attributes), protocol)
    assert (records.rows, records.known) == (1, {})
    return {name: values[0].tolist() for name, values in records.values.items()}


def test_the_message_itself() -> None:
    records = inetdiag.parse(message(FULL), 6)
    assert records.known == {}
    assert {name: values.tolist() for name, values in records.values.items()} == {
        "proto": [6],
        "idiag_family": [2],
        "idiag_state": [1],
        "idiag_timer": [0],
        "idiag_retrans": [0],
        "idiag_sport": [443],
        "idiag_dport": [50000],
        "idiag_src": [list(struct.unpack("=4I", bytes(range(16))))],
        "idiag_dst": [list(struct.unpack("=4I", bytes(range(16, 32))))],
        "idiag_if": [3],
        "idiag_cookie": [7],
        "idiag_expires": [5],
        "idiag_rqueue": [6],
        "idiag_wqueue": [7],
        "idiag_uid": [8],
        "idiag_inode": [9],
        "shutdown": [2],
    }
    assert {str(values.dtype) for values in records.values.values()} == {"int64", "uint32"}


def test_owner_of_a_socket_that_is_not_whole_is_unknown() -> None:
    records = inetdiag.parse(message(FULL) + message(attribute(15, bytes(4))), 6)
    assert records.values["idiag_uid"].tolist() == [8, 0]
    assert records.known["idiag_uid"].tolist() == [True, False]
    assert records.known["mark"].tolist() == [False, True]
    assert "idiag_inode" not in records.known


def test_cookies_and_large_numbers_keep_their_bits() -> None:
    row = only(FULL, attribute(21, struct.pack("=Q", 2**64 - 2)), attribute(16, struct.pack("=5I", 1, 3, 20, 300, 400)))
    assert row["cgroup_id"] == -2
    assert row["bbr_bw"] == 3 << 32 | 1
    assert (row["bbr_min_rtt"], row["bbr_pacing_gain"], row["bbr_cwnd_gain"]) == (20, 300, 400)


@pytest.mark.parametrize(
    ("length", "last", "absent"),
    [
        (104, "tcpi_total_retrans", "tcpi_pacing_rate"),
        (160, "tcpi_data_segs_out", "tcpi_delivery_rate_app_limited"),
        (168, "tcpi_delivery_rate_app_limited", "tcpi_busy_time"),
        (192, "tcpi_sndbuf_limited", "tcpi_fastopen_client_fail"),
        (232, "tcpi_snd_wnd", "tcpi_rcv_wnd"),
        (240, "tcpi_rehash", "tcpi_total_rto"),
        (400, "tcpi_received_ce_bytes", "tcpi_accecn_opt_seen"),
    ],
)
def test_struct_of_another_kernel(length: int, last: str, absent: str) -> None:
    row = only(attribute(2, bytes(length)))
    assert last in row
    assert absent not in row


def test_bit_fields() -> None:
    row = only(attribute(2, bytes(6) + b"\xa7\x05" + bytes(272)))
    assert (row["tcpi_snd_wscale"], row["tcpi_rcv_wscale"]) == (7, 10)
    assert (row["tcpi_delivery_rate_app_limited"], row["tcpi_fastopen_client_fail"]) == (1, 2)


@pytest.mark.parametrize(
    ("protocol", "present", "absent"),
    [(33, "tcpi_pmtu", "tcpi_rtt"), (132, "idiag_state", "tcpi_state"), (262, "mptcpi_token", "tcpi_rtt")],
)
def test_information_is_another_struct_for_every_protocol(protocol: int, present: str, absent: str) -> None:
    row = only(attribute(2, bytes(96)), protocol=protocol)
    assert row["proto"] == protocol
    assert present in row
    assert absent not in row


def test_congestion_controls_and_names() -> None:
    row = only(
        attribute(3, struct.pack("=4I", 1, 2, 3, 4)),
        attribute(9, struct.pack("=HHIII", 1, 0, 512, 5, 6)),
        attribute(4, b"a-name-that-is-too-long\0"),
        attribute(7, struct.pack("=8I", *range(8))),
        attribute(10, b"\x3a"),
        attribute(19 | 0x8000, attribute(1, b"tls\0") + attribute(2, bytes(6))),
        attribute(99, b"of a later kernel"),
    )
    assert (row["tcpv_enabled"], row["tcpv_rttcnt"], row["tcpv_rtt"], row["tcpv_minrtt"]) == (1, 2, 3, 4)
    assert (row["dctcp_enabled"], row["dctcp_alpha"], row["dctcp_ab_ecn"], row["dctcp_ab_tot"]) == (1, 512, 5, 6)
    assert (row["cong"], row["ulp"], row["protocol"]) == (b"a-name-that-is-t", b"tls", 58)
    assert row["backlog"] == 7
    assert "drops" not in row


def test_names_are_empty_where_unknown() -> None:
    records = inetdiag.parse(message(attribute(4, b"bbr\0")) + message(attribute(4, b"")), 6)
    assert sorted(records.values["cong"].tolist()) == [b"", b"bbr"]
    assert records.values["cong"].dtype == "S16"
    assert sorted(records.known["cong"].tolist()) == [False, True]


def test_chosen_columns_only() -> None:
    names = ("idiag_sport", "tcpi_rtt", "cong", "proto")
    records = inetdiag.parse((RECORDED / "tcp.bin").read_bytes(), 6, names)
    every = inetdiag.parse((RECORDED / "tcp.bin").read_bytes(), 6)
    assert set(records.values) == set(names)
    for name in names:
        np.testing.assert_array_equal(records.values[name], every.values[name])
    assert inetdiag.parse(message(FULL), 6, ()) == Records(1, {}, {})


def test_large_dumps_are_read_piece_by_piece() -> None:
    information = attribute(2, bytes(280))
    kinds = [(FULL, information), (information, FULL), (FULL,), (FULL, attribute(5, b"\x10"), information)]
    data = b"".join(message(*kinds[place % 4], cookie=place) for place in range(12_000))
    records, malformed = inetdiag.parse_counted(data, 6)
    assert (records.rows, malformed) == (12_000, 0)
    assert sorted(records.values["idiag_cookie"].tolist()) == list(range(12_000))
    rest = records.values["idiag_cookie"] % 4
    assert np.array_equal(records.known["tos"], rest == 3)
    assert np.array_equal(records.known["tcpi_rtt"], rest != 2)
    for kind in range(4):
        assert np.all(np.diff(records.values["idiag_cookie"][rest == kind]) > 0)


def test_more_layouts_than_any_kernel_has() -> None:
    data = b"".join(message(attribute(1000 + place, b""), cookie=place) for place in range(200)) * 2
    records, malformed = inetdiag.parse_counted(data, 6)
    assert (records.rows, malformed) == (400, 0)
    assert sorted(set(records.values["idiag_cookie"].tolist())) == list(range(200))


# -- what is broken


def end_of_dump(kind: int) -> bytes:
    return struct.pack("=IHHIIi", 20, kind, 2, 0, 0, 0)


def test_nothing_is_no_rows() -> None:
    records, malformed = inetdiag.parse_counted(b"", 6)
    assert (records.rows, malformed) == (0, 0)
    assert records.values["proto"].tolist() == []


@pytest.mark.parametrize(
    ("data", "rows", "malformed"),
    [
        (message() + end_of_dump(3), 1, 0),
        (end_of_dump(1) + message(), 1, 0),
        (message() + end_of_dump(2) + message(), 2, 1),
        (message(kind=18) + message(), 1, 1),
        (message()[:60].replace(b"\x58\0\0\0", b"\x3c\0\0\0", 1) + message(), 1, 1),
        (message() + bytes(16) + message(), 1, 1),
        (message() + b"x", 1, 1),
        (message() + message()[:-1], 1, 1),
        (message(struct.pack("=HH", 3, 4)) + message(), 1, 1),
        (message(struct.pack("=HH", 9, 4) + b"cong") + message(), 1, 1),
        (message(attribute(19, struct.pack("=HH", 8, 1))) + message(), 1, 1),
        (message(b"xx"), 1, 0),
    ],
    ids=[
        *("end", "nothing", "error", "other kind", "no whole inet_diag_msg", "no length", "rest", "cut"),
        *("short attribute", "long attribute", "long nested attribute", "odd length"),
    ],
)
def test_malformed_messages_are_counted(data: bytes, rows: int, malformed: int) -> None:
    records, counted = inetdiag.parse_counted(bytearray(data), 6)
    assert (records.rows, counted) == (rows, malformed)
    assert records.values["idiag_cookie"].tolist() == [7] * rows


def ends(data: bytes) -> list[int]:
    """Where each message of a good dump ends."""
    found, at = [], 0
    while at < len(data):
        at += struct.unpack_from("=I", data, at)[0]
        found.append(at)
    return found


#: Enough to see that attributes are still told apart; all columns would only take longer.
CHOSEN = ("idiag_cookie", "tcpi_rtt", "mptcpi_token", "cong", "ulp", "drops")


def some_of(name: str) -> bytes:
    """One message of every length of a recorded dump."""
    data = (RECORDED / f"{name}.bin").read_bytes()
    return b"".join({end - at: data[at:end] for at, end in pairwise([0, *ends(data)])}.values())


@pytest.mark.parametrize("name", PROTOCOLS)
def test_truncated_anywhere(name: str) -> None:
    data = some_of(name)
    boundaries = ends(data)
    cookies = set(inetdiag.parse(data, PROTOCOLS[name]).values["idiag_cookie"].tolist())
    for length in range(len(data)):
        records, malformed = inetdiag.parse_counted(data[:length], PROTOCOLS[name], CHOSEN)
        assert records.rows == sum(end <= length for end in boundaries)
        assert malformed == (length not in {0, *boundaries})
        assert set(records.values.get("idiag_cookie", np.empty(0)).tolist()) <= cookies


def check(data: bytes, protocol: int, names: tuple[str, ...] | None = None) -> None:
    records, malformed = inetdiag.parse_counted(data, protocol, names)
    assert 0 <= records.rows <= len(data) // 88
    assert 0 <= malformed <= len(data) // 16 + 1
    assert all(len(values) == records.rows for values in [*records.values.values(), *records.known.values()])


@settings(max_examples=300)
@given(
    st.sampled_from(list(PROTOCOLS)),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), max_size=4),
)
def test_flipped_bits(name: str, flips: list[tuple[float, int]]) -> None:
    data = bytearray((RECORDED / f"{name}.bin").read_bytes())
    for place, bit in flips:
        data[int(place * len(data))] ^= 1 << bit
    check(bytes(data), PROTOCOLS[name])


def test_every_bit_of_a_message_flipped() -> None:
    data = (RECORDED / "tcp.bin").read_bytes()
    first, second = ends(data)[:2]
    for bit in range(8 * first):
        flipped = bytearray(data[:second])
        flipped[bit // 8] ^= 1 << bit % 8
        check(bytes(flipped), 6, CHOSEN)


@given(st.binary(max_size=400), st.sampled_from([6, 17, 33, 132, 262]))
def test_garbage(data: bytes, protocol: int) -> None:
    check(data, protocol)
    check(struct.pack("=IHHII", 16 + len(data), 20, 2, 2, 0) + data, protocol)
    check(message(data, FULL), protocol)


@given(st.lists(st.tuples(st.integers(0, 30), st.binary(max_size=40)), max_size=8))
def test_any_attributes_in_any_order(pairs: list[tuple[int, bytes]]) -> None:
    attributes = [attribute(kind, body) for kind, body in pairs if kind != 19]
    records, malformed = inetdiag.parse_counted(message(*attributes), 6)
    assert (records.rows, malformed) == (1, 0)
    assert records.values["idiag_cookie"].tolist() == [7]
    for kind, name in ((5, "tos"), (6, "tclass"), (8, "shutdown")):
        bodies = [body for found, body in pairs if found == kind and body]
        assert records.values.get(name, np.empty(0)).tolist() == [body[0] for body in bodies[-1:]]
