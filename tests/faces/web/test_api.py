# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
from tests.asking import LENGTH, OCTETS, SECOND, ask

from fleutan.exports import forms
from fleutan.faces.web.application import Application
from fleutan.past.modules import MODULES
from fleutan.past.parameters import PARAMETERS

ROOT = "/api/v1/modules"


def test_rows_with_the_catalogue_s_keys(app: Application, first_ns: int) -> None:
    found = ask(app, f"{ROOT}/traffic?time=-10m:0&interval=60")
    assert (found.status, found.headers["content-type"]) == (200, "application/json")
    document = found.json
    assert document["schema"] == "fleutan/traffic/1"
    assert (document["start_ns"], document["end_ns"]) == (first_ns, first_ns + LENGTH * SECOND)
    assert document["rows"] == [
        {"time_ns": first_ns + minute * 60 * SECOND, "bytes": 60 * OCTETS, "packets": 600} for minute in range(10)
    ]


def test_parameters_with_types(app: Application, first_ns: int) -> None:
    start = f"{first_ns // SECOND}.000"
    found = ask(app, f"{ROOT}/topaddr?start={start}&end={first_ns // SECOND + 60}&use-src=true&use-dst=false&topn=2")
    assert [(row["address"], row["rank"]) for row in found.json["rows"]] == [("10.0.0.1", 1), ("10.0.0.2", 2)]


def test_notes_stand_in_the_document_and_in_a_header(app: Application) -> None:
    found = ask(app, f"{ROOT}/traffic?time=-1h:20m")
    assert found.json["notes"] == ["20m has no sign: taken as +20m from the start"]
    assert found.headers["fleutan-note"] == found.json["notes"][0]


def test_other_formats(app: Application) -> None:
    found = ask(app, f"{ROOT}/traffic?time=-10m:0&format=csv&interval=300")
    assert (found.kind, found.text.splitlines()[0]) == ("text/csv", "time_ns,bytes,packets")
    assert len(found.text.splitlines()) == 3


def test_an_answer_that_goes_on_until_its_end(app: Application, first_ns: int) -> None:
    found = ask(app, f"{ROOT}/traffic?start={first_ns // SECOND}&end={first_ns // SECOND + 60}&interval=20&wait=yes")
    assert [row["bytes"] for row in found.json["rows"]] == [20 * OCTETS] * 3
    assert "end_ns" not in found.json


def test_all_modules_are_listed(app: Application) -> None:
    found = ask(app, ROOT).json
    assert [one["module"] for one in found["modules"]] == list(MODULES)
    assert found["modules"][1]["formats"] == list(forms.forms_of("traffic"))


def test_the_status(app: Application, first_ns: int) -> None:
    found = ask(app, "/api/v1/status").json
    assert (found["schema"], found["name"], found["location"]) == ("fleutan/status/1", "node1", "Lyon")
    assert found["loads"] == {"15m": 6000, "1h": 6000, "6h": 6000, "1d": 6000}
    assert {one["since_ns"] for one in found["modules"] if one["module"] in ("traffic", "topaddr")} == {first_ns}


@pytest.mark.parametrize(
    ("target", "status", "detail"),
    [
        (f"{ROOT}/nope", 404, "no module is called so; there are trace, "),
        (f"{ROOT}/traffic?tim=-1h:0", 400, "no parameter is called 'tim'"),
        (f"{ROOT}/traffic?granularity=0", 400, "granularity: input should be greater than or equal to 1"),
        (f"{ROOT}/traffic?granularity=x", 400, "granularity: input should be a valid integer"),
        (f"{ROOT}/traffic?start=nan", 400, "start: input should be a finite number"),
        (f"{ROOT}/traffic?time=-1h:0&time=-2h:0", 400, "'time' is given twice"),
        (f"{ROOT}/traffic?time=-1h:0&start=1", 400, "time and start both say a time"),
        (f"{ROOT}/traffic?format=html", 400, "traffic has no format 'html'; it has"),
        (f"{ROOT}/traffic?filter=%zz", 400, "in '%zz' a '%' is not followed by two"),
        (f"{ROOT}?x=1", 400, "no parameter is called 'x'; there are none here"),
        ("/api/v1/status?x", 400, "no parameter is called 'x'; there are none here"),
        ("/api/v1/nope", 404, "there is no '/api/v1/nope'"),
        ("/api", 404, "there is no '/api'"),
        (f"{ROOT}/owners?time=-1h:0", 400, "the lake at "),
    ],
)
def test_what_is_wrong_is_said_as_a_problem(app: Application, target: str, status: int, detail: str) -> None:
    found = ask(app, target)
    assert (found.status, found.headers["content-type"]) == (status, "application/problem+json")
    problem: dict[str, Any] = found.json
    assert problem["type"] == "about:blank"
    assert problem["status"] == status
    assert problem["detail"].startswith(detail)


def test_a_problem_points_into_the_text(app: Application) -> None:
    problem = ask(app, f"{ROOT}/traffic?filter=tcp+and+andd+1").json
    assert (problem["text"], problem["position"]) == ("tcp and andd 1", 8)
    assert "\n" not in problem["detail"]


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "DELETE"])
def test_only_get_asks(app: Application, method: str) -> None:
    found = ask(app, f"{ROOT}/traffic", method)
    assert (found.status, found.headers["allow"], found.kind) == (405, "GET", "application/problem+json")


def test_openapi_tells_all_parameters_and_formats(app: Application) -> None:
    described = ask(app, "/openapi.json").json
    get = described["paths"]["/api/v1/modules/{module}"]["get"]
    told = {one["name"]: one for one in get["parameters"]}
    assert set(told) == {"module", *PARAMETERS}
    assert all(told[name]["description"] == help_ for name, help_ in PARAMETERS.items())
    assert told["granularity"]["schema"]["type"] == "integer"
    assert told["start"]["schema"]["type"] == "number"
    assert {"200", "400", "401", "404", "503"} <= set(get["responses"])
    kinds = {forms.content_type(form) for module in MODULES for form in forms.forms_of(module)}
    assert set(get["responses"]["200"]["content"]) == kinds
    assert set(get["responses"]["400"]["content"]) == {"application/problem+json"}


def test_there_is_no_page_that_loads_from_elsewhere(app: Application) -> None:
    assert ask(app, "/redoc").status == 404
