# SPDX-License-Identifier: Apache-2.0
"""What we write, as other programs read it: nfcapd and nfdump, and tshark."""

from __future__ import annotations

import json
import shutil
import socket
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.nfdump import listed, needs_nfdump, received
from tests.protocols.netflow.flowing import MAPPED, MOMENT, NOW_NS

from fleutan.protocols.netflow.encoding import Sender, encode
from fleutan.protocols.netflow.encoding_5 import encode_5
from fleutan.records import Records

ROWS = 100
SIX = 0x2001_0DB8 << 32

needs_tshark = pytest.mark.skipif(not shutil.which("tshark"), reason="needs tshark")


def made(rows: int = ROWS, six: bool = True) -> Records:
    """Flows of both families in turn, or of IPv4."""
    row = np.arange(rows)
    old = (row % 2 == 0) | (not six)
    return Records(
        rows,
        {
            "src": np.stack((np.where(old, 0, SIX), np.where(old, MAPPED | 0x0A000000 + row, row)), 1),
            "dst": np.stack((np.where(old, 0, SIX), np.where(old, MAPPED | 0x0B000000 + row, 1000 + row)), 1),
            "sport": 1024 + row,
            "dport": np.full(rows, 443),
            "proto": np.full(rows, 6),
            "packets": 1 + row,
            "bytes": 1000 * (1 + row),
            "tcp_flags": np.full(rows, 0x1B),
            "tos": row % 64,
            "in_if": 1 + row % 4,
            "out_if": 5 + row % 4,
            "src_as": 64512 + row,
            "dst_as": 64513 + row,
            "start": NOW_NS - 20_000_000_000 + row * 10**6,
            "end": NOW_NS - 10_000_000_000 + row * 10**6,
        },
        {},
    )


def datagrams_of(version: int) -> tuple[Records, list[bytes]]:
    if version == 5:
        columns = made(six=False)
        return columns, encode_5(columns, MOMENT, 0)[0].datagrams
    columns = made()
    return columns, encode(Sender(version, 7), columns, MOMENT).datagrams


def pcap(path: Path, datagrams: Sequence[bytes]) -> Path:
    """The datagrams from 127.0.0.1 to port 2055, as raw IP packets (LINKTYPE_RAW)."""
    octets = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    for payload in datagrams:
        udp = struct.pack("!HHHH", 50000, 2055, 8 + len(payload), 0)
        loopback = bytes([127, 0, 0, 1])
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 0, 0, 64, 17, 0, loopback, loopback)
        packet = ip + udp + payload
        octets += struct.pack("<IIII", NOW_NS // 10**9, 0, len(packet), len(packet)) + packet
    path.write_bytes(octets)
    return path


def ends(columns: Records, name: str) -> list[str]:
    family = {True: socket.AF_INET, False: socket.AF_INET6}
    return [
        socket.inet_ntop(family[high == 0], struct.pack("!qq", high, low)[12 if high == 0 else 0 :])
        for high, low in columns.values[name].tolist()
    ]


@needs_tshark
@pytest.mark.parametrize("version", [5, 9, 10])
def test_tshark_reads_what_we_write(tmp_path: Path, version: int) -> None:
    columns, datagrams = datagrams_of(version)
    names = {
        "cflow.octets": "bytes",
        "cflow.packets": "packets",
        "cflow.srcport": "sport",
        "cflow.inputint": "in_if",
        "cflow.srcas": "src_as",
        "cflow.tos": "tos",
    }
    fields = [part for name in (*names, "cflow.srcaddr", "cflow.srcaddrv6") for part in ("-e", name)]
    file = pcap(tmp_path / "ours.pcap", datagrams)
    command = ["tshark", "-r", str(file), "-d", "udp.port==2055,cflow", "-T", "json", *fields]
    layers = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    theirs: dict[str, list[str]] = {}
    for layer in layers:
        for name, values in layer["_source"]["layers"].items():
            theirs.setdefault(name, []).extend(map(str, values))
    for name, ours in names.items():
        assert sorted(int(one, 0) for one in theirs[name]) == sorted(columns.values[ours].tolist()), name
    addresses = theirs.get("cflow.srcaddr", []) + theirs.get("cflow.srcaddrv6", [])
    assert sorted(addresses) == sorted(ends(columns, "src"))
    malformed = subprocess.run([*command[:5], "-Y", "_ws.malformed"], capture_output=True, text=True, check=True)
    assert malformed.stdout == ""


@needs_nfdump
@pytest.mark.parametrize("version", [5, 9, 10])
def test_nfdump_reads_what_we_write(tmp_path: Path, version: int) -> None:
    columns, datagrams = datagrams_of(version)
    lines = collected(tmp_path, datagrams, columns.rows)
    found = [line.split(",") for line in lines]
    ours = zip(
        *(ends(columns, "src"), ends(columns, "dst")),
        *(columns.values[name].tolist() for name in ("sport", "dport", "packets", "bytes", "in_if", "out_if")),
        strict=True,
    )
    assert sorted(found) == sorted([str(one) for one in row] for row in ours)


def collected(folder: Path, datagrams: Sequence[bytes], rows: int) -> list[str]:
    """What nfdump shows of what an nfcapd of our own was sent."""
    found = listed(received(folder, datagrams), "%sa,%da,%sp,%dp,%pkt,%byt,%in,%out")
    assert len(found) == rows, found
    return [",".join(fields) for fields in found]
