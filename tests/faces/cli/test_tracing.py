# SPDX-License-Identifier: Apache-2.0
"""``fleutan paths`` from options to what is written."""

from __future__ import annotations

import csv
import io
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path as Path_
from typing import Any

import pytest
from tests.faces.cli.conftest import table_of
from tests.sources.test_places import database

from fleutan.analysis.paths import Hop, Path, Router
from fleutan.errors import UsageError
from fleutan.faces.cli import figures, main, tracing
from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.paths import command
from fleutan.faces.cli.terminal import Screen
from fleutan.linux import capabilities
from fleutan.live.paths import Answer
from fleutan.sources.places import Places

needs_raw = pytest.mark.skipif(bool(capabilities.missing(("CAP_NET_RAW",))), reason="needs CAP_NET_RAW")
ROUTER = Router("10.0.0.1", (300.0, 500.0), "gw", 64496, "DE", 63, "!X", ("24001 ttl 1",), ("nat",), 1400)
PATHS = [
    Path(
        "p0",
        "flow",
        (Hop(1, (ROUTER,), 3, 1), Hop(2, (), 3, 3), Hop(3, (Router("10.9.0.77", (900.0,)),), 1)),
        destination="10.9.0.77",
    ),
    Path("p1", "syn", (Hop(1, (Router("10.9.0.78", (100.0,)),), 1),), destination="10.9.0.78"),
]


@pytest.fixture
def answer() -> Answer:
    flow = {"proto": "tcp", "src": "10.9.0.1", "sport": 1, "dport": 443, "rtt": 800, "proc": "curl(7)", "pids": (7,)}
    rows = [
        {**flow, "dst": "10.9.0.77", "path": "p0", "tx_rate": 8000, "rx_rate": 0},
        {**flow, "dst": "10.9.0.78", "path": "p1", "tx_rate": None, "rx_rate": 90},
        {**flow, "dst": "10.9.0.79", "path": None, "tx_rate": 1, "rx_rate": 1},
    ]
    return Answer(table_of(rows), PATHS)


def words(*typed: str) -> dict[str, Any]:
    return dict(command.make_context("paths", list(typed)).params)


def machine(answer: Answer, *typed: str) -> str:
    return b"".join(tracing._machine(words(*typed), answer)).decode()


def test_all_ways_are_told_and_read_again(answer: Answer) -> None:
    hops = (
        Hop(1, (Router("10.0.0.1", (1.0,)),), 1),
        Hop(2, (ROUTER, Router("10.0.0.2", (2.0,))), 9, 0, "per packet", (("10.0.0.1", "10.0.0.2"),)),
    )
    path = Path("p0", "udp", hops, destination="10.9.0.77")
    told = json.loads(machine(answer._replace(paths=[path]), "--json"))["paths"][0]
    assert told["hops"][1]["balancing"] == "per packet"
    assert told["hops"][1]["links"] == [{"from": "10.0.0.1", "to": "10.0.0.2"}]
    assert not {"balancing", "links"} & told["hops"][0].keys()
    again = tracing.path_told(told).hops[1]
    assert (again.balancing, again.links) == (hops[1].balancing, hops[1].links)


def test_settings_of_all_ways() -> None:
    assert tracing.settings_of(words("--multipath")).confidence == 0.95
    assert tracing.settings_of(words("--multipath", "--confidence", "99")).confidence == 0.99
    assert tracing.settings_of(words()).confidence is None
    with pytest.raises(UsageError, match="--multipath goes with syn, udp or icmp"):
        tracing.settings_of(words("--multipath", "--method", "flow"))


