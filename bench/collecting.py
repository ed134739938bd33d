# SPDX-License-Identifier: Apache-2.0
"""``fleutan collect``: what is sent to it over loopback, what of it is in the lake then, and what each stage lost.

``python bench/collecting.py [SECONDS [RECORDS_A_SECOND [SAMPLES_A_SECOND]]]`` (60, 200000, 500000).  Another
process sends NetFlow 5 and sFlow at an even pace from some addresses of 127/8, with their sequence numbers;
the collector is killed by SIGTERM when all is sent, and the lake is counted, by exporter.  Both protocols are
measured alone and together; a rate of 0 leaves one out.  CPU is that of whole processes, kernel and all;
loopback delivers in the sender's time.  Everything runs on this machine, so the sender takes its part of it.
``--highest`` looks for the highest rate without loss instead, a quarter more each time.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import exporters
import numpy as np
from numpy.typing import NDArray

Octets = NDArray[np.uint8]
FLEUTAN = str(Path(sys.executable).parent / "fleutan")
SECONDS, RECORDS, SAMPLES = 60.0, 200_000, 500_000
PORT = 26_344
#: Addresses that send each protocol; datagrams of each that differ; records of a datagram of NetFlow 5.
SENDERS, POOL, FULL = 4, 4096, 30
STEP, TRIAL = 1.25, 10.0
#: How often the sender sends what is due, in seconds: a burst of each takes a hundredth of a socket's room.
TICK = 0.004
#: Octets of datagrams that leave together.
TOGETHER = 64_000
_SEQUENCE, _UDP_SEGMENT = 16, 103
#: Octets of Ethernet with a tag, IPv6 and TCP.
_HEADERS = 78
_RECORD = np.dtype(
    [
        *(("src", ">u4"), ("dst", ">u4"), ("next_hop", ">u4"), ("in_if", ">u2"), ("out_if", ">u2")),
        *(("packets", ">u4"), ("bytes", ">u4"), ("first", ">u4"), ("last", ">u4"), ("sport", ">u2"), ("dport", ">u2")),
        *(("pad", "u1"), ("flags", "u1"), ("proto", "u1"), ("tos", "u1"), ("src_as", ">u2"), ("dst_as", ">u2")),
        *(("src_mask", "u1"), ("dst_mask", "u1"), ("pad2", ">u2")),
    ]
)
_HEADER = np.dtype(
    [
        *(("version", ">u2"), ("count", ">u2"), ("uptime", ">u4"), ("seconds", ">u4"), ("nanoseconds", ">u4")),
        *(("sequence", ">u4"), ("engine", ">u2"), ("sampling", ">u2")),
    ]
)


class Pool(NamedTuple):
    """Datagrams of one exporter, ``(many, size)`` of each size, and what its sequence number goes on by with each."""

    kinds: list[Octets]
    step: int


def netflow_pool(chance: np.random.Generator) -> Pool:
    """Full datagrams of NetFlow 5: hosts of which few have most of the traffic, ports of services, four interfaces."""
    datagram = np.dtype([("header", _HEADER), ("records", _RECORD, (FULL,))])
    found = np.zeros(POOL, datagram)
    head, records = found["header"], found["records"]
    shape, now = records.shape, int(time.time())
    head["version"], head["count"], head["uptime"], head["seconds"] = 5, FULL, 86_400_000, now
    for name in ("src", "dst"):
        records[name] = 0x0A00_0000 + (exporters.HOSTS * chance.random(shape) ** 3).astype(np.uint32)
    records["in_if"], records["out_if"] = chance.integers(1, 5, shape), chance.integers(1, 5, shape)
    records["packets"] = chance.geometric(0.1, shape)
    records["bytes"] = records["packets"] * chance.integers(40, 1500, shape)
    records["first"] = 86_400_000 - chance.integers(1_000, 30_000, shape)
    records["last"] = records["first"] + chance.integers(0, 1_000, shape)
    records["sport"] = chance.integers(1024, 65536, shape)
    records["dport"] = chance.choice([443, 80, 53, 22, 8080], shape)
    records["proto"] = np.where(records["dport"] == 53, 17, 6)
    records["flags"] = np.where(records["proto"] == 6, 0x1B, 0)
    records["src_mask"] = records["dst_mask"] = 24
    return Pool([found.view(np.uint8).reshape(POOL, -1)], FULL)


def sflow_pool(chance: np.random.Generator) -> Pool:
    """Datagrams of sFlow of seven samples, those of hosts and of switches in turn, without counters."""
    kinds = list(exporters.kinds()[: len(exporters.kinds()) // 2])
    parts = [exporters.varied(kind, POOL // len(kinds) + 1, chance) for kind in kinds]
    for kind, part in zip(kinds, parts, strict=True):
        part[:, 11] = 7  # the agent: one a sender
        for at in kind.packets:  # behind the longest headers: what nobody can compress
            part[:, at + _HEADERS : at + exporters.HEADER] = chance.integers(
                0, 256, (len(part), exporters.HEADER - _HEADERS), np.uint8
            )
    return Pool(parts, 1)


class Stream:
    """An exporter that sends its pool again and again, with sequence numbers that go on.

    Datagrams of one size leave together, and are parted by the kernel (UDP_SEGMENT, udp(7)): who receives gets
    them one by one as ever, and the sender takes a third of the time.
    """

    def __init__(self, pool: Pool, source: str, port: int) -> None:
        self._kinds, self._step = [kind.copy() for kind in pool.kinds], pool.step
        self._turn, self._at, self.sent = 0, 0, 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((source, 0))
        self._socket.connect(("127.0.0.1", port))

    def send(self, many: int) -> None:
        """Sends so many datagrams."""
        while many > 0:
            kind = self._kinds[self._turn % len(self._kinds)]
            count = min(many, len(kind) - self._at, TOGETHER // kind.shape[1])
            some = kind[self._at : self._at + count]
            numbers = (self.sent + np.arange(count)) * self._step
            some[:, _SEQUENCE : _SEQUENCE + 4] = numbers.astype(">u4").view(np.uint8).reshape(-1, 4)
            self._socket.setsockopt(socket.IPPROTO_UDP, _UDP_SEGMENT, kind.shape[1])
            self._socket.send(some.data)
            self.sent, many = self.sent + count, many - count
            self._turn, self._at = self._turn + 1, (self._at + count) % len(kind)
            self._at = self._at if self._at + TOGETHER // kind.shape[1] <= len(kind) else 0


def send(port: int, seconds: float, records: float, samples: float) -> None:
    """The sender: writes how many records and samples each address sent, and how long it took."""
    chance = np.random.default_rng(1)
    streams: dict[str, tuple[Stream, float]] = {}
    pools = ((netflow_pool, records / FULL, 1), (sflow_pool, samples / exporters.SAMPLES, 2))
    for made, rate, net in pools:
        for host in range(1, SENDERS + 1) if rate else ():
            source = f"127.0.{net}.{host}"
            streams[source] = (Stream(made(chance), source, port), rate / SENDERS)
    began = time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        for stream, rate in streams.values():
            stream.send(max(0, int(rate * elapsed) - stream.sent))
        time.sleep(TICK)
    per = {1: FULL, 2: exporters.SAMPLES}
    sent = {source: stream.sent * per[int(source.split(".")[2])] for source, (stream, _) in streams.items()}
    took = time.perf_counter() - began
    cpu = time.process_time()
    datagrams = sum(stream.sent for stream, _ in streams.values())
    print(json.dumps({"sent": sent, "datagrams": datagrams, "seconds": took, "cpu": cpu}))


class Run(NamedTuple):
    """What a run was: rows offered and in the lake by exporter, stages, CPU-seconds of collector and sender."""

    offered: dict[str, int]
    datagrams: int
    written: dict[str, int]
    stages: list[dict[str, Any]]
    seconds: float
    cpu: float
    sender_cpu: float
    octets: int
    most_memory: int
    notes: str

    @property
    def whole(self) -> bool:
        """Whether everything that was sent is in the lake, to the unit."""
        return self.offered == self.written


def run(seconds: float, records: float, samples: float, options: Sequence[str] = ()) -> Run:
    """One run."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("LAKE_DIR")) as folder:
        lake = Path(folder) / "lake"
        words = ["collect", "-p", str(PORT), "-b", "127.0.0.1", "--lake", str(lake), *options]
        with subprocess.Popen([FLEUTAN, *words], stderr=subprocess.PIPE, text=True) as collector:
            _listening(collector)
            command = [sys.executable, __file__, "send", *map(str, (PORT, seconds, records, samples))]
            told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            time.sleep(2.5)  # a second of the kernel's queue, and the status that is written each second
            [status] = [json.loads(path.read_bytes()) for path in (lake / ".status").glob("collect-*.json")]
            collector.send_signal(signal.SIGTERM)
            notes = collector.stderr.read() if collector.stderr else ""
            _, state, usage = os.wait4(collector.pid, 0)
            collector.returncode = os.waitstatus_to_exitcode(state)
        if collector.returncode:
            raise SystemExit(f"the collector ended with status {collector.returncode}: {notes}")
        octets = sum(path.stat().st_size for path in lake.rglob("*.parquet"))
        return Run(
            *(told["sent"], told["datagrams"], counted(lake), status["stages"], told["seconds"]),
            *(usage.ru_utime + usage.ru_stime, told["cpu"], octets, usage.ru_maxrss << 10, notes.strip()),
        )


