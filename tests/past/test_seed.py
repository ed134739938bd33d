# SPDX-License-Identifier: Apache-2.0
"""Every query and filter that Metroflux's users were shown, by HTTP, over traffic of known content."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from tests import lakes
from tests.asking import ask
from tests.lakes import HOUR, MINUTE, SECOND, Row, Rows, between, sums

from fleutan.faces.web.application import Application, application
from fleutan.faces.web.bounds import Bounds, Node, Service
from fleutan.faces.web.desk import Desk
from fleutan.sources.jobs import Job

#: Thursday 17 September 2009, 20:30:07.25 UTC.
NOW = 1_253_219_407 * SECOND + SECOND // 4
TODAY = 1_253_145_600 * SECOND
NODES = ["172.24.120.20", "192.168.159.243", "10.213.54.6", "2001:db8::7"]
OTHERS = ["64.32.234.8", "64.32.234.9", "64.32.234.10", "172.28.54.9", "2001:db8:1::9"]
JOBS = {
    "jobid": {"10111213": Job(("node1",), ("172.24.120.20", "10.213.54.6"), NOW - 3 * HOUR, None)},
    "gridjobid": {"23162": Job(("node2",), ("192.168.159.243", "2001:db8::7"), NOW - 5 * HOUR, NOW - 4 * HOUR)},
}


def traffic(seed: int, sampled: bool) -> Rows:
    """Twelve hours: most of it in the last, all of it of known ends, autonomous systems, ports and counts."""
    chance = random.Random(seed)  # noqa: S311
    rows = []
    for number in range(3000):
        length = chance.choice([10 * MINUTE, HOUR, HOUR, 12 * HOUR])
        src, dst = (chance.choice(NODES + OTHERS) for _ in "sd")
        proto = chance.choice(["tcp", "tcp", "udp", "icmp"])
        ports = [0, 2048] if proto == "icmp" else [chance.choice([21, 22, 80, 5000, 5500, 6000, 6001]) for _ in "sd"]
        row: Row = {
            "time": NOW - chance.randrange(1, length),
            "exporter": "203.0.113.1",
            **dict(zip(("proto", "src", "dst", "sport", "dport"), (proto, src, dst, *ports), strict=True)),
            "packets": 1 if sampled else chance.randrange(1, 400),
            "bytes": chance.randrange(40, 1500) if sampled else chance.randrange(40, 400_000),
            "sampling_rate": 512 if sampled else chance.choice([None, 10]),
            "src_as": chance.choice([2529, 65535, 64512]),
            "dst_as": chance.choice([2529, 65535, None]),
            "in_if": number % 3,
        }
        rows.append(row if sampled else row | {"end": row["time"] + chance.randrange(MINUTE)})
    return sorted(rows, key=lambda row: row["time"])


class Site:
    """A site's lake, and what its rows are."""

    def __init__(self, root: Path, kind: str) -> None:
        self.kind, self.rows = kind, traffic(len(kind), kind == "samples")
        self.source = "trace" if kind == "samples" else "tuple"
        late = NOW - 20 * SECOND
        lakes.sealed(root, **{kind: [row for row in self.rows if row["time"] < late]})
        self.root, self.late = root, [row for row in self.rows if row["time"] >= late]

    def last(self, length: int) -> Rows:
        """The rows of so long ago until now."""
        return between(self.rows, NOW - length, NOW)


