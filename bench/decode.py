# SPDX-License-Identifier: Apache-2.0
"""``fleutan decode`` and the columns beneath it, against sflowtool, sfcapd and sfacctd on the same datagrams.

``python bench/decode.py [SAMPLES]`` (1400000).  The file is made here (``exporters``).  Times are CPU
seconds of whole processes, kernel and all, output thrown away, the median of rounds in which both
sides take turns; those of who receives are what the process uses while datagrams are sent to it over
loopback at a rate that nobody has trouble with.  Only ratios carry over to another machine.
One run of ours goes before the rounds, so that its modules are compiled as those of an installed package
are.  sflowtool is taken from the environment variable SFLOWTOOL or from the path, sfcapd (of nfdump) from
SFCAPD or the path, sfacctd (of pmacct) from SFACCTD or the path; what is not there is said to be missing.
"""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import netflow
from exporters import SAMPLES, sflow_file

# As whoever installs a package has it: modules are compiled once, not by every process.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

FLEUTAN = str(Path(sys.executable).parent / "fleutan")
ROUNDS = 3
COLUMNS_BAR, TIMES_BAR = 2_000_000, 5
#: Datagrams a second and seconds over loopback.
RATE, SECONDS = 12_000, 6.0
PORT = 26_343

#: title, our option and sflowtool's, how many times as fast as sflowtool ours must be
FORMS: tuple[tuple[str, list[str], list[str], float], ...] = (
    ("decode -l", ["-l"], ["-l"], 1),
    ("decode --flows : sflowtool -l", ["--flows"], ["-l"], 1),
    ("decode (text)", [], [], 1 / 3),
    ("decode -j", ["-j"], ["-j"], 1 / 3),
)
#: Columns of a file: what samples say of themselves and the headers in them, nothing written.
COLUMNS = """
import os, sys
os.environ["OPENBLAS_NUM_THREADS"] = "1"
from fleutan.protocols.packet.decode import decode
from fleutan.protocols.sflow import columns as sflow
from fleutan.sources.exported import Exporters, decoded
{source}
NAMES = ("src", "dst", "proto", "sport", "dport", "tos", "tcp_flags", "vlan", "src_mac", "dst_mac")
exporters, rows = Exporters(), 0
with source:
    for batch in source.batches({seconds}):
        if not batch.spans.rows:
            if rows:
                break
            continue
        found = decoded(batch, exporters)
        packets = sflow.flows(found.sflow, (1,))
        header = packets.strings[sflow.HEADER]
        kinds = packets.records.values[sflow.HEADER_PROTOCOL][header.rows]
        decode(header.spans, kinds, NAMES, depth=0)
        rows += packets.records.rows
print(rows)
"""
FROM_FILE = "from fleutan.sources.recorded import Recorded\nsource = Recorded(sys.argv[1])"
FROM_PORT = "from fleutan.sources.datagrams import Sockets\nsource = Sockets([int(sys.argv[1])], ['127.0.0.1'])"
#: Sends the datagrams of a file at an even pace, and says how many.
SENDER = """
import sys, time
import numpy as np
from fleutan.linux.forwarding import Way
from fleutan.sources.recorded import Recorded
path, port, rate, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
portion, sent, began = max(1, round(rate / 1000)), 0, time.perf_counter()
with Recorded(path) as source, Way(bytes([127, 0, 0, 1]), port) as way:
    for batch in source:
        for first in range(0, batch.spans.rows, portion):
            time.sleep(max(0.0, sent / rate - (time.perf_counter() - began)))
            if sent >= rate * seconds:
                break
            part = batch.spans.take(np.arange(first, min(first + portion, batch.spans.rows)))
            sent += part.rows - int((way.send(part.octets, part.starts, part.sizes) != 0).sum())
print(sent)
"""


def peer(name: str) -> str | None:
    """Where a program is, by its variable or the path."""
    return os.environ.get(name.upper()) or shutil.which(name)


