# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
import subprocess
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from tests import lakes
from tests.lakes import AT, Rows
from tests.past.conftest import named, rows, tables
from tests.past.segments import IPV4, IPV6, sample, segment, turned

from fleutan.errors import FleutanError
from fleutan.exports.como.options import Options
from fleutan.exports.forms import pieces
from fleutan.lake.kinds import KINDS
from fleutan.past.reassembly import FIELDS, LONGEST, reassembled, streams
from fleutan.table import Table

_HEAD = 14 + 20 + 20


def table_of(samples: Rows) -> Table:
    """As a lake gives them: all columns that are read."""
    empty = dict.fromkeys(FIELDS)
    return lakes.table("samples", [{name: row.get(name) for name in FIELDS} for row in samples] or [empty])


def told(*samples: dict[str, Any]) -> Rows:
    return [row for table in reassembled([table_of(list(samples))], "flow-reassembly") for row in named(table)]


def payloads(*samples: dict[str, Any]) -> list[bytes]:
    return [row["header"][_HEAD:] for row in told(*samples)]


def test_payload_is_joined_in_order_of_sequence_numbers() -> None:
    text = b"".join(b"%07d\n" % number for number in range(2000))
    samples = [sample(IPV4, 999, flags=0x02)]
    samples += [sample(IPV4, 1000 + at, text[at : at + 100], at + 1) for at in range(0, len(text), 100)]
    random.Random(1).shuffle(samples[1:])  # noqa: S311
    shuffled = [samples[0], *sorted(samples[1:], key=lambda row: hash(row["header"]))]
    assert payloads(*shuffled) == [text]
    (row,) = told(*samples)
    assert (row["start"], row["end"], row["proto"]) == (AT, samples[-1]["time"], "tcp")
    assert tuple(row[name] for name in ("src", "sport", "dst", "dport")) == IPV4
    assert (row["packets"], row["bytes"]) == (len(samples), sum(one["bytes"] for one in samples))
    assert row["time"] == row["start"]
    assert row["link_type"] == 1
    assert row["header"][47] == 0


def test_each_direction_is_a_stream_and_each_connection() -> None:
    found = told(
        sample(IPV4, 0, b"GET /", 0),
        sample(turned(IPV4), 50, b"200 OK", 1),
        sample(IPV6, 0, b"six", 2),
        sample(IPV4, 700_000, b"", 3, flags=0x02),
        sample(IPV4, 700_001, b"PUT /", 4),
    )
    assert [row["header"][_HEAD:] for row in found if ":" not in row["src"]] == [b"GET /", b"200 OK", b"PUT /"]
    assert found[2]["header"].endswith(b"six")
    assert [row["packets"] for row in found] == [1, 1, 1, 2]


def test_what_came_twice_is_there_once_and_holes_are_not_filled() -> None:
    assert payloads(
        sample(IPV4, 10, b"abcdef"),
        sample(IPV4, 10, b"abc", 1),
        sample(IPV4, 13, b"defgh", 2),
        sample(IPV4, 12, b"cd", 3),
        sample(IPV4, 30, b"xyz", 4),
        sample(IPV4, 5, b"12345", 5),
    ) == [b"12345abcdefghxyz"]


def test_sequence_numbers_begin_again_after_the_last() -> None:
    last = (1 << 32) - 3
    assert payloads(sample(IPV4, last, b"abc"), sample(IPV4, 0, b"def", 1), sample(IPV4, 3, b"g", 2)) == [b"abcdefg"]


def test_padding_is_no_payload_and_what_was_cut_off_is_missing() -> None:
    assert payloads(sample(IPV4, 0, b"ab", pad=10), sample(IPV4, 2, b"cdef", 1, snap=_HEAD + 2)) == [b"abcd"]


def test_headers_that_were_cut_count_but_say_nothing() -> None:
    (row,) = told(sample(IPV4, 0, b"ab", snap=_HEAD - 1, options=bytes(4)), sample(IPV4, 2, b"cd", 1, sampling_rate=10))
    assert row["header"][_HEAD:] == b"cd"
    assert row["packets"] == 11
    (row,) = told(sample(IPV4, 0, b"ab", snap=_HEAD - 1, options=bytes(4)))
    assert (row["header"], row["packets"]) == (None, 1)


def test_what_is_no_tcp_is_left_out() -> None:
    arp = sample(IPV4, 0) | {"header": bytes(12) + b"\x08\x06" + bytes(28)}
    assert told(arp, sample(IPV4, 0) | {"header": None}, sample(IPV4, 0) | {"link_type": None}, arp) == []


