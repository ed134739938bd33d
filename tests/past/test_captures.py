# SPDX-License-Identifier: Apache-2.0
"""Recorded packets as samples in a lake, asked, and what tshark says of the same packets."""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests import lakes
from tests.captures import CAPTURES, needs_captures
from tests.lakes import Rows
from tests.past.conftest import rows, tables
from tests.protocols.netflow.test_programs import needs_tshark

from fleutan.exports.como.options import Options
from fleutan.exports.forms import pieces
from fleutan.fields import PROTOS

pytestmark = [needs_captures, needs_tshark]
ALL: dict[str, Any] = {"start": 0, "end": 9_000_000_000}
NAMES = ("http", "smtp", "mixed", "dns", "ssdp", "rtsp", "netbios")
_FIELDS = ("ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "ip.proto", "ipv6.nxt", "tcp.srcport", "tcp.dstport")
_FIELDS_OF_UDP = ("udp.srcport", "udp.dstport")


def tshark(path: Path, *words: str) -> str:
    command = ["tshark", "-r", str(path), "-o", "ip.defragment:FALSE", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def fields(path: Path, *names: str) -> list[list[str]]:
    """Fields of each packet, of several layers of one kind the first."""
    lines = tshark(path, "-T", "fields", "-E", "occurrence=f", *(word for name in names for word in ("-e", name)))
    return [line.split("\t") for line in lines.splitlines()]


def frames(path: Path) -> Rows:
    """The frames of a classic capture file as rows of samples, without what their headers say."""
    octets = path.read_bytes()
    order = "<" if octets[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    unit = 1000 if 0xA1B2C3D4 in struct.unpack("<I", octets[:4]) + struct.unpack(">I", octets[:4]) else 1
    link, at, found = struct.unpack_from(order + "I", octets, 20)[0], 24, []
    while at < len(octets):
        seconds, part, kept, size = struct.unpack_from(order + "4I", octets, at)
        time_ns = seconds * 10**9 + part * unit
        row = {"time": time_ns, "packets": 1, "bytes": size, "link_type": link}
        found.append(row | {"header": octets[at + 16 : at + 16 + kept]})
        at += 16 + kept
    return found


@pytest.fixture(scope="module", params=NAMES)
def capture(request: pytest.FixtureRequest) -> Path:
    return CAPTURES / "traffic" / f"{request.param}.pcap"


@pytest.fixture(scope="module")
def lake(capture: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packets, each with the ends that tshark finds."""
    told = frames(capture)
    for row, said in zip(told, fields(capture, *_FIELDS, *_FIELDS_OF_UDP), strict=True):
        src, dst, src6, dst6, proto, proto6, *ports = said
        number = proto or proto6
        row |= {"src": src or src6 or None, "dst": dst or dst6 or None}
        row["proto"] = PROTOS.get(int(number), f"proto-{number}") if number else None
        sport, dport = ports[:2] if ports[0] else ports[2:]
        row |= {"sport": int(sport) if sport else None, "dport": int(dport) if dport else None}
    return lakes.sealed(tmp_path_factory.mktemp("capture"), samples=told)


def test_traffic_is_what_tshark_counts(lake: Path, capture: Path) -> None:
    told = tshark(capture, "-q", "-z", "io,stat,0")
    ((packets, count),) = re.findall(r"<>\s+[\d.]+\s*\|\s*(\d+)\s*\|\s*(\d+)\s*\|", told)
    every = rows(lake, "traffic", interval="10000d", **ALL)
    assert (sum(row["packets"] for row in every), sum(row["bytes"] for row in every)) == (int(packets), int(count))


def test_a_capture_comes_out_as_it_went_in(lake: Path, capture: Path, tmp_path: Path) -> None:
    file = tmp_path / "trace.pcap"
    file.write_bytes(b"".join(pieces("pcap", "trace", tables(lake, "trace", **ALL), Options(), {})))
    names = ("frame.time_epoch", "frame.len", "frame.protocols", "ip.id", "tcp.seq_raw", "udp.length", "_ws.col.Info")
    assert sorted(fields(file, *names)) == sorted(fields(capture, *names))


def test_streams_are_those_that_tshark_follows(lake: Path, capture: Path) -> None:
    """Where nothing was lost: payloads of each direction, in their order."""
    told = {(row["src"], row["sport"], row["dst"], row["dport"]): row for row in rows(lake, "flow-reassembly", **ALL)}
    heads = {key: len(row["header"]) for key, row in told.items() if row["header"]}
    names = ("tcp.stream", "ip.src", "tcp.srcport", "ip.dst", "tcp.dstport", "tcp.analysis.lost_segment")
    streams = fields(capture, *names)
    lossy = {row[0] for row in streams if row[5]}
    checked = 0
    for number in sorted({row[0] for row in streams if row[0]} - lossy):
        followed = tshark(capture, "-q", "-z", f"follow,tcp,raw,{number}")
        nodes = re.findall(r"^Node [01]: (.*):(\d+)$", followed, re.MULTILINE)
        data = [line for line in followed.split("\n") if re.fullmatch(r"\t?([0-9a-f]{2})+", line)]
        ways = {False: b"", True: b""}
        for line in data:
            ways[line.startswith("\t")] += bytes.fromhex(line.strip())
        for is_back, payload in ways.items():
            (src, sport), (dst, dport) = reversed(nodes) if is_back else nodes
            key = (src, int(sport), dst, int(dport))
            if payload and len(payload) <= 100_000:
                assert told[key]["header"].endswith(payload), key
                assert heads[key] - len(payload) < 120
                checked += 1
    assert checked or not streams[0][0] or not any(row[0] for row in streams)


def test_addresses_are_ranked_as_tshark_counts_them(lake: Path, capture: Path) -> None:
    told = tshark(capture, "-q", "-z", "endpoints,ip")
    split = [line.split() for line in told.splitlines()]
    theirs = {row[0]: (int(row[4]), int(row[3])) for row in split if row and row[0][:1].isdigit()}
    ranked = rows(lake, "topaddr", "ip", use_src="", topn=0, **ALL)
    found = {row["address"]: (row["bytes"], row["packets"]) for row in ranked}
    assert {address: found.get(address, (0, 0)) for address in theirs} == theirs
