# SPDX-License-Identifier: Apache-2.0
"""Capture files made here, and real ones where they are at hand."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fleutan.errors import FleutanError
from fleutan.protocols.capture import rejects
from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.sflow.messages import parse
from fleutan.protocols.sflow.sampling import NO_NUMBER, Sampler
from fleutan.sources import recorded
from fleutan.sources.datagrams import ended_by_signals
from fleutan.sources.recorded import Recorded

SECOND = 1_000_000_000
BEGIN = 1_700_000_000 * SECOND
_FILE = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 1 << 18, 101)  # raw IP, times in ns


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    before = os.listdir("/proc/self/fd")
    yield
    assert os.listdir("/proc/self/fd") == before


def frame(payload: bytes, dport: int = 6343, at_ns: int = BEGIN, cut: int = 0) -> bytes:
    """A record of one IPv4 packet, so many octets of which were not captured."""
    udp = struct.pack("!HHHH", 1024, dport, 8 + len(payload), 0) + payload
    packet = struct.pack("!BBHHHBBH4B4B", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, 192, 0, 2, 1, 192, 0, 2, 2) + udp
    kept = packet[: len(packet) - cut]
    return struct.pack("<IIII", *divmod(at_ns, SECOND), len(kept), len(packet)) + kept


def written(path: Path, *frames: bytes) -> str:
    path.write_bytes(_FILE + b"".join(frames))
    return str(path)


def strings(batches: Iterator[Datagrams]) -> list[bytes]:
    return [one for batch in batches for one in batch.spans.strings()]


def test_a_file_is_read_to_its_end_and_accounted_for(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.pcap", frame(b"one"), frame(b""), frame(b"three", cut=2), frame(b"four", at_ns=BEGIN + 7)
    )
    with Recorded(path) as source:
        batches = list(source)
        [account] = source.accounts()
    assert strings(iter(batches)) == [b"one", b"", b"thr", b"four"]
    assert batches[-1].at_ns.tolist() == [BEGIN, BEGIN, BEGIN, BEGIN + 7]
    assert account == (path, 4, 12, 1, None, {})


def test_only_datagrams_to_these_ports(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pcap", frame(b"a", 53), frame(b"b", 6343), frame(b"c", 2055), frame(b"d", 53))
    with Recorded(path, ports=(6343, 2055)) as source:
        assert strings(iter(source)) == [b"b", b"c"]
    with Recorded(path, ports=(1,)) as source:
        assert list(source) == []
        assert source.accounts()[0].received == 0


def test_packets_are_sampled_instead(tmp_path: Path) -> None:
    neither_4_nor_6 = struct.pack("<IIII", *divmod(BEGIN, SECOND), 2, 2) + bytes(2)
    path = written(
        tmp_path / "a.pcap", *[frame(b"a", 53)] * 7, neither_4_nor_6, frame(b"b", at_ns=BEGIN + SECOND), b"half"
    )
    with Recorded(path, sampler=Sampler(1)) as source:
        messages = [parse(one) for one in strings(iter(source))]
        [account] = source.accounts()
    assert [len(message.samples) for message in messages] == [6, 1, 1]
    assert messages[0].samples[0].elements[0].values[3].endswith(b"a")
    assert (account.received, account.rejected) == (3, {NO_NUMBER: 1, rejects.TRUNCATED: 1})


def test_a_file_of_many_chunks_is_read_in_bounded_memory(tmp_path: Path) -> None:
    payloads = [bytes([number & 0xFF]) * 1400 for number in range(12000)]
    path = written(tmp_path / "a.pcap", *map(frame, payloads))
    assert os.path.getsize(path) > 3 * recorded.CHUNK
    with Recorded(path) as source:
        batches = list(source)
    assert len(batches) > 3
    assert strings(iter(batches)) == payloads


def test_a_file_that_ends_inside_a_record_is_read_so_far(tmp_path: Path) -> None:
    whole = _FILE + frame(b"one") + frame(b"two")
    for size in range(len(_FILE) + len(frame(b"one")), len(whole)):
        path = tmp_path / "cut.pcap"
        path.write_bytes(whole[:size])
        with Recorded(str(path)) as source:
            assert strings(iter(source)) == [b"one"]
            cut = size > len(_FILE) + len(frame(b"one"))
            assert source.accounts()[0].rejected == ({"truncated record": 1} if cut else {})


@pytest.mark.parametrize(
    ("octets", "reason"),
    [(b"not a capture at all", "not a capture file"), (b"\x1f\x8b\x08\0" + bytes(30), "compressed file")],
)
def test_what_is_no_capture_is_one_line(tmp_path: Path, octets: bytes, reason: str) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(octets)
    with Recorded(str(path)) as source, pytest.raises(FleutanError, match=f"^reading {path}: {reason}$"):
        list(source)


def test_what_cannot_be_opened_or_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(FleutanError, match=r"none\.pcap: no such file or directory"), Recorded(f"{tmp_path}/none.pcap"):
        pytest.fail("it cannot be entered")
    with Recorded(str(tmp_path)) as source, pytest.raises(FleutanError, match=f"reading {tmp_path}: is a directory"):
        list(source)


def test_an_empty_file_has_no_datagrams(tmp_path: Path) -> None:
    path = tmp_path / "empty.pcap"
    path.write_bytes(b"")
    with Recorded(str(path)) as source:
        assert list(source) == []


def test_frames_that_are_not_read_are_counted_by_link_type(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    header = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 1 << 18, 127)
    path.write_bytes(header + frame(b"x") + frame(b"y"))
    with Recorded(str(path)) as source:
        assert list(source) == []
        assert source.accounts()[0].rejected == {"IEEE 802.11 with radiotap header": 2}


class Clock:
    """A clock that goes on when one sleeps."""

    def __init__(self) -> None:
        self.ns = 5 * SECOND
        self.slept: list[float] = []

    def now(self) -> int:
        return self.ns

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.ns += round(seconds * SECOND)


def played(path: str, clock: Clock) -> list[tuple[float, list[bytes]]]:
    with Recorded(path, now=clock.now, sleep=clock.sleep) as source:
        return [(clock.ns / SECOND - 5, batch.spans.strings()) for batch in source]


def test_a_file_is_played_in_its_own_time(tmp_path: Path) -> None:
    times = (0, 0, 2 * SECOND, SECOND, 2 * SECOND + 5_000_000, 3600 * SECOND)  # one is late, one is nearly together
    frames = [frame(b"%d" % number, at_ns=BEGIN + at) for number, at in enumerate(times)]
    clock = Clock()
    found = played(written(tmp_path / "a.pcap", *frames), clock)
    assert found == [(0, [b"0", b"1"]), (2, [b"2", b"3"]), (2.01, [b"4"]), (3600, [b"5"])]
    assert len(clock.slept) == 3


def test_times_that_are_not_known_do_not_hold_up(tmp_path: Path) -> None:
    frames = [frame(b"%d" % number, at_ns=at) for number, at in enumerate((0, BEGIN, 0, BEGIN + SECOND, 0))]
    clock = Clock()
    assert played(written(tmp_path / "a.pcap", *frames), clock) == [(0, [b"0", b"1", b"2"]), (1, [b"3", b"4"])]


def test_own_time_goes_on_from_chunk_to_chunk(tmp_path: Path) -> None:
    frames = [frame(bytes(60000), at_ns=BEGIN + number * SECOND) for number in range(40)]
    found = played(written(tmp_path / "a.pcap", *frames), Clock())
    assert [at for at, _ in found] == list(range(40))


def test_a_pause_is_ended_from_beside(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pcap", frame(b"one"), frame(b"two", at_ns=BEGIN + 3600 * SECOND))
    with Recorded(path, now=Clock().now) as source:
        batches = iter(source)
        assert next(batches).spans.strings() == [b"one"]
        beside = threading.Thread(target=source.stop)
        beside.start()
        assert list(batches) == []
        beside.join()
    source.stop()  # is no error afterwards


def test_a_pipe_is_read_as_it_comes_and_a_quiet_time_is_an_empty_batch(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with open(os.open(path, os.O_RDWR), "wb", buffering=0) as end, Recorded(str(path)) as source:
        batches = source.batches(0.01)
        assert next(batches).spans.rows == 0
        end.write(_FILE + frame(b"one") + frame(b"two")[:30])
        assert [batch.spans.strings() for batch in (next(batches),)] == [[b"one"]]
        end.write(frame(b"two")[30:])
        assert next(batches).spans.strings() == [b"two"]
        assert isinstance(np.array(next(batches).sizes), np.ndarray)
        source.stop()
        assert list(batches) == []


PROGRAM = """
from fleutan.sources.datagrams import ended_by_signals
from fleutan.sources.recorded import Recorded
with Recorded("-") as source, ended_by_signals(source):
    for batch in source:
        print(batch.spans.strings(), flush=True)
    print(source.accounts()[0].title, source.accounts()[0].received)
"""


@pytest.mark.parametrize("interrupted", [False, True])
def test_standard_input_until_its_end_or_a_signal(interrupted: bool) -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], bufsize=0, **pipes) as process:  # type: ignore[call-overload]
        process.stdin.write(_FILE + frame(b"x"))
        assert process.stdout.readline() == b"[b'x']\n"
        if interrupted:
            process.terminate()
        else:
            process.stdin.close()
        assert process.stdout.read() == b"- 1\n"
    assert process.returncode == 0


def test_both_sources_are_ended_by_signals_alike(tmp_path: Path) -> None:
    with Recorded(written(tmp_path / "a.pcap")) as source, ended_by_signals(source):
        assert list(source) == []