@pytest.mark.parametrize(
    ("typed", "why"),
    [(["--confidence", "99"], "goes with --multipath"), (["--multipath", "--load"], "ask one at a time")],
)
def test_options_that_do_not_go_together(typed: list[str], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        command.callback(**words(*typed))  # type: ignore[misc]


def test_a_document(answer: Answer) -> None:
    said = json.loads(machine(answer, "--json"))
    assert said["schema"] == "fleutan/paths/1"
    assert [flow["path"] for flow in said["flows"]] == ["p0", "p1", None]
    first, second = said["paths"]
    assert {name: first[name] for name in ("id", "method", "destination", "ended")} == {
        "id": "p0",
        "method": "flow",
        "destination": "10.9.0.77",
        "ended": "reached",
    }
    assert first["hops"][0]["routers"] == [
        {
            "addr": "10.0.0.1",
            "name": "gw",
            "rtt_us": [300.0, 500.0],
            "loss": 1 / 3,
            "ttl": 63,
            "asn": 64496,
            "country": "DE",
            "refusal": "!X",
            "labels": ["24001 ttl 1"],
            "changes": ["nat"],
            "mtu": 1400,
        }
    ]
    assert first["hops"][1]["routers"] == []
    assert (first["hops"][2]["added_us"], second["hops"][0]["lost"]) == (600.0, 0)
    assert "links" not in said


def test_a_document_with_what_is_carried(answer: Answer) -> None:
    said = json.loads(machine(answer, "--load", "--json"))
    assert said["routers"][0] == {"address": "10.0.0.1", "rate_bps": 8000.0, "flows": 1}
    assert {"from": None, "to": "10.9.0.78", "rate_bps": 90.0, "flows": 1} in said["links"]


def test_hops_as_records(answer: Answer) -> None:
    records = list(csv.DictReader(io.StringIO(machine(answer, "--csv"))))
    assert [(row["path"], row["ttl"], row["address"], row["rtt_us"], row["lost"]) for row in records] == [
        ("p0", "1", "10.0.0.1", "300.0", "1"),
        ("p0", "2", "", "", "3"),
        ("p0", "3", "10.9.0.77", "900.0", "0"),
        ("p1", "1", "10.9.0.78", "100.0", "0"),
    ]
    assert not machine(answer, "--csv", "-H").startswith("path,")


@pytest.mark.parametrize(("form", "sign"), [("--dot", "digraph"), ("--mermaid", "flowchart")])
def test_graphs(answer: Answer, form: str, sign: str) -> None:
    said = machine(answer, form)
    assert sign in said
    assert "10.9.0.77" in said


@pytest.mark.parametrize("view", [(), ("--delta",), ("--load",), ("--slow",), ("--load", "--top", "0")])
def test_pages(answer: Answer, view: tuple[str, ...]) -> None:
    lines = list(tracing._page(words(*view), answer, Look(Screen(100, 24))))
    assert any("10.9.0.77" in line for line in lines)


def test_how_to_trace() -> None:
    found = tracing.settings_of(
        words("--queries", "2", "-m", "9", "-w", "0.5", "--pps", "7", "--each", "3", "--method", "udp")
    )
    assert (found.method, found.pps, found.most, found.destinations) == ("udp", 7.0, 3, ())
    assert (found.rules.queries, found.rules.last, found.rules.wait_ns) == (2, 9, 500_000_000)
    found = tracing.settings_of(words("--dsts", "192.0.2.1, ::1", "--dsts", "127.0.0.1"))
    assert (found.method, found.destinations) == ("", ("192.0.2.1", "::1", "127.0.0.1"))


def test_names_have_addresses() -> None:
    assert "127.0.0.1" in tracing.addresses("localhost")
    assert tracing.addresses(" ::1".strip()) == ["::1"]
    for name in ("no-such-host.invalid", "x" * 70 + ".invalid"):
        with pytest.raises(UsageError, match="--dsts"):
            tracing.addresses(name)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("0.0.0.0", "no host's address"),  # noqa: S104
        ("::", "no host's address"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("fe80::1%eth0", "no path"),
    ],
)
def test_addresses_that_no_path_leads_to(name: str, why: str) -> None:
    with pytest.raises(UsageError, match=f"--dsts {name}: .*{why}"):
        tracing.addresses(name)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--delta", "--slow"], "--delta and --slow are different questions"),
        (["-4", "-6"], "-4 and -6 exclude each other"),
        (["-i", "1"], "-i goes with --load or --watch"),
        (["--asn", "/nowhere.mmdb"], "--asn /nowhere.mmdb: no such file or directory"),
        (["rttt > 5"], "did you mean rtt"),
        (["tx_rate > 5"], "is only known over an interval"),
    ],
)
def test_what_cannot_be_meant(typed: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["paths", *typed])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@needs_raw
@pytest.mark.parametrize("form", [(), ("--json",), ("-r",), ("--load", "-i", "0.01")])
def test_this_host(form: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(SystemExit) as ended:
            main(["paths", "--dsts", "127.0.0.1", "--method", "icmp", "pid = 0", *form])
    assert not ended.value.code
    assert "127.0.0.1" in capsys.readouterr().out


def test_an_earlier_document_is_read_again(answer: Answer, tmp_path: Path_) -> None:
    kept = tmp_path / "before.json"
    kept.write_text(machine(answer, "--json"))
    found = tracing.read(str(kept))
    assert [(path.id, path.known, path.ended) for path in found.paths] == [
        (path.id, path.known, path.ended) for path in PATHS
    ]
    assert found.paths[0].hops[0].routers[0].refusal == "!X"
    lines = list(tracing._answered(words(), answer, found, Look(Screen(80, 24))).body)  # type: ignore[union-attr]
    assert lines == [f"no path has changed since {found.at}"]


@pytest.mark.parametrize("text", ["", "{}", '{"at": 1, "paths": [1]}', "[]", '{"at": 1, "paths": [{"id": "p0"}]}'])
def test_what_is_no_document(text: str, tmp_path: Path_) -> None:
    kept = tmp_path / "before.json"
    kept.write_text(text)
    with pytest.raises(UsageError, match="no document of 'fleutan paths --json'"):
        tracing.read(str(kept))
    with pytest.raises(UsageError, match="no such file"):
        tracing.read(str(tmp_path / "none"))


def test_routers_have_names_where_they_come(answer: Answer) -> None:
    names = figures.Names({"10.9.0.77": "far.example"}.get, lambda *_: None)
    found = tracing.named(answer, names)
    assert [router.name for hop in found.paths[0].hops for router in hop.routers] == ["gw", "far.example"]
    assert tracing.named(answer, None) is answer


def test_routers_have_networks_and_countries(answer: Answer, tmp_path: Path_) -> None:
    record = {"autonomous_system_number": 64500, "country": {"iso_code": "FR"}}
    with Places(database(tmp_path / "asn.mmdb", {"10.9.0.0/16": record})) as places:
        found = tracing.placed(answer, places)
    assert [(router.asn, router.country) for hop in found.paths[0].hops for router in hop.routers] == [
        (None, None),
        (64500, "FR"),
    ]


@needs_raw
def test_traced_again_and_again() -> None:
    code = "from fleutan.faces.cli import main; main()"
    typed = ["paths", "--dsts", "127.0.0.1", "--method", "icmp", "pid = 0", "--watch", "-i", "0.1"]
    with subprocess.Popen([sys.executable, "-c", code, *typed], stdout=subprocess.PIPE, text=True) as asked:
        assert asked.stdout
        for line in asked.stdout:
            if line.startswith("no path has changed since"):
                break
        asked.send_signal(signal.SIGINT)
        asked.stdout.read()
    assert asked.returncode == 130