def test_a_stream_has_a_hundred_thousand_octets_at_most() -> None:
    many = [sample(IPV4, at, bytes([at // 1000 % 256]) * 1000, at) for at in range(0, 400_000, 1000)]
    (payload,) = payloads(*many)
    assert payload == b"".join(bytes([number]) * 1000 for number in range(LONGEST // 1000))
    early = sample(IPV4, (1 << 32) - 500, b"!" * 500, 500_000)
    (payload,) = payloads(*many, early)
    assert payload[:600] == b"!" * 500 + b"\0" * 100
    assert len(payload) == LONGEST
    (stream,) = streams([table_of(many)])
    assert stream.kept <= 2 * LONGEST


def test_more_than_fits_is_said() -> None:
    many = [sample(IPV4, at, b"x" * 1000, at) for at in range(0, 50_000, 1000)]
    with pytest.raises(FleutanError, match="the streams have more than 0 MiB: ask of a shorter time"):
        streams([table_of(many)], most=40_000)


def test_hostile_counts_go_to_the_greatest_that_can_be_told() -> None:
    (row,) = told(*[sample(IPV4, 0, sampling_rate=1 << 62) | {"bytes": 1 << 62}] * 2)
    assert row["bytes"] == (1 << 63) - 1


def test_many_streams_come_in_several_tables() -> None:
    many = [sample(("10.0.0.1", port, "10.0.0.2", 80), 0, b"x", port) for port in range(1, 251)]
    found = list(reassembled([table_of(many)], "flow-reassembly"))
    assert [len(table) for table in found] == [100, 100, 50]
    assert [len(table) for table in reassembled([table_of(many)], "flow-reassembly", 120)] == [100, 20]
    assert [len(table) for table in reassembled([], "flow-reassembly")] == [0]


# -- as a module


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A request and its answer, and a stranger."""
    said = b"GET /index.html HTTP/1.1\r\nHost: fleutan.example\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" + b"a" * 90_000
    samples = [sample(IPV4, 99, flags=0x02), sample(turned(IPV4), 499, b"", 1, flags=0x12), sample(IPV4, 100, said, 2)]
    samples += [sample(turned(IPV4), 500 + at, answer[at : at + 1448], 3 + at) for at in range(0, len(answer), 1448)]
    samples += [sample(IPV6, 5, b"hello", 10**9), {**sample(IPV6, 5, at=10**9 + 1), "proto": "udp", "header": None}]
    return lakes.sealed(tmp_path, samples=samples)


def test_flows_are_reassembled_from_a_lake(lake: Path) -> None:
    found = rows(lake, "flow-reassembly")
    assert [(row["src"], row["packets"]) for row in found] == [("10.0.0.1", 2), ("10.0.0.2", 64), ("2001:db8::1", 1)]
    assert [row["header"][-5:] for row in found] == [b"\r\n\r\n"[-5:].rjust(5, b"e"), b"aaaaa", b"hello"]
    assert [row["src"] for row in rows(lake, "flow-reassembly", "dst port 443")] == ["2001:db8::1"]
    assert len(rows(lake, "flow-reassembly", topn=1)) == 1
    assert rows(lake, "flow-reassembly", "udp") == []
    assert set(FIELDS) <= set(KINDS["samples"].names)


def test_each_form_of_it_is_written(lake: Path) -> None:
    plain = b"".join(pieces("plain", "flow-reassembly", tables(lake, "flow-reassembly"), Options(), {}))
    assert plain.decode().splitlines()[0].split()[2:7] == ["6", "10.0.0.1", "40000", "10.0.0.2", "80"]
    for form in ("pretty", "json", "jsonl", "csv", "pcapng"):
        assert b"".join(pieces(form, "flow-reassembly", tables(lake, "flow-reassembly"), Options(), {}))


@pytest.mark.skipif(not which("tshark"), reason="tshark is not installed")
def test_tshark_reads_the_streams(lake: Path, tmp_path: Path) -> None:
    file = tmp_path / "streams.pcap"
    file.write_bytes(b"".join(pieces("pcap", "flow-reassembly", tables(lake, "flow-reassembly"), Options(), {})))
    fields = ("ip.src", "ipv6.src", "tcp.len", "tcp.flags.syn", "tcp.checksum.status", "http.request.uri")
    command = ["tshark", "-r", str(file), "-o", "tcp.check_checksum:TRUE", "-T", "fields"]
    command += [word for field in fields for word in ("-e", field)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    request, answer, other = (line.replace("False", "0").split("\t") for line in found.splitlines())
    assert request == ["10.0.0.1", "", "51", "0", "1", "/index.html"]
    assert answer[:4] == ["10.0.0.2", "", str(90_000 + 42), "0"]
    assert other[:5] == ["", "2001:db8::1", "5", "0", "1"]


def test_a_frame_is_what_it_seems() -> None:
    """The test's own frames: 20 octets of TCP behind 20 of IP behind 14."""
    assert segment(IPV4, 1, b"abc")[_HEAD:] == b"abc"
