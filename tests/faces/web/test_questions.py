# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import UTC

import pytest
from tests.asking import LENGTH, SECOND

from fleutan.errors import UsageError
from fleutan.faces.web.bounds import Service
from fleutan.faces.web.failures import NoSuchModule
from fleutan.faces.web.questions import question
from fleutan.past.request import MINUTE


def test_the_form_is_the_one_that_is_said_or_the_module_s_own(service: Service) -> None:
    assert question(service, "traffic", {}).form == "pretty"
    assert question(service, "flowcount", {}).form == "gnuplot"
    assert question(service, "talkers", {}).form == "json"
    assert question(service, "traffic", {}, "json").form == "json"
    assert question(service, "traffic", {"format": "csv"}, "json").form == "csv"
    assert question(service, "topaddr", {"format": "html"}).media_type == "text/html; charset=utf-8"


def test_what_forms_need_to_know(service: Service) -> None:
    words = {"time": "-10m:0", "use-src": "", "utc": "", "url": "/host", "urlargs": "a=1&b=2", "include": "ospf,47"}
    options = question(service, "topaddr", words).options
    assert (options.side, options.zone, options.url) == ("src", UTC, "/host")
    assert options.url_args == ("a=1", "b=2")
    assert options.include == (89, 47)
    assert options.interval_ns == LENGTH * SECOND
    assert question(service, "topaddr", {**words, "interval": "60"}).options.interval_ns == MINUTE
    assert question(service, "traffic", {"time": "-10m:0"}).options.interval_ns == SECOND
    assert question(service, "traffic", {}).options.zone is None
    assert options.names[443, "tcp"] == "https"


def test_an_answer_that_goes_on(service: Service) -> None:
    found = question(service, "traffic", {"wait": "yes", "interval": "30"})
    assert found.follow is not None
    assert (found.follow.width_ns, found.options.interval_ns) == (30 * SECOND, 30 * SECOND)
    assert question(service, "traffic", {"wait": "no"}).follow is None


@pytest.mark.parametrize(
    ("module", "words", "error", "why"),
    [
        ("nope", {}, NoSuchModule, "no module is called 'nope'"),
        ("x" * 100, {}, NoSuchModule, "no module is called '" + "x" * 40 + "'"),
        ("traffic", {"jobid": "1"}, UsageError, "jobid: nobody is named who knows of jobs"),
        ("traffic", {"wait": "never"}, UsageError, "wait=never: say yes or no"),
        ("traffic", {"format": "x"}, UsageError, "traffic has no format 'x'"),
        ("traffic", {"x": ""}, UsageError, "no parameter is called 'x'"),
    ],
)
def test_what_cannot_be_understood_is_said(
    service: Service, module: str, words: dict[str, str], error: type[Exception], why: str
) -> None:
    with pytest.raises(error, match=why):
        question(service, module, words)
