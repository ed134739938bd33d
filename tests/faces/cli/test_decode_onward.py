# SPDX-License-Identifier: Apache-2.0
"""``fleutan decode``: packets of a file sampled (-R), records sent on (-c), requests as a log (-H), loops refused."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.exports.sflowtool.received import flow as sample
from tests.exports.sflowtool.test_commonlog import REST, SOCKET, request
from tests.faces.cli.test_cli import status_of
from tests.programs.decoding.test_converting import heard, rows_of, sflow, tcp
from tests.protocols.netflow.test_programs import pcap
from tests.protocols.sflow.test_sampling import FRAME

from fleutan.faces.cli.decoding import collectors_of
from fleutan.protocols.capture.writing import pcap_header, pcap_records
from fleutan.protocols.spans import joined


@pytest.fixture
def ear() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.settimeout(0)
        yield made


def port_of(one: socket.socket) -> str:
    return str(one.getsockname()[1])


def packets(path: Path, rows: int) -> str:
    spans = joined([FRAME] * rows)
    path.write_bytes(pcap_header(1) + pcap_records(spans, spans.sizes + 100, spans.sizes * 0 + 1_700_000_000 * 10**9))
    return str(path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-R", "10"), "name one with -r"),
        (("-R", "0", "-r", "x"), "-R"),
        (("-R", "10", "-r", "x", "-p", "6343"), "not by -p"),
        (("-R", "10", "-r", "x", "--agent", "router"), "--agent router: not an IP address"),
        (("--agent", "192.0.2.1", "-r", "x"), "-R"),
        (("--seed", "0", "-r", "x"), "-R"),
        (("-d", "2055"), "-c"),
        (("-N", "9"), "-c"),
        (("-s",), "-c"),
        (("-c", "127.0.0.1", "-N", "7"), "'7' is not one of"),
        (("-c", "127.0.0.1", "-d", "0"), "-d"),
        (("-c", "", "-r", "x"), "a target is HOST/PORT"),
        (("-H", "-L", "agent"), "different forms"),
    ],
)
def test_what_makes_no_sense_is_one_line(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("decode", *words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


def test_a_collector_that_does_not_exist_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("decode", "-c", "nowhere.invalid", "-r", "x") == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("given", "title"), [((None, None), "2055"), (("9", None), "2055"), (("10", None), "4739"), (("10", 77), "77")]
)
def test_each_version_has_its_port(given: tuple[str | None, int | None], title: str) -> None:
    words = {"collector": "::1", "netflow": given[0], "collector_port": given[1]}
    assert [one.title for one in collectors_of(words)] == [f"::1/{title}"]


@pytest.mark.parametrize("version", ["5", "9", "10"])
def test_a_collector_gets_records_and_nothing_is_written(
    version: str, tmp_path: Path, ear: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    file = pcap(tmp_path / "sampled.pcap", [sflow(tcp(1), tcp(2)), sflow(tcp(3), sample(SOCKET))])
    assert status_of("decode", "-r", str(file), "-c", "127.0.0.1", "-d", port_of(ear), "-N", version) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "fleutan: note: 1 records were not converted: they have no IP addresses\n"
    assert [(row["sport"], row["packets"]) for row in rows_of(heard(ear))] == [(1, 400), (2, 400), (3, 400)]


def test_a_form_is_written_beside_and_counts_may_stay(
    tmp_path: Path, ear: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    file = pcap(tmp_path / "sampled.pcap", [sflow(tcp(1), tcp(2))])
    words = ("decode", "-r", str(file), "-c", "127.0.0.1", "-d", port_of(ear), "-s", "--flows", "sport = 2")
    assert status_of(*words) == 0
    assert [json.loads(line)["sport"] for line in capsys.readouterr().out.splitlines()] == [2]
    assert [(row["sport"], row["packets"], row["sampling_rate"]) for row in rows_of(heard(ear))] == [(2, 1, 400)]


@pytest.mark.parametrize("way", ["-f", "-c"])
def test_what_would_come_back_is_refused(way: str, ear: socket.socket, capsys: pytest.CaptureFixture[str]) -> None:
    port = port_of(ear)
    ear.close()
    words = ("-f", f"127.0.0.1/{port}") if way == "-f" else ("-c", "127.0.0.1", "-d", port)
    assert status_of("decode", "-p", port, "-b", "127.0.0.1", *words) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert f"sending to 127.0.0.1/{port}: it would come back" in err


def test_packets_are_sampled_for_every_form(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    words = ("decode", "-r", packets(tmp_path / "packets.pcap", 1000), "-R", "10")
    assert status_of(*words, "--agent", "2001:db8::1", "--flows") == 0
    rows = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert 50 < len(rows) < 200
    first = rows[0]
    assert (first["agent"], first["sampling_rate"], first["src"], first["sport"]) == ("2001:db8::1", 10, "10.0.0.1", 53)
    assert first["bytes"] == len(FRAME) + 104
    pools = [row["sample_pool"] for row in rows]
    assert pools == sorted(set(pools))
    assert status_of(*words, "--seed", "1", "--flows") == 0
    assert [json.loads(line)["sample_pool"] for line in capsysbinary.readouterr().out.splitlines()] != pools


def test_a_capture_becomes_one_of_sflow_and_says_the_same(
    tmp_path: Path, ear: socket.socket, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    words = ("decode", "-r", packets(tmp_path / "packets.pcap", 100), "-R", "5")
    assert status_of(*words, "-M", "-f", f"127.0.0.1/{port_of(ear)}") == 0
    made = tmp_path / "sflow.pcap"
    made.write_bytes(capsysbinary.readouterr().out)
    assert status_of(*words, "--flows") == 0
    direct = capsysbinary.readouterr().out
    assert status_of("decode", "-r", str(made), "--flows") == 0
    assert capsysbinary.readouterr().out == direct
    pools = [json.loads(line)["sample_pool"] for line in direct.splitlines()]
    assert [row["sample_pool"] for row in rows_of(heard(ear))] == pools


def test_requests_are_lines_of_a_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = pcap(tmp_path / "sampled.pcap", [sflow(tcp(1)), sflow(sample(request(), SOCKET))])
    assert status_of("decode", "-r", str(file), "-H", "--utc") == 0
    assert capsys.readouterr().out == f"192.0.2.9 {REST}"
