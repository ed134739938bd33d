# SPDX-License-Identifier: Apache-2.0
"""The same flows in a lake and in nfcapd's file: octets a flow, and five questions asked of both in turns.

    python bench/lake.py [FLOWS]

Flows are made up (Zipf hosts and ports), sent to nfcapd as NetFlow 5 over loopback, and written to
a lake.  Each question is a whole process of either side; the least of three times counts.  The
answers are compared where both print the same figures.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from fleutan.column import Column
from fleutan.lake.keeper import Keeper
from fleutan.lake.kinds import KINDS
from fleutan.lake.listing import snapshot
from fleutan.lake.writer import Limits, Writer
from fleutan.table import Table

PER_DATAGRAM = 30
STEP = 60_000
EPOCH_MS = 1_790_000_400_000
HOUR_MS = 3_600_000
MAPPED = 0xFFFF << 32
PORT = 29955
RECORD = np.dtype(
    [
        *(("src", ">u4"), ("dst", ">u4"), ("hop", ">u4"), ("in", ">u2"), ("out", ">u2"), ("packets", ">u4")),
        *(("bytes", ">u4"), ("first", ">u4"), ("last", ">u4"), ("sport", ">u2"), ("dport", ">u2"), ("pad", "u1")),
        *(("flags", "u1"), ("proto", "u1"), ("tos", "u1"), ("src_as", ">u2"), ("dst_as", ">u2"), ("masks", ">u4")),
    ]
)
HEAD = np.dtype(
    [
        *(("version", ">u2"), ("count", ">u2"), ("uptime", ">u4"), ("secs", ">u4"), ("nsecs", ">u4"), ("seq", ">u4")),
        *(("engine", ">u2"), ("sampling", ">u2")),
    ]
)
Flows = dict[str, np.ndarray[Any, Any]]


def flows(many: int) -> Flows:
    """An hour of flows between 50,000 hosts inside and 800,000 outside, in the order in which they ended."""
    rng = np.random.default_rng(1)

    def zipf(size: int, power: float) -> np.ndarray[Any, Any]:
        weights = np.cumsum(1 / np.arange(1, size + 1) ** power)
        return np.searchsorted(weights / weights[-1], rng.random(many))

    inside = ((10 << 24) + rng.permutation(1 << 17)[:50_000])[zipf(50_000, 0.9)]
    outside = rng.integers(1 << 24, 223 << 24, 800_000)[zipf(800_000, 0.8)]
    well_known = np.array([443, 80, 53, 22, 25, 123, 8080, 3389, 993, 5060])[zipf(10, 1.0)]
    ephemeral, out = rng.integers(32768, 61000, many), rng.random(many) < 0.5
    packets = np.minimum(rng.pareto(1.2, many) * 2 + 1, 1e6).astype(np.int64)
    end = EPOCH_MS + np.sort(rng.integers(0, HOUR_MS, many))
    src, dst = np.where(out, inside, outside), np.where(out, outside, inside)
    proto = np.where(np.isin(well_known, (53, 123, 5060)), 17, 6)
    return {
        "src": src,
        "dst": dst,
        "sport": np.where(out, ephemeral, well_known),
        "dport": np.where(out, well_known, ephemeral),
        "proto": proto,
        "packets": packets,
        "bytes": packets * rng.integers(40, 1500, many),
        "first": end - np.minimum(rng.exponential(5000, many), 60_000).astype(np.int64),
        "last": end,
        "flags": np.where(proto == 6, 27, 0),
        "in": rng.integers(1, 9, many),
        "out": rng.integers(1, 9, many),
        "src_as": src % 3000,
        "dst_as": dst % 3000,
    }


def datagrams(found: Flows) -> tuple[bytes, int]:
    """The flows as NetFlow 5, and how long each datagram is."""
    many = len(found["src"]) // PER_DATAGRAM
    whole = np.zeros(many, np.dtype([("head", HEAD), ("records", RECORD, PER_DATAGRAM)]))
    boot = int(found["first"].min()) - 10_000
    last = found["last"].reshape(many, PER_DATAGRAM)[:, -1]
    head = whole["head"]
    head["version"], head["count"], head["uptime"], head["secs"] = 5, PER_DATAGRAM, last - boot, last // 1000
    head["nsecs"], head["seq"] = last % 1000 * 1_000_000, np.arange(many) * PER_DATAGRAM
    for name, column in found.items():
        values = column - boot if name in ("first", "last") else column
        whole["records"][name] = values.reshape(many, PER_DATAGRAM)
    return whole.tobytes(), whole.dtype.itemsize


def fill_nfcapd(found: Flows, where: Path) -> Path:
    """nfcapd's file of the flows, with its LZ4."""
    options = ["-y", "-w", str(where), "-p", str(PORT), "-b", "127.0.0.1", "-B", "100000000", "-t", "3600"]
    with subprocess.Popen(["nfcapd", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as daemon:
        time.sleep(1)
        octets, size = datagrams(found)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect(("127.0.0.1", PORT))
            view, begun = memoryview(octets), time.monotonic()
            for number in range(len(octets) // size):
                sender.send(view[number * size : (number + 1) * size])
                if number % 50 == 0 and (ahead := begun + number / 25_000 - time.monotonic()) > 0:
                    time.sleep(ahead)
        time.sleep(2)
        daemon.terminate()
    return next(where.glob("nfcapd.*"))


def fill_lake(found: Flows, root: Path) -> None:
    """A lake of the flows, in order as after an hour."""
    with Writer(root, "collect", Limits(many=1_000_000, waiting_octets=1 << 30)) as writer:
        for start in range(0, len(found["src"]), STEP):
            writer.add(table({name: column[start : start + STEP] for name, column in found.items()}))
            writer.tick(time.time_ns())
            while writer.account().waiting_octets > 1 << 29:
                time.sleep(0.01)
    Keeper(root, "bench", now=lambda: (EPOCH_MS + 3 * HOUR_MS) * 1_000_000).once()


def table(found: Flows) -> Table:
    """Flows as ``collect`` keeps them."""
    rows = len(found["src"])
    exporter = np.full(rows, 0x7F000001)
    columns = {name: Column(found[name]) for name in ("sport", "dport", "packets", "bytes", "src_as", "dst_as")}
    received = np.repeat(found["last"][::PER_DATAGRAM], PER_DATAGRAM)[:rows] * 1_000_000
    columns |= {
        "time": Column(found["first"] * 1_000_000),
        "end": Column(found["last"] * 1_000_000),
        "received": Column(received),
        "protocol": Column(np.zeros(rows, np.int32), None, ("netflow-5",)),
        "domain": Column(np.zeros(rows, np.int64)),
        "proto": Column((found["proto"] == 17).astype(np.int32), None, ("tcp", "udp")),
        "tcp_flags": Column(found["flags"]),
        "tos": Column(np.zeros(rows, np.int64)),
        "in_if": Column(found["in"]),
        "out_if": Column(found["out"]),
    }
    for name, halves in (("src", found["src"]), ("dst", found["dst"]), ("exporter", exporter)):
        columns[name] = Column(np.stack([np.zeros(rows, np.int64), MAPPED | halves], axis=1))
    return Table("records", columns)


def least(command: list[str]) -> tuple[float, str]:
    """The least wall time of three, and what the command wrote."""
    times, out = [], ""
    for _ in range(3):
        begun = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
        times.append(time.monotonic() - begun)
        out = done.stdout
    return min(times), out


def questions(file: Path, root: Path, found: Flows) -> list[tuple[str, list[str], list[str]]]:
    """What is asked, as either side spells it."""
    nfdump = ["nfdump", "-r", str(file), "-q"]
    ours = [str(Path(sys.executable).with_name("fleutan")), "query"]
    wide = ["--lake", str(root), "--utc", "-f", "csv", "--from", "@1789999200", "--to", "@1790006400"]
    five = ["--lake", str(root), "--utc", "-f", "csv", "--from", "@1790001000", "--to", "@1790001300"]
    ranked = np.bincount(np.unique(found["src"], return_inverse=True)[1])
    host = int(np.unique(found["src"])[np.argsort(ranked)[-200]])
    address = ".".join(str(host >> shift & 255) for shift in (24, 16, 8, 0))
    window = time.strftime("%Y/%m/%d.%H:%M:%S", time.localtime(1790001000))
    until = time.strftime("%Y/%m/%d.%H:%M:%S", time.localtime(1790001300))
    top = ["-n", "10", "-o", "csv"]
    return [
        ("top sources", [*nfdump, "-s", "srcip/bytes", *top], [*ours, "talkers", *wide]),
        (
            "top ports",
            [*nfdump, "-s", "dstport/bytes", *top, "proto tcp"],
            [*ours, "talkers", *wide, "-k", "dport", "tcp"],
        ),
        ("one host", [*nfdump, "-o", "csv", f"host {address}"], [*ours, "tuple", *wide, f"host {address}"]),
        (
            "a /16 in five minutes",
            [*nfdump, "-s", "srcip/bytes", *top, "-t", f"{window}-{until}", "src net 10.1.0.0/16"],
            [*ours, "talkers", *five, "src 10.1.0.0/16"],
        ),
        # nfdump 1.7 has no series: the sums of the whole are what it can do in one pass
        ("series by minute", [*nfdump, "-s", "proto/bytes", *top], [*ours, "traffic", *wide, "-i", "1m"]),
    ]


def main() -> None:
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    many -= many % PER_DATAGRAM
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # modules are compiled once, as where they are installed
    os.environ["PYTHONPYCACHEPREFIX"] = tempfile.gettempdir() + "/fleutan-bench"
    where = Path(tempfile.mkdtemp(prefix="fleutan-lake-"))
    try:
        found = flows(many)
        file = fill_nfcapd(found, where)
        begun = time.monotonic()
        fill_lake(found, where / "lake")
        print(f"{many:,} flows in the lake and in order after {time.monotonic() - begun:.1f} s")
        parts = snapshot(where / "lake", list(KINDS)).parts.values()
        size = sum(part.size for found_parts in parts for part in found_parts)
        print(f"octets a flow: nfcapd (lz4) {file.stat().st_size / many:.1f}, lake with its sums {size / many:.1f}")
        ratios = []
        for name, theirs, ours in questions(file, where / "lake", found):
            (slow, said), (fast, answer) = least(theirs), least(ours)
            ratios.append(slow / fast)
            first = next(iter(csv.reader(io.StringIO(answer.partition("\n")[2]))), [])
            rows = len(answer.splitlines()) - 1
            print(f"{name}: nfdump {slow:.3f} s, fleutan {fast:.3f} s, {slow / fast:.2f} x")
            print(f"    fleutan: {rows} rows, first {','.join(first[:5])}")
            print(f"    nfdump: {' '.join(said.splitlines()[1:2])[:110]}")
        print(f"geometric mean {float(np.exp(np.mean(np.log(ratios)))):.2f} x")
    finally:
        shutil.rmtree(where, ignore_errors=True)


if __name__ == "__main__":
    main()