def _listening(collector: subprocess.Popen[str]) -> None:
    while f":{PORT:04X} " not in Path("/proc/net/udp").read_text():
        if collector.poll() is not None:
            raise SystemExit(f"the collector ended: {collector.stderr.read() if collector.stderr else ''}")
        time.sleep(0.05)
    time.sleep(1)


def counted(lake: Path) -> dict[str, int]:
    """Rows in the lake by exporter."""
    import duckdb

    found: dict[str, int] = {}
    for kind in ("records", "samples"):
        if not (lake / kind).is_dir():
            continue
        query = f"SELECT exporter_lo, count(*) FROM read_parquet('{lake}/{kind}/**/[!.]*.parquet') GROUP BY ALL"
        for low, rows in duckdb.connect().execute(query).fetchall():
            found[socket.inet_ntoa((low & 0xFFFF_FFFF).to_bytes(4, "big"))] = rows
    return found


def tell(title: str, one: Run) -> None:
    """What a run was, in some lines."""
    offered, written = sum(one.offered.values()), sum(one.written.values())
    verdict = "nothing lost" if one.whole else f"LOST {offered - written:,}"
    rate = offered / one.seconds
    print(f"{title}: offered {offered:,} in {one.seconds:.1f} s ({rate:,.0f}/s), written {written:,}: {verdict}")
    for stage in one.stages:
        if stage["unit"] == "datagrams" or stage["lost"]:
            passed, lost = f"{stage['passed']:12,} {stage['unit']:10}", f"lost {stage['lost']:,}"
            print(f"  {stage['stage']:9} {stage['of']:22} {passed} {lost}")
    cost = f"{one.cpu:.1f} s CPU ({one.cpu / one.seconds:.0%} of one), {one.cpu / offered * 1e6:.2f} us a row"
    print(
        f"  collector {cost}; "
        f"sender {one.sender_cpu:.1f} s; {one.octets / written if written else 0:.1f} octets a row on disk; "
        f"{one.most_memory >> 20} MiB"
    )
    for line in one.notes.splitlines():
        print(f"  {line}")
    sys.stdout.flush()


