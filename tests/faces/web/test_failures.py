# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

from fleutan.errors import FilterError, FleutanError, UsageError
from fleutan.faces.web import failures


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (failures.NoSuchModule("x"), 404),
        (failures.TooLong("x"), 414),
        (failures.WrongMethod("x"), 405),
        (failures.WrongHost("x"), 421),
        (failures.Forbidden("x"), 401),
        (failures.Busy("x"), 503),
        (UsageError("x"), 400),
        (FilterError("x"), 400),
        (FleutanError("x"), 503),
        (ValueError("x"), 500),
    ],
)
def test_every_error_has_its_status(error: Exception, status: int) -> None:
    assert failures.status_of(error) == status
    assert json.loads(failures.problem(error))["status"] == status


def test_headers_that_belong_to_an_error() -> None:
    assert failures.headers_of(failures.Busy("x")) == {"Retry-After": "2"}
    assert failures.headers_of(UsageError("x")) == {}


def test_what_is_no_fault_of_the_question_is_not_told() -> None:
    assert b"secret" not in failures.text(ValueError("secret"))
    assert "secret" not in json.loads(failures.problem(ValueError("secret")))["detail"]


def test_a_problem_has_the_text_and_the_place() -> None:
    found = json.loads(failures.problem(FilterError("what is this?", "tcp xyz", 4)))
    assert found == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "what is this?",
        "text": "tcp xyz",
        "position": 4,
    }
    assert failures.text(FilterError("what is this?", "tcp xyz", 4)) == b"what is this?\n  tcp xyz\n      ^\n"


def test_any_text_can_be_said() -> None:
    assert failures.text(UsageError("\ud800")) == b"?\n"
