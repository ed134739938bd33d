# SPDX-License-Identifier: Apache-2.0
"""What OpenAPI says of /api/v1 holds: schemathesis makes up requests of it, right ones and wrong ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

from fleutan.faces.web.application import application
from fleutan.faces.web.bounds import Service
from fleutan.faces.web.desk import Desk

#: The names of every check but one: a filter or a time that is a text is not yet one that can be understood.
EXCEPT = ("positive_data_acceptance",)


@pytest.fixture
def described(service: Service) -> Iterator[Any]:
    bounds = replace(service.bounds, line=1 << 20, seconds=5.0)  # 414 is no sign of wrong parameters to it
    desk = Desk(replace(service, bounds=bounds))
    yield schemathesis.openapi.from_asgi("/openapi.json", application(desk, any_host=True))
    desk.close()


PATHS = ("/api/v1/modules/{module}", "/api/v1/modules", "/api/v1/status")


#: What has no parameters cannot be asked wrongly.
CASES = [*((path, GenerationMode.POSITIVE) for path in PATHS), (PATHS[0], GenerationMode.NEGATIVE)]


@pytest.mark.parametrize(("path", "mode"), CASES)
def test_what_is_described_holds(described: Any, path: str, mode: GenerationMode) -> None:
    excluded = [getattr(schemathesis.checks, name) for name in EXCEPT]
    count = 100 if "{" in path else 10

    @settings(max_examples=count, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(described[path]["GET"].as_strategy(generation_mode=mode))
    def holds(case: Any) -> None:
        if (case.query or {}).get("wait") == "yes":
            case.query["wait"] = "no"  # such answers do not end
        case.call_and_validate(excluded_checks=excluded)

    holds()


def test_all_is_described(described: Any) -> None:
    assert set(PATHS) == set(described.raw_schema["paths"])
