# SPDX-License-Identifier: Apache-2.0
"""``fleutan query`` as it is typed: forms, windows, notes, what goes wrong, what goes on."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from tests import lakes
from tests.lakes import AT, HOUR, LASTS, MINUTE, SECOND, sums
from tests.past.segments import IPV4, sample

from fleutan.exports import forms
from fleutan.faces import cli
from fleutan.faces.cli.lakes import lake_of
from fleutan.lake.writer import Writer
from fleutan.past.modules import MODULES

RECORDS = lakes.records()
WHOLE = ("--start", str(AT // SECOND), "--end", str((AT + LASTS) // SECOND))
DEADLINE = 60.0
#: A process that runs the command line that follows it.
COMMAND = (sys.executable, "-c", "from fleutan.faces.cli import main; main()")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some of each kind."""
    row = {"time": AT + SECOND, "node": "here"}
    return lakes.sealed(
        tmp_path_factory.mktemp("cli") / "lake",
        records=RECORDS,
        samples=[*lakes.samples(), sample(IPV4, 1, b"hello")],
        flows=lakes.flows(),
        drops=[row | {"event": "drop", "reason": "NO_SOCKET", "packets": 3}],
        counters=[row | {"structure": "if_counters", "counter": "ifInOctets", "count": 7}],
        paths=[row | {"dst": "192.0.2.1", "hop_count": 3}],
        exporters=[row | {"exporter": "203.0.113.1", "rates": (1, 100)}],
    )


Run = Callable[..., tuple[int, bytes, str]]


@pytest.fixture
def run(capsysbinary: pytest.CaptureFixture[bytes], lake: Path) -> Run:
    def asked(*words: str, root: Path = lake) -> tuple[int, bytes, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["query", "--lake", str(root), *words])
        out, err = capsysbinary.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, out, err.decode()

    return asked


# -- forms


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("window", ["whole", "nothing", "no rows in a lake without any"])
def test_every_module_in_every_form(run: Run, module: str, window: str, tmp_path: Path) -> None:
    """Each is valid with rows, in a window without any, and in an empty lake."""
    root = {"root": lakes.sealed(tmp_path / "bare")} if window.startswith("no rows") else {}
    words = WHOLE if window == "whole" else ("--start", "1", "--end", "2")
    for form in (*forms.forms_of(module), "text"):
        status, out, err = run(module, *words, "-f", form, "--utc", **root)
        if root and module in ("owners", "limits", "drops", "counters", "paths", "exporters"):
            assert (status, out) == (2, b"")
            assert "has no " in err
            continue
        assert status == 0, (form, err)
        if form == "json":
            found = json.loads(out)
            assert found["schema"] == f"fleutan/{module}/1"
            assert bool(found["rows"]) == (window == "whole")
        elif form == "jsonl":
            assert bool([json.loads(line) for line in out.splitlines()]) == (window == "whole")
        elif form == "csv":
            assert bool(list(csv.DictReader(io.StringIO(out.decode())))) == (window == "whole")
        elif form == "parquet":
            path = tmp_path / "answer.parquet"
            path.write_bytes(out)
            (rows,) = duckdb.connect().execute(f"SELECT count(*) FROM '{path}'").fetchall()[0]
            assert bool(rows) == (window == "whole")
        elif form == "html":
            assert out.startswith(b"<!DOCTYPE html>")


def test_without_a_form_it_is_the_modules_own(run: Run) -> None:
    assert run("traffic", *WHOLE)[1].startswith(b"Date                     Timestamp          Bytes    Pkts\n")
    assert run("flowcount", *WHOLE)[1].startswith(b"# flows") or b"plot" in run("flowcount", *WHOLE)[1]
    assert run("talkers", *WHOLE)[1].split()[:4] == [b"SRC", b"FLOWS", b"PACKETS", b"BYTES"]


