# SPDX-License-Identifier: Apache-2.0
"""The command on files that are made here, on the wire, and on recordings beside what sflowtool made of them."""

from __future__ import annotations

import csv
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.captures import CAPTURES, needs_captures
from tests.exporting import FILE, frame
from tests.exports.sflowtool.test_lines import FIELDS
from tests.protocols.netflow.making import PLAIN as PLAIN_FIELDS
from tests.protocols.netflow.making import RECORD, record_5, set_of, template, v5, v9
from tests.sources.test_exporters import counter, flow, sflow

from fleutan.faces.cli import main
from fleutan.faces.cli.decoding import missing, predicate_of
from fleutan.protocols.capture.writing import pcap_header, pcap_records
from fleutan.protocols.enclosing import enclosed4
from fleutan.protocols.spans import joined
from fleutan.sources.datagrams import Account

FLEUTAN = [sys.executable, "-c", "from fleutan.faces.cli import main; main()", "decode"]
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
Run = Callable[..., tuple[int, str, str]]
#: What is said of a datagram that is neither sFlow nor NetFlow.
NOTE = "fleutan: note: 1 x datagram of no known protocol\n"


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Runs the command; its exit status, and what it wrote."""

    def done(*typed: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["decode", *typed])
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return int(ended.value.code or 0), out.decode("latin-1"), err.decode()

    return done


def recorded(path: Path, *strings: bytes, dport: int = 6343) -> str:
    """A capture file of these datagrams from 192.0.2.1."""
    spans = joined(strings)
    ends = np.array([[0, 0xFFFF_C000_0201]] * len(strings), np.int64).reshape(-1, 2)
    ports = np.full(len(strings), 5000)
    made = enclosed4(spans, (ends, ports, ends, np.full(len(strings), dport)), 65535, 1)
    packets = joined([made.headers[row].tobytes() + octets for row, octets in enumerate(strings)])
    times = 1_700_000_000_000_000_000 + 1000 * np.arange(len(strings))
    path.write_bytes(pcap_header(101) + pcap_records(packets, packets.sizes, times))
    return str(path)


@pytest.fixture
def mixed(tmp_path: Path) -> str:
    strings = (
        sflow(flow(sampling_rate=10), counter()),
        v5(record_5(packets=9)),
        b"nonsense",
        sflow(flow(), sequence=2),
    )
    return recorded(tmp_path / "mixed.pcap", *strings)


def test_every_form_of_a_file(run: Run, mixed: str) -> None:
    status, text, said = run("-r", mixed, "--utc")
    assert (status, said, text.count("startDatagram")) == (0, NOTE, 3)
    assert "\npcapTimestamp 2023-11-14T22:13:20+0000\n" in text
    _, grep, _ = run("-r", mixed, "-g")
    assert len(grep.splitlines()) == len(text.splitlines())
    _, lines, _ = run("-r", mixed, "-j")
    assert [len(json.loads(line).get("samples", [])) for line in lines.splitlines()] == [2, 0, 1]
    _, indented, _ = run("-r", mixed, "-J")
    assert indented.count("\n{") == 2
    _, flows, _ = run("-r", mixed, "--flows")
    assert [json.loads(line)["packets"] for line in flows.splitlines()] == [1, 9, 1]
    _, scaled, _ = run("-r", mixed, "--flows", "--scale")
    assert [json.loads(line)["packets"] for line in scaled.splitlines()] == [10, 9, 400]
    _, table, _ = run("-r", mixed, "--csv", "-o", "record,packets", "packets = 9")
    assert list(csv.reader(table.splitlines())) == [["record", "packets"], ["flow", "9"]]
    _, chosen, _ = run("-r", mixed, "-L", "meanSkipCount,packetDeltaCount")
    assert chosen.splitlines() == ["10,", ",9", "400,"]
    _, twenty, _ = run("-r", mixed, "-l")
    assert [line[:4] for line in twenty.splitlines()] == ["FLOW", "FLOW", "FLOW"]
    for form in ("-t", "-T", "-M"):
        assert run("-r", mixed, form)[1].startswith("\xd4\xc3\xb2\xa1")


def test_the_summary_in_every_form(run: Run, mixed: str) -> None:
    status, text, _ = run("-r", mixed, "--summary")
    assert (status, text.splitlines()[0]) == (0, "4 datagrams  3 exporters")
    _, document, _ = run("-r", mixed, "--summary=json")
    found = json.loads(document)
    assert (found["schema"], found["at"]) == ("fleutan/exporters/1", "2023-11-14T22:13:20.000003Z")
    assert {row["protocol"]: row["datagrams"] for row in found["exporters"]} == {
        "sflow-5": 2,
        "netflow-5": 1,
        "unknown": 1,
    }
    assert found["problems"] == []
    _, table, _ = run("-r", mixed, "--summary=csv", "-i", "5")
    assert len(list(csv.reader(table.splitlines()))) == 4


def test_ports_choose_datagrams_of_a_file(run: Run, mixed: str) -> None:
    assert run("-r", mixed, "-p", "2055", "--flows")[1] == ""
    assert run("-r", mixed, "-p", "2055", "-p", "6343", "--flows")[1].count("\n") == 3


def test_a_file_may_be_played_in_its_own_time(run: Run, mixed: str) -> None:
    assert run("-r", mixed, "-P", "--flows") == run("-r", mixed, "--flows")


@pytest.mark.parametrize(
    ("typed", "status", "said"),
    [
        (["-o", "bytes"], 2, "-o goes with --flows and --csv"),
        (["--csv", "-o", "byts"], 2, "did you mean bytes"),
        (["--csv", "-o", "exe"], 2, "exe is not known of what exporters send"),
        (["exe = x"], 2, "exe is not known of what exporters send"),
        (["packets ="], 2, "packets ="),
        (["-f", "nowhere"], 2, "a target is HOST/PORT"),
        (["-r", "/nowhere.pcap"], 1, "/nowhere.pcap"),
        (["-r", __file__], 1, "test_decoding.py"),
        (["-b", "192.0.2.77"], 1, "192.0.2.77"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(run: Run, typed: list[str], status: int, said: str) -> None:
    found, out, err = run(*typed)
    assert (found, out) == (status, "")
    assert said in err
    assert err.splitlines()[0].startswith("fleutan: ")


def test_what_of_a_file_cannot_be_read_is_noted(run: Run, mixed: str, tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(Path(mixed).read_bytes()[:-5])
    status, out, err = run("-r", str(cut), "--flows")
    assert (status, out.count("\n")) == (0, 2)
    assert err == f"fleutan: note: {cut}: 1 x truncated record\n{NOTE}"


def test_what_is_broken_is_noted_by_its_reason(run: Run, tmp_path: Path) -> None:
    reserved = v9(set_of(0, template(256, *PLAIN_FIELDS)), set_of(5, b"reserved"), sequence=2)
    strings = (sflow(flow(), flow())[:-4], v9(set_of(300, RECORD)), reserved)
    path = recorded(tmp_path / "broken.pcap", *strings)
    notes = (
        "1 x sFlow: overrun",
        "1 x NetFlow: set of a reserved number",
        "1 x set of records whose template did not come",
    )
    for form in ([], ["--flows"], ["-M"]):
        status, _, err = run("-r", path, *form)
        assert status == 0
        assert sorted(err.splitlines()) == sorted(f"fleutan: note: {note}" for note in notes)
    assert run("-r", path, "--summary")[2] == ""


def test_a_file_of_no_octets_has_no_datagrams(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "nothing.pcap"
    path.write_bytes(b"")
    assert run("-r", str(path), "--flows") == (0, "", "")
    status, out, _ = run("-r", str(path), "--csv", "-o", "src,bytes")
    assert (status, out) == (0, "src,bytes\r\n")
    assert run("-r", str(path), "-t")[1].encode("latin-1") == pcap_header(1)


@pytest.mark.parametrize(
    ("filter_", "packets"),
    [
        ("packets = 9", [9]),
        ("protocol = sflow-5", [1, 1]),
        ("protocol = netflow-5 or sampling_rate = 10", [1, 9]),
        ("exporter = 192.0.2.0/24 and not has src", [1, 1]),
        ("src 10/8", [9]),
        ("dport = 80 and proto = tcp", [9]),
        ("record = discard", []),
    ],
)
def test_filters_ask_for_what_records_know(run: Run, mixed: str, filter_: str, packets: list[int]) -> None:
    _, flows, _ = run("-r", mixed, "--flows", *filter_.split())
    assert [json.loads(line)["packets"] for line in flows.splitlines()] == packets
    _, text, _ = run("-r", mixed, filter_)
    assert text.count("\nsampleType ") + text.count("\nrecordType ") == len(packets)
    _, wrapped, _ = run("-r", mixed, "-M", filter_)
    assert wrapped.count("nonsense") == 0


def test_one_sample_of_a_datagram_is_left_in_every_form(run: Run, tmp_path: Path) -> None:
    path = recorded(tmp_path / "three.pcap", sflow(flow(sampling_rate=1), counter(), flow(sampling_rate=2), flow()))
    only = ("-r", path, "sampling_rate = 2")
    assert [line for line in run(*only)[1].splitlines() if line.startswith("meanSkip")] == ["meanSkipCount 2"]
    [found] = [json.loads(line) for line in run(*only, "-j")[1].splitlines()]
    assert [sample["meanSkipCount"] for sample in found["samples"]] == [2]
    assert [line.split(",")[-1] for line in run(*only, "-l")[1].splitlines()] == ["2"]
    assert run(*only, "-L", "meanSkipCount")[1] == "2\n"
    assert len(run(*only, "-t")[1]) == 24 + 16 + 14
    assert len(run("-r", path, "-t")[1]) == 24 + 3 * (16 + 14)


def test_the_zone_is_that_of_the_host_unless_utc_is_asked_for(
    run: Run, mixed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        here, there = (run("-r", mixed, *form, "protocol = netflow-5")[1] for form in ([], ["--utc"]))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert "\nlocaltime 2023-11-15T03:43:20+0530\n" in here
    assert "\nlocaltime 2023-11-14T22:13:20+0000\n" in there


def test_nothing_is_no_error(run: Run, tmp_path: Path) -> None:
    empty = recorded(tmp_path / "empty.pcap")
    assert run("-r", empty) == (0, "", "")
    assert run("-r", empty, "--summary") == (0, "no datagram\n", "")


# -- on the wire


@contextmanager
def started(*typed: str, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The command in a process of its own, which ends with the test."""
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*FLEUTAN, *typed], env=PLAIN, **pipes, **more) as process:
        try:
            yield process
        finally:
            process.kill()