def cpu(command: Sequence[str]) -> float:
    """CPU seconds of one run of a program, its output thrown away."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit status {process.returncode}")
    return usage.ru_utime + usage.ru_stime


class Turns(NamedTuple):
    """CPU seconds of each round, of ours and of theirs; none where there is no other side."""

    ours: list[float]
    theirs: list[float]


def in_turns(ours: Sequence[str], theirs: Sequence[str] | None) -> Turns:
    """Both sides, round by round."""
    cpu(ours)  # compiles modules that are not yet
    rounds = [(cpu(ours), cpu(theirs) if theirs else 0.0) for _ in range(ROUNDS)]
    return Turns([one for one, _ in rounds], [two for _, two in rounds if theirs])


def tell(title: str, samples: int, turns: Turns, times: float, least: float = 0) -> None:
    """A line: samples a CPU-second of both, how many times as fast ours is, and the bar."""
    mine = samples / statistics.median(turns.ours)
    bar = f"bar x {times:.2f}" + (f" and {least:,.0f}/s" if least else "")
    if not turns.theirs:
        print(f"{title:32} {mine:11,.0f}/s {'sflowtool is missing':>20}   {bar}", flush=True)
        return
    other = samples / statistics.median(turns.theirs)
    ratio = statistics.median(two / one for one, two in zip(*turns, strict=True))
    verdict = "met" if ratio >= times and mine >= least else "MISSED"
    print(f"{title:32} {mine:11,.0f}/s {other:11,.0f}/s   x {ratio:5.2f}   {bar}: {verdict}", flush=True)


def files(path: Path, samples: int) -> None:
    """All that reads the file."""
    sflowtool = peer("sflowtool")
    theirs = [sflowtool, "-r", str(path)] if sflowtool else None
    code = COLUMNS.format(source=FROM_FILE, seconds=None)
    turns = in_turns([sys.executable, "-c", code, str(path)], [*theirs, "-l"] if theirs else None)
    tell("columns : sflowtool -l", samples, turns, TIMES_BAR, COLUMNS_BAR)
    for title, options, same, times in FORMS:
        ours = [FLEUTAN, "decode", *options, "-r", str(path)]
        tell(title, samples, in_turns(ours, [*theirs, *same] if theirs else None), times)


def records() -> None:
    """NetFlow and IPFIX, in this process."""
    for title, version, templates in netflow.CASES:
        speed = netflow.measure(version, templates, 600_000)
        fixed = "own length" not in title
        bar = f"{netflow.BAR:,}/s: {'met' if speed >= netflow.BAR else 'MISSED'}" if fixed else ""
        print(f"{title:40} {speed:12,.0f} records/s   {bar}", flush=True)


def receivers(path: Path, folder: Path) -> None:
    """Who receives: the CPU that each uses for the same datagrams."""
    code = COLUMNS.format(source=FROM_PORT, seconds=30.0)
    port = str(PORT)
    config = folder / "sfacctd.conf"
    config.write_text(
        "daemonize: false\nplugins: print\nsfacctd_ip: 127.0.0.1\n"
        f"sfacctd_port: {PORT}\naggregate: src_host, dst_host, src_port, dst_port, proto\n"
        f"print_output_file: {folder}/flows\nprint_refresh_time: 600\n"
    )
    sfcapd, sfacctd = peer("sfcapd"), peer("sfacctd")
    rivals: dict[str, list[str] | None] = {
        "fleutan, columns": [sys.executable, "-c", code, port],
        "sfcapd": [sfcapd, "-p", port, "-b", "127.0.0.1", "-w", str(folder), "-B", "8000000"] if sfcapd else None,
        "sfacctd": [sfacctd, "-f", str(config)] if sfacctd else None,
    }
    for name, command in rivals.items():
        if not command:
            print(f"receiving: {name:17} is missing", flush=True)
            continue
        sent, used, dropped = received(command, path)
        cost = used / max(1, sent * SAMPLES) * 1e6
        print(
            f"receiving: {name:17} {sent:8,} datagrams, {dropped} dropped   {used:6.2f} s CPU, {cost:5.2f} us a sample",
            flush=True,
        )


def received(command: Sequence[str], path: Path) -> tuple[int, float, int]:
    """What was sent to a program, the CPU that its process used meanwhile, and what the kernel dropped."""
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=nowhere, stderr=nowhere, start_new_session=True) as process, ended(process):
        while drops() is None:
            if process.poll() is not None:
                raise SystemExit(f"{command[0]} ended with status {process.returncode}")
            time.sleep(0.1)
        time.sleep(1)
        before = ticks(process.pid)
        words = [sys.executable, "-c", SENDER, str(path), str(PORT), str(RATE), str(SECONDS)]
        sent = int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
        time.sleep(1)
        used, dropped = ticks(process.pid) - before, drops()
    return sent, used, dropped or 0


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ends a program and what it started: sfacctd waits for a plugin of its own, perhaps for ever."""
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)


def ticks(pid: int) -> float:
    """CPU seconds of a process so far."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def drops() -> int | None:
    """What the kernel dropped at the port, None where nobody listens."""
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        words = line.split()
        if int(words[1].partition(":")[2], 16) == PORT:
            return int(words[-1])
    return None


def main() -> None:
    """Everything."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 1_400_000
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(folder) / "compiled")
        path = Path(folder) / "sflow.pcap"
        samples = sflow_file(path, wanted)
        print(f"{samples:,} flow samples, {path.stat().st_size >> 20} MiB; samples a CPU-second, ours and theirs")
        files(path, samples)
        records()
        receivers(path, Path(folder))


if __name__ == "__main__":
    main()