def test_rates_are_of_the_interval(run: Run) -> None:
    out = run("traffic", *WHOLE, "-i", "60", "-f", "mbps", "--source", "tuple", "kind = records")[1]
    totals = [count for _, (count, _) in sorted(sums(RECORDS, bucket_ns=MINUTE).items())]
    assert out.decode().splitlines() == [f"{8 * count / 1e6 / 60:4.2f} Mbps" for count in totals]


def test_protocols_may_be_told_apart_besides(run: Run) -> None:
    assert b" gre " in run("protocol", *WHOLE, "-f", "pretty", "--include", "gre")[1]
    assert run("protocol", *WHOLE, "-f", "pretty", "--include", "nope")[0] == 2


def test_it_is_drawn(run: Run) -> None:
    out = run("traffic", *WHOLE, "--plot", "--utc")[1].decode()
    assert out.startswith("bytes  every 1min")
    assert "packets  every 1min" in out
    assert run("talkers", *WHOLE, "--plot")[0::2] == (
        2,
        "fleutan: talkers cannot be plotted: it has no time, as traffic and flowcount have\n",
    )


def test_a_picture_is_of_the_whole_though_it_comes_in_parts(run: Run, tmp_path: Path) -> None:
    root = lakes.sealed(tmp_path / "lake", records=[RECORDS[0], RECORDS[-1]])
    out = run("traffic", *WHOLE, "-i", "0.01", "--plot", root=root)[1].decode()
    assert out.count("bytes  every") == 1


def test_rows_that_a_form_leaves_out_are_told(run: Run) -> None:
    status, out, err = run("trace", *WHOLE, "-f", "pcap")
    missing = sum(row["header"] is None for row in lakes.samples())
    assert status == 0
    assert err == f"fleutan: note: {missing} rows were left out: packets of which no header was kept\n"
    assert out[:4] == b"\xd4\xc3\xb2\xa1"


def test_what_is_binary_goes_to_no_screen(lake: Path) -> None:
    for form in ("parquet", "pcap", "pcapng"):
        main, other = pty.openpty()
        words = [*COMMAND, "query", "--lake", str(lake), "trace", *WHOLE, "-f", form]
        ended = subprocess.run(words, stdout=other, stderr=subprocess.PIPE, text=True, check=False)
        os.close(other)
        os.close(main)
        assert ended.returncode == 2
        assert ended.stderr == f"fleutan: {form} is not for a screen: write it to a file, as in > trace.{form}\n"


# -- windows, notes, what is wrong