def highest(records: float, samples: float) -> None:
    """Rates that grow until something is lost, or the sender does not keep up."""
    factor = 1.0
    while True:
        one = run(TRIAL, records * factor, samples * factor)
        tell(f"x {factor:.2f}", one)
        if not one.whole or sum(one.offered.values()) < 0.95 * factor * (records + samples) * TRIAL:
            return
        factor *= STEP


def cases(records: float, samples: float) -> Iterator[tuple[str, float, float]]:
    """Each protocol alone, then both."""
    if records:
        yield f"NetFlow 5, {records:,.0f} records/s", records, 0
    if samples:
        yield f"sFlow, {samples:,.0f} samples/s", 0, samples
    if records and samples:
        yield "both together", records, samples


def main() -> None:
    """Everything."""
    if sys.argv[1:2] == ["send"]:
        send(int(sys.argv[2]), *map(float, sys.argv[3:6]))
        return
    numbers = [float(word) for word in sys.argv[1:] if not word.startswith("-")]
    options = [word for word in sys.argv[1:] if word.startswith("--headers")]
    numbers += [SECONDS, RECORDS, SAMPLES][len(numbers) :]
    seconds, records, samples = numbers
    print(f"{os.cpu_count()} CPUs; sender and collector on them")
    for title, some_records, some_samples in cases(records, samples):
        if "--highest" in sys.argv:
            print(title)
            highest(some_records, some_samples)
        else:
            tell(title, run(seconds, some_records, some_samples, options))


if __name__ == "__main__":
    main()
