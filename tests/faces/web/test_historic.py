# SPDX-License-Identifier: Apache-2.0
"""Metroflux's addresses, as its users wrote them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from urllib.parse import quote

import pytest
from tests.asking import LENGTH, OCTETS, PACKETS, SECOND, ask

from fleutan.faces.web.application import Application, application
from fleutan.faces.web.bounds import Service
from fleutan.faces.web.desk import Desk
from fleutan.past.modules import MODULES
from fleutan.past.parameters import PARAMETERS
from fleutan.sources.jobs import Job

WHOLE = (LENGTH * OCTETS, LENGTH * PACKETS)


def figures(text: str) -> list[tuple[int, int]]:
    """The last two columns of every row."""
    rows = [line.split() for line in text.splitlines()]
    return [(int(row[-2]), int(row[-1])) for row in rows if row and row[-1].isdecimal()]


def added(text: str) -> tuple[int, int]:
    return sum(octets for octets, _ in figures(text)), sum(packets for _, packets in figures(text))


# -- the examples of Metroflux's page


def test_traffic_of_the_past_ten_hours(app: Application) -> None:
    found = ask(app, "/traffic?time=-10h:0")
    assert (found.status, found.headers["content-type"], found.whole) == (200, "text/plain; charset=utf-8", True)
    assert found.text.startswith("Date                     Timestamp          Bytes    Pkts\n")
    assert added(found.text) == WHOLE


def test_traffic_from_a_time_of_day_for_ten_minutes_as_gnuplot(app: Application, first_ns: int) -> None:
    hour, minute, second = (first_ns // SECOND // 3600 % 24, first_ns // SECOND // 60 % 60, first_ns // SECOND % 60)
    found = ask(app, f"/traffic?time=@{hour:02}{minute:02}{second:02}:+10m&format=gnuplot")
    assert found.status == 200
    assert found.text.startswith("set terminal")
    assert len(re.findall(rf"^{first_ns // SECOND // 1000}\d+ ", found.text, re.MULTILINE)) == LENGTH


def test_addresses_from_flows(app: Application) -> None:
    found = ask(app, "/topaddr?time=-1h:0&source=tuple")
    assert found.text.splitlines()[0].split()[2:4] == ["Destination", "IP"]
    assert added(found.text) == WHOLE


def test_a_filter_written_with_plus_signs(app: Application) -> None:
    found = ask(app, "/tuple?time=-10m:0&filter=tcp+and+src+10.0.0.2&source=tuple")
    assert added(found.text) == (WHOLE[0] // 4, WHOLE[1] // 4)
    assert "10.0.0.1" not in found.text


def test_a_range_whose_end_has_no_sign(app: Application) -> None:
    found = ask(app, "/tuple?format=html&time=-1h:20m")
    assert (found.status, found.kind) == (200, "text/html")
    assert found.headers["fleutan-note"] == "20m has no sign: taken as +20m from the start"


def test_intervals_that_are_asked_for(app: Application) -> None:
    found = ask(app, "/traffic?interval=5&source=tuple&time=-10m:0")
    assert set(figures(found.text)) == {(5 * OCTETS, 5 * PACKETS)}


@pytest.fixture
def batch(service: Service, first_ns: int) -> Iterator[Application]:
    """The application, where somebody knows of a job, and of a grid job of which that is a part."""
    one = Job(("node-2",), ("10.0.0.2",), first_ns, first_ns + 60 * SECOND)
    two = Job(("node-3",), ("10.0.0.3",), first_ns, first_ns + 60 * SECOND)
    jobs = {"jobid": {"10111213": (one,)}.__getitem__, "gridjobid": {"23162": (one, two)}.__getitem__}
    desk = Desk(replace(service, jobs=jobs))
    yield application(desk)
    desk.close()


@pytest.mark.parametrize(
    ("target", "rows"),
    [
        ("/traffic?gridjobid=23162", 30),
        ("/traffic?jobid=10111213&time=-1h:0&filter=icmp", 0),
        ("/traffic?jobid=10111213&time=-1h:0&filter=tcp", 150),
        ("/traffic?jobid=10111213&gridjobid=23162&time=-1h:0", 300),
    ],
)
def test_traffic_of_jobs(batch: Application, target: str, rows: int) -> None:
    assert added(ask(batch, target).text) == (rows * OCTETS, rows * PACKETS)


def test_jobs_are_never_left_out_silently(app: Application) -> None:
    found = ask(app, "/traffic?jobid=10111213&time=-1h:0&filter=icmp")
    assert (found.status, found.text) == (
        400,
        "jobid: nobody is named who knows of jobs: see [jobs] of the configuration\n",
    )


# -- addresses


@pytest.mark.parametrize(
    "target", ["/traffic?time=-10m:0", "/?module=traffic&time=-10m:0", "/?time=-10m:0&module=traffic"]
)
def test_the_older_address_says_the_same(app: Application, target: str) -> None:
    assert added(ask(app, target).text) == WHOLE


@pytest.mark.parametrize("target", ["/status", "/?status", "/services/status"])
def test_the_status(app: Application, target: str) -> None:
    found = ask(app, target)
    assert found.status == 200
    assert found.text.startswith("Node: node1 | Lyon | lake\nStart: ")
    assert re.search(r"^Module: traffic         \| all \| \d+ \| pretty plain gnuplot mbps ", found.text, re.MULTILINE)


def test_the_first_page_says_what_there_is(app: Application) -> None:
    found = ask(app, "/")
    assert (found.status, found.kind) == (200, "text/html")
    assert "topaddr" in found.text


#: Modules that this lake has nothing of.
NOTHING = ("owners", "drops", "limits", "counters", "paths", "exporters")


@pytest.mark.parametrize("module", [name for name in MODULES if name not in NOTHING])
def test_every_module_answers_in_every_form(app: Application, module: str) -> None:
    from fleutan.exports import forms

    for form in forms.forms_of(module):
        found = ask(app, f"/{module}?time=-10m:0&format={form}")
        assert found.status == 200, (form, found.text)
        assert found.headers["content-type"] == forms.content_type(form)


# -- what is wrong


@pytest.mark.parametrize(
    ("target", "status", "line"),
    [
        ("/nope", 404, "no module is called 'nope'; there are trace, traffic, "),
        ("/traffic/", 404, "no module is called 'traffic/'"),
        ("/services/trace", 404, "no service is called 'trace'; there is status"),
        ("/?time=-1h:0", 400, "say which module, as in /traffic?time=-10m:0"),
        ("/?module=nope", 404, "no module is called 'nope'"),
        ("/traffic?tim=-1h:0", 400, "no parameter is called 'tim'; did you mean time?"),
        ("/traffic?zzz", 400, "no parameter is called 'zzz'"),
        ("/traffic?format=tiff", 400, "traffic has no format 'tiff'; it has pretty, plain"),
        ("/traffic?wait=maybe", 400, "wait=maybe: say yes or no"),
        ("/traffic?source=foo", 400, "no source is called 'foo'; there are tuple and trace"),
        ("/traffic?time=-1h:0&time=-2h:0", 400, "'time' is given twice"),
        ("/protocol?include=nope", 400, "include=nope: say a protocol"),
        ("/status?format=json", 400, "status has no parameter 'format'"),
        ("/owners?wait=yes", 400, "owners has no intervals"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(app: Application, target: str, status: int, line: str) -> None:
    found = ask(app, target)
    assert (found.status, found.kind) == (status, "text/plain")
    assert found.text.startswith(line)
    assert found.text.count("\n") == 1


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("/traffic?filter=tcp+and+andd+1", "  tcp and andd 1\n          ^"),
        ("/traffic?time=-1h:5x", "  -1h:5x\n      ^"),
    ],
)
def test_what_is_not_understood_is_pointed_at(app: Application, target: str, place: str) -> None:
    found = ask(app, target)
    assert found.status == 400
    assert found.text.endswith(place + "\n")


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_only_get_asks(app: Application, method: str) -> None:
    found = ask(app, "/traffic?time=-1h:0", method)
    assert (found.status, found.headers["allow"]) == (405, "GET")


# -- injection

HOSTILE = (
    "'",
    "''",
    '"',
    "' OR 1=1 --",
    "1; DROP TABLE records; --",
    "$$ SELECT 1 $$",
    "$1",
    "?",
    "{0}{x}%s",
    "../../etc/passwd",
    "\\",
    "x' UNION SELECT 1",
    "read_csv('/etc/passwd')",
    "tcp and src = '1); SELECT 1 --'",
    "comm ~ '('",
    "comm ~ '.*' or comm = \"'; --\"",
    "\n",
    "\r\nSet-Cookie: x=1",
    "é漢\U0001f600\u202e",
    "١٢٣",
    "-1",
    "99999999999999999999",
    "1e309",
    "nan",
    "<script>alert(1)</script>",
    "a" * 7000,
    "(" * 3000,
    "not " * 1500,
)


@pytest.fixture
def patient(service: Service) -> Iterator[Application]:
    """The application, with lines of any length."""
    desk = Desk(replace(service, bounds=replace(service.bounds, line=1 << 20)))
    yield application(desk)
    desk.close()


#: Of another number than there are hostile words.
ASKED = ("traffic", "topaddr", "tuple", "talkers", "protocol")
TIMES = ("time", "start", "end", "during", "from", "to", "since")


@pytest.mark.parametrize("name", [*PARAMETERS, "module", "nope'--"])
def test_no_parameter_does_harm(patient: Application, name: str) -> None:
    app, window = patient, "" if name in TIMES else "time=-1m:0&"
    for module, hostile in zip(cycle(ASKED), HOSTILE, strict=False):
        found = ask(app, f"/{module}?{window}{quote(name)}={quote(hostile)}")
        assert found.status in (200, 400), (module, name, hostile, found.status, found.text[:200])
        assert found.whole
        assert "set-cookie" not in found.headers
        assert "<script>" not in found.text or found.kind != "text/html"
    assert added(ask(app, "/traffic?time=-10m:0").text) == WHOLE  # all is still there


@pytest.mark.parametrize("octets", [b"%00", b"%ff%fe", b"%", b"%u0041", b"\xff", b"'%27%00--"])
def test_octets_that_are_no_text_are_refused(app: Application, octets: bytes) -> None:
    for name in PARAMETERS:
        assert ask(app, b"/traffic?" + name.encode() + b"=" + octets).status == 400


@pytest.mark.parametrize("hostile", [*HOSTILE[:-3], "%00", "a" * 3000])
def test_no_module_does_harm(app: Application, hostile: str) -> None:
    assert ask(app, f"/{quote(hostile)}").status == 404