def test_how_a_window_was_understood_is_noted(run: Run) -> None:
    status, _, err = run("traffic", "--time", "-1h:20m")
    assert (status, err) == (0, "fleutan: note: 20m has no sign: taken as +20m from the start\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nope",), "no module is called 'nope'; there are trace, traffic"),
        (("traffic", "-f", "pcap"), "traffic has no format 'pcap'; it has pretty, plain, gnuplot, mbps, json"),
        (("traffic", "tcp and"), "a condition must follow"),
        (("traffic", "--time", "-1x:0"), "a number and d, h, m or s was expected here"),
        (("traffic", "-i", "0"), "an interval of 0: say seconds"),
        (("traffic", "-n", "x"), "topn=x: say a number"),
        (("traffic", "--memory", "much"), "'much' is no amount of memory: say one as in 500MB or 2GB"),
        (("traffic", "--engine", "abacus"), "'abacus' is no engine"),
        (("traffic", "--jobid", "7"), "jobid: nobody is named who knows of jobs"),
        (("traffic", "--source", "x"), "no source is called 'x'"),
        (("talkers", "-k", "colour"), "no field is called 'colour'"),
        (("owners", "unit ~ '((a{100}){100}){100}'"), "the filter cannot be evaluated: invalid repetition size"),
        (("traffic", "--settle", "5s"), "--settle goes with --wait"),
        (("owners", "--wait"), "owners has no intervals: ask it without wait=yes"),
        (("traffic", "--wait", "-f", "parquet"), "a Parquet file ends before it can be read"),
        (("traffic", "--wait", "--plot"), "a picture shows what was: draw it without --wait"),
        (("topaddr", "--url", "javascript:x", "-f", "html"), "javascript"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(run: Run, words: tuple[str, ...], said: str) -> None:
    status, out, err = run(*words)
    assert (status, out) == (2, b"")
    assert said in err
    assert len(err.splitlines()) in (1, 3)  # of a filter or a time the place is shown


def test_trouble_with_the_lake_is_said_in_a_line(run: Run, tmp_path: Path) -> None:
    status, out, err = run("traffic", root=tmp_path / "nowhere")
    assert (status, out) == (1, b"")
    assert err.startswith(f"fleutan: there is no lake at {tmp_path}/nowhere: ")
    root = lakes.sealed(tmp_path / "lake", records=RECORDS)
    path = next((root / "records").rglob("*.parquet"))
    path.write_bytes(b"PAR1")
    status, out, err = run("tuple", *WHOLE, "-f", "csv", root=root)
    assert (status, out) == (1, b"")
    assert err == f"fleutan: {path} is broken and cannot be read; the lake answers again when it is moved away\n"
    status, _, err = run("traffic", *WHOLE, "--memory", "1KB")
    assert (status, err.count("\n")) == (1, 1)


def test_which_lake(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FLEUTAN_LAKE", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert lake_of("/x") == Path("/x")
    own = Path("/var/lib/fleutan/lake") if os.geteuid() == 0 else Path.home() / ".local/state/fleutan/lake"
    assert lake_of(None) == own
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert lake_of("") == (own if os.geteuid() == 0 else Path("/state/fleutan/lake"))
    monkeypatch.setenv("FLEUTAN_LAKE", "/y")
    assert lake_of(None) == Path("/y")
    assert lake_of("/x") == Path("/x")


# -- what goes on, and what ends it


def test_an_answer_that_goes_on_ends_at_its_end(run: Run) -> None:
    """All of it is past, so that it is told at once and is the same as without."""
    words = ("traffic", *WHOLE, "-i", "60", "-f", "csv")
    assert run(*words, "--wait", "--settle", "1s") == run(*words)


def lines(process: subprocess.Popen[bytes], many: int) -> list[bytes]:
    """So many lines of its output, within the deadline."""
    assert process.stdout is not None
    octets, until = b"", time.monotonic() + DEADLINE
    while octets.count(b"\n") < many:
        assert time.monotonic() < until, octets
        if select.select([process.stdout], [], [], 1.0)[0]:
            octets += os.read(process.stdout.fileno(), 1 << 16)
    return octets.splitlines()


def ended(process: subprocess.Popen[bytes]) -> tuple[int, bytes]:
    _, err = process.communicate(timeout=DEADLINE)
    return process.returncode, err


def following(root: Path) -> subprocess.Popen[bytes]:
    words = (
        "query",
        "--lake",
        str(root),
        "traffic",
        "--wait",
        "--since",
        "2h",
        "-i",
        "1",
        "--settle",
        "0s",
        "-f",
        "jsonl",
    )
    return subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_rows_are_told_as_they_come_until_ctrl_c(tmp_path: Path) -> None:
    now_ns = time.time_ns()
    root = lakes.sealed(tmp_path / "lake", records=[RECORDS[1] | {"time": now_ns - HOUR}])
    with following(root) as process:
        (first,) = lines(process, 1)
        assert json.loads(first)["time_ns"] == (now_ns - HOUR) // SECOND * SECOND
        at_ns = time.time_ns() + 3 * SECOND
        with Writer(root, "later", node="here") as writer:
            writer.add(lakes.table("records", [RECORDS[1] | {"time": at_ns}]))
        (second,) = lines(process, 1)
        assert json.loads(second)["time_ns"] == at_ns // SECOND * SECOND
        process.send_signal(signal.SIGINT)
        assert ended(process) == (130, b"")


def test_whoever_closes_the_pipe_ends_it(lake: Path) -> None:
    words = [*COMMAND, "query", "--lake", str(lake), "traffic", *WHOLE, "-i", "0.01", "-f", "csv"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert (process.wait(DEADLINE), process.stderr and process.stderr.read()) == (141, b"")