def free_port() -> int:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asked:
        asked.bind(("::1", 0))
        return int(asked.getsockname()[1])


def line_of(process: subprocess.Popen[bytes], port: int, datagram: bytes) -> bytes:
    """A line that it writes for a datagram, which is sent until it is there."""
    assert process.stdout
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(300):
            sender.sendto(datagram, ("127.0.0.1", port))
            if select.select([process.stdout], [], [], 0.1)[0]:
                return process.stdout.readline()
    raise AssertionError("nothing came")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_listens_and_ends_when_it_is_told_to(number: signal.Signals) -> None:
    port = free_port()
    with started("-p", str(port), "--flows") as process:
        assert json.loads(line_of(process, port, v5(record_5(packets=9))))["packets"] == 9
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, b"")


def test_several_sockets_may_share_a_port() -> None:
    port = free_port()
    with started("-p", str(port), "--sockets", "3", "-b", "127.0.0.1", "--csv", "-o", "packets") as process:
        assert line_of(process, port, v5(record_5(packets=9))) == b"packets\r\n"
        held = [line for line in Path("/proc/net/udp").read_text().splitlines() if f":{port:04X} " in line]
        assert len(held) == 3


def test_it_goes_on_while_it_sends_on_and_says_whose_port_is_taken() -> None:
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.settimeout(20)
        to = f"127.0.0.1/{other.getsockname()[1]}"
        with started("-p", str(port), "--flows", "-f", to) as process:
            datagram = v5(record_5())
            line_of(process, port, datagram)
            assert other.recv(2000) == datagram
            taken = subprocess.run([*FLEUTAN, "-p", str(port)], env=PLAIN, capture_output=True, check=False)
            assert (taken.returncode, taken.stderr.count(b"\n")) == (1, 1)
            assert str(port).encode() in taken.stderr
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)