@pytest.fixture(scope="module", params=["records", "samples"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Of Lille, that had NetFlow, and of Lyon, that had sFlow; the last rows are not sealed yet."""
    found = Site(tmp_path_factory.mktemp("seed"), request.param)
    with lakes.unsealed(found.root, **{found.kind: found.late}):
        yield found


@pytest.fixture
def app(site: Site) -> Iterator[Application]:
    known = {name: lambda word, jobs=jobs: [jobs[word]] for name, jobs in JOBS.items()}
    desk = Desk(Service(site.root, Bounds(patience=30.0), Node("node1", "Lyon"), 0, known, now_ns=lambda: NOW))
    yield application(desk)
    desk.close()


def lines(app: Application, target: str) -> list[str]:
    """The lines of an answer."""
    found = ask(app, target)
    assert found.status == 200, found.text
    assert found.whole
    return found.text.splitlines()


def intervals(told: list[str]) -> dict[int, tuple[int, int]]:
    """Of ``traffic``: bytes and packets by the interval's beginning, in ns; each date is that of its time."""
    heading, *rows = told
    assert heading == "Date                     Timestamp          Bytes    Pkts"
    found = {}
    for row in rows:
        at, count, packets = row[24:].split()
        found[int(at.split(".")[0]) * SECOND] = int(count), int(packets)
        date = datetime.strptime(row[:24], "%a %b %d %H:%M:%S %Y").astimezone()
        assert date.timestamp() == float(at)
    return found


def expected(rows: Rows, bucket_ns: int) -> dict[int, tuple[int, int]]:
    return {key[0]: told for key, told in sums(rows, bucket_ns=bucket_ns).items()}


def of(*jobs: Job) -> Callable[[Row], bool]:
    nodes = {address for job in jobs for address in job.addresses}
    return lambda row: bool(nodes & {row["src"], row["dst"]})


# -- the table of queries


def test_traffic_of_the_past_ten_hours(app: Application, site: Site) -> None:
    assert intervals(lines(app, "/traffic?time=-10h:0")) == expected(site.last(10 * HOUR), MINUTE)


def test_traffic_from_half_past_nine_for_ten_minutes_in_gnuplots_format(app: Application, site: Site) -> None:
    told = lines(app, "/traffic?time=@093000:+10m&format=gnuplot")
    begin = TODAY + 9 * HOUR + 30 * MINUTE
    points = [line.split() for line in told if line[:1].isdigit()]
    seconds = expected(between(site.rows, begin, begin + 10 * MINUTE), SECOND)
    assert {int(at) * SECOND: (mbps, packets) for at, mbps, packets in points} == {
        at: (f"{8 * count / 1e6:f}", f"{packets:.10g}") for at, (count, packets) in seconds.items()
    }
    assert points


def test_top_addresses_of_the_past_hour_of_a_flow_stream(app: Application, site: Site) -> None:
    told = lines(app, f"/topaddr?time=-1h:0&source={site.source}")
    assert told[0].split() == ["Date", "#", "Destination", "IP", "Bytes", "Packets"]
    ranked = sorted(sums(site.last(HOUR), "dst").items(), key=lambda one: -one[1][0])
    assert [line.split()[5:] for line in told[1:]] == [
        [str(rank), address, str(count), str(packets)]
        for rank, ((address,), (count, packets)) in enumerate(ranked[:20], 1)
    ]


def test_traffic_of_a_grid_jobs_nodes(app: Application, site: Site) -> None:
    """Input and output of its nodes, while it ran."""
    job = JOBS["gridjobid"]["23162"]
    own = [row for row in between(site.rows, job.start_ns, job.end_ns or NOW) if of(job)(row)]
    assert intervals(lines(app, "/traffic?gridjobid=23162")) == expected(own, MINUTE)
    assert len(own) > 20


def test_icmp_of_a_jobs_nodes(app: Application, site: Site) -> None:
    told = intervals(lines(app, "/traffic?jobid=10111213&time=-1h:0&filter=icmp"))
    own = [row for row in site.last(HOUR) if row["proto"] == "icmp" and of(JOBS["jobid"]["10111213"])(row)]
    assert told == expected(own, MINUTE)
    assert len(own) > 20


def test_traffic_of_both_jobs_nodes(app: Application, site: Site) -> None:
    told = intervals(lines(app, "/traffic?jobid=10111213&gridjobid=23162&time=-1h:0"))
    both = of(JOBS["jobid"]["10111213"], JOBS["gridjobid"]["23162"])
    assert told == expected([row for row in site.last(HOUR) if both(row)], MINUTE)


# -- the other examples


def test_flows_from_one_address(app: Application, site: Site) -> None:
    target = f"/tuple?time=-10m:0&filter=tcp+and+src+192.168.159.243&source={site.source}&format=plain"
    own = [row for row in site.last(10 * MINUTE) if row["proto"] == "tcp" and row["src"] == "192.168.159.243"]
    found = [line.split() for line in lines(app, target)]
    assert {row[3] for row in found} == {"192.168.159.243"}
    assert sum(int(row[7]) for row in found) == sums(own)[()][0]
    assert sum(int(row[8]) for row in found) == sums(own)[()][1]
    if site.kind == "records":
        assert len(found) == len(own)
    pretty = lines(app, target.removesuffix("&format=plain"))
    assert pretty[0].split() == [
        "Start",
        "Duration",
        "Proto",
        "Source",
        "IP:Port",
        "Destination",
        "IP:Port",
        "Bytes",
        "Packets",
    ]
    assert len(pretty) == len(found) + 1


def test_flows_as_a_page_and_an_end_without_a_sign(app: Application, site: Site) -> None:
    found = ask(app, "/tuple?format=html&time=-1h:20m")
    assert (found.status, found.kind) == (200, "text/html")
    assert found.headers["fleutan-note"] == "20m has no sign: taken as +20m from the start"
    told = between(site.rows, NOW - HOUR, NOW - 40 * MINUTE)
    rows = found.text.count("<tr><td>")
    assert rows == len(told) if site.kind == "records" else 0 < rows <= len(told)


@pytest.mark.skipif(not shutil.which("gnuplot"), reason="gnuplot is not installed")
@pytest.mark.parametrize(
    ("target", "pipe"),
    [
        ("/flowcount?format=gnuplot&time=-1h:0", "gnuplot"),
        (
            "/traffic?format=gnuplot&time=-10m:0",
            "awk '{v[i++] = $0; print $0;} /^e/ {for (j=1;j<i;j++) print v[j];}' | gnuplot",
        ),
    ],
)
def test_what_is_piped_into_gnuplot_is_drawn(app: Application, target: str, pipe: str) -> None:
    script = "\n".join(lines(app, target)) + "\n"
    drawn = subprocess.run(["sh", "-c", pipe], input=script.encode(), capture_output=True, check=True)
    assert drawn.stdout.startswith(b"%!PS-Adobe")
    assert drawn.stderr == b""


def test_active_flows_are_counted(app: Application, site: Site) -> None:
    points = [line.split() for line in lines(app, "/flowcount?format=gnuplot&time=-1h:0") if line[:1].isdigit()]
    flows: dict[int, set[Any]] = {}
    for row in site.last(HOUR):
        five = tuple(row[name] for name in ("proto", "src", "dst", "sport", "dport"))
        flows.setdefault(row["time"] // MINUTE * 60, set()).add(five)
    assert {int(at): int(many) for at, many in points} == {at: len(those) for at, those in flows.items()}


def test_intervals_of_five_seconds(app: Application, site: Site) -> None:
    told = intervals(lines(app, f"/traffic?interval=5&source={site.source}&time=-10m:0"))
    assert told == expected(site.last(10 * MINUTE), 5 * SECOND)


# -- the table of filters, and every keyword


FILTERS: list[tuple[str, Callable[[Row], bool]]] = [
    ("tcp", lambda row: row["proto"] == "tcp"),
    (
        "tcp and src 10.213.54.6 and sport 5000:6000",
        lambda row: row["proto"] == "tcp" and row["src"] == "10.213.54.6" and 5000 <= row["sport"] <= 6000,
    ),
    (
        "udp and (not(sport 21) or src 64.32.234.9/31)",
        lambda row: row["proto"] == "udp" and (row["sport"] != 21 or row["src"] in ("64.32.234.8", "64.32.234.9")),
    ),
    ("src asn 2529 or addr asn 65535", lambda row: row["src_as"] == 2529 or 65535 in (row["src_as"], row["dst_as"])),
    ("dst 64.32.234.8/30", lambda row: _inside(row["dst"], "64.32.234.8/30")),
    ("addr 172.24.120.20", lambda row: "172.24.120.20" in (row["src"], row["dst"])),
    ("host 2001:db8::/47", lambda row: any(_inside(row[side], "2001:db8::/47") for side in ("src", "dst"))),
    ("dport 22", lambda row: row["dport"] == 22),
    ("sport 6000:", lambda row: row["sport"] >= 6000),
    ("ip", lambda row: ":" not in row["src"]),
    ("icmp", lambda row: row["proto"] == "icmp"),
    ("input 2", lambda row: row["in_if"] == 2),
    ("exporter 203.0.113.1", lambda _: True),
]


def _inside(address: str, network: str) -> bool:
    return ip_address(address) in ip_network(network)


@pytest.mark.parametrize(("text", "means"), FILTERS)
def test_filters(app: Application, site: Site, text: str, means: Callable[[Row], bool]) -> None:
    told = intervals(lines(app, f"/traffic?time=-1h:0&source={site.source}&filter={quote_plus(text)}"))
    own = [row for row in site.last(HOUR) if means(row)]
    assert told == expected(own, MINUTE)
    assert own


@pytest.mark.parametrize("text", ["to_ds", "from_ds"])
def test_what_no_record_can_say_is_refused(app: Application, text: str) -> None:
    found = ask(app, f"/traffic?time=-1h:0&filter={text}")
    assert found.status == 400
    assert f"{text!r} is not known here" in found.text


# -- modules and status

#: What ``status`` says of each module: its filter, and the formats that there were.
MODULES = {
    "ethtypes": ("all", "plain pretty gnuplot"),
    "flow-reassembly": ("tcp", "plain"),
    "flowcount": ("all", "gnuplot"),
    "protocol": ("ip", "plain pretty gnuplot"),
    "topaddr": ("ip", "plain pretty html sidebox"),
    "topports": ("tcp or udp", "plain pretty html sidebox"),
    "traffic": ("all", "gnuplot plain pretty"),
    "tuple": ("ip", "plain pretty html"),
    "trace": ("all", "pcap"),
}


def test_status_tells_of_every_module_its_filter_and_formats(app: Application) -> None:
    told = [line.split("|") for line in lines(app, "/status") if line.startswith("Module: ")]
    found = {name.removeprefix("Module: ").strip(): (filter_.strip(), forms) for name, filter_, _, forms, _ in told}
    for name, (filter_, forms) in MODULES.items():
        assert found[name][0] == filter_
        assert set(forms.split()) <= set(found[name][1].split())


@pytest.mark.parametrize("module", MODULES)
def test_every_module_answers_in_every_format_that_there_was(app: Application, module: str) -> None:
    for form in MODULES[module][1].split():
        assert ask(app, f"/{module}?time=-10m:0&format={form}").status == 200