def receiving(process: subprocess.Popen[bytes], port: int) -> None:
    """Returns when it listens there: by IPv4, after which it does by IPv6, where there is that."""
    place, last = f":{port:04X} ", Path("/proc/net/udp6")
    for _ in range(2000):
        if place in (last if last.exists() else Path("/proc/net/udp")).read_text():
            return
        assert process.poll() is None
        select.select([], [], [], 0.01)
    raise AssertionError("it does not listen")


def send(port: int, *datagrams: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for datagram in datagrams:
            sender.sendto(datagram, ("127.0.0.1", port))


@pytest.mark.parametrize("form", [[], ["-g"], ["-j"], ["-l"], ["--flows"], ["--csv"]])
def test_what_comes_is_written_at_once(form: list[str]) -> None:
    port = free_port()
    with started("-p", str(port), *form) as process:
        receiving(process, port)
        send(port, v5(record_5()))
        assert process.stdout
        assert select.select([process.stdout], [], [], 20)[0]
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, b"")
    assert out


def test_a_reader_that_goes_away_ends_what_listens() -> None:
    port = free_port()
    with started("-p", str(port), "--flows") as process:
        line_of(process, port, v5(record_5()))
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        for _ in range(2000):
            if process.poll() is not None:
                break
            send(port, v5(record_5()))
            select.select([], [], [], 0.01)
        assert process.wait(20) == 141
        assert process.stderr.read() == b""


def test_records_go_on_as_netflow(run: Run, mixed: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.settimeout(20)
        to = ("-c", "127.0.0.1", "-d", str(other.getsockname()[1]))
        assert run("-r", mixed, *to, "packets = 9")[:2] == (0, "")
        assert other.recv(2000)[:4] == b"\0\x05\0\x01"
        status, out, _ = run("-r", mixed, *to, "-N", "10", "-s", "--flows", "packets = 9")
        assert (status, out.count("\n")) == (0, 1)
        assert other.recv(2000)[:2] == b"\0\x0a"


def test_what_was_not_sent_on_is_noted(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(FILE + frame(v5(record_5())) + frame(v5(record_5(), record_5()), cut=20))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.settimeout(20)
        to = f"127.0.0.1/{other.getsockname()[1]}"
        status, out, err = run("-r", str(path), "--flows", "-f", to)
        assert other.recv(2000) == v5(record_5())
    assert (status, out.count("\n")) == (0, 2)
    assert err.splitlines() == [
        f"fleutan: note: {path}: 1 datagrams are there in part only",
        f"fleutan: note: to {to}: 1 datagrams were not sent: it was received in part only",
        "fleutan: note: 1 x NetFlow: datagram captured in part",
    ]


def test_what_the_kernel_dropped_is_noted() -> None:
    accounts = [Account("127.0.0.1 port 6343", 9, 900, 0, 3, {}), Account("a.pcap", 1, 1, 0, None, {"x": 2})]
    assert list(missing(accounts)) == [
        "127.0.0.1 port 6343: the kernel dropped 3 datagrams for want of room",
        "a.pcap: 2 x x",
    ]


def test_a_reader_that_goes_away_is_no_error(mixed: str) -> None:
    with started("-r", mixed) as process:
        assert process.stdout
        process.stdout.close()
        assert process.stderr
        assert process.stderr.read() == b""
        assert process.wait(20) == 141


def test_standard_input_is_a_file(mixed: str) -> None:
    with Path(mixed).open("rb") as file:
        done = subprocess.run([*FLEUTAN, "-r", "-", "--flows"], stdin=file, env=PLAIN, capture_output=True, check=False)
    assert (done.returncode, done.stdout.count(b"\n"), done.stderr) == (0, 3, NOTE.encode())


# -- as sflowtool writes it


@needs_captures
@pytest.mark.parametrize(
    ("name", "suffix", "form"),
    [
        (name, suffix, form)
        for suffix, form in (("text", []), ("csv", ["-l"]), ("grep", ["-g"]), ("jsonl", ["-j"]))
        for name in ("every-structure", "host-sflow-live")[: 1 if suffix == "grep" else 2]
    ],
)
def test_in_the_words_of_sflowtool_to_the_octet(run: Run, name: str, suffix: str, form: list[str]) -> None:
    status, out, _ = run("-r", str(CAPTURES / "sflow" / f"{name}.pcap"), "--compat", "--utc", *form)
    assert status == 0
    assert out == (CAPTURES / "sflow" / f"{name}.sflowtool-{suffix}").read_bytes().decode("latin-1")


@needs_captures
@pytest.mark.parametrize("name", ["every-structure", "host-sflow-live"])
def test_chosen_fields_in_the_words_of_sflowtool(run: Run, name: str) -> None:
    path = CAPTURES / "sflow" / f"{name}.sflowtool-L"
    expected = path.read_text(encoding="latin-1")
    typed = ("-r", str(CAPTURES / "sflow" / f"{name}.pcap"), "--compat", "--utc", "-L", ",".join(FIELDS))
    assert run(*typed) == (0, expected, "")


def test_owners_are_asked_for_as_what_samples_know() -> None:
    predicate = predicate_of("comm = curl and retrans_since > 0")
    assert predicate
    assert predicate.fields == {"comm", "retrans_since"}
    assert predicate.owner_fields == frozenset()
