# SPDX-License-Identifier: Apache-2.0
"""``/api/v1``: the same questions with typed parameters and OpenAPI; errors are problem details."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from fleutan import __version__
from fleutan.errors import FleutanError, UsageError
from fleutan.exports import forms
from fleutan.faces.web import schema, status
from fleutan.faces.web.desk import Desk
from fleutan.faces.web.failures import PROBLEM, NoSuchModule, WrongMethod
from fleutan.faces.web.questions import answering
from fleutan.faces.web.responses import Streaming, plain, problem
from fleutan.faces.web.words import words_of
from fleutan.past.modules import MODULES

PREFIX = "/api/v1"
DESCRIPTION = "Ask what was: traffic, top addresses, flows. Times are UTC; rows have the catalogue's keys, with units."


def api(desk: Desk) -> FastAPI:
    """The application of these addresses, with ``/openapi.json``; no page that loads from elsewhere."""
    app = FastAPI(title="fleutan", version=__version__, description=DESCRIPTION, docs_url=None, redoc_url=None)
    app.include_router(_routes(desk), prefix=PREFIX)
    app.add_exception_handler(FleutanError, _failed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    return app


def _routes(desk: Desk) -> APIRouter:
    routes = APIRouter(tags=["lake"])
    model = schema.parameters_model()

    async def ask(module: schema.ModuleName, request: Request, parameters: BaseModel) -> Response:
        """Asks a module; the answer is JSON unless a format is said."""
        words_of(request.scope["query_string"])  # nothing is given twice
        words = schema.words(parameters)
        work = desk.ask(answering(module.value, words, "json"), follows=words.get("wait") == "yes")
        return Streaming(work, problem)

    async def state(request: Request) -> Response:
        """The node, its load, and the modules with the time of their first record."""
        _nothing_asked(request)
        return Streaming(desk.ask(status.document), problem)

    async def modules(request: Request) -> Response:
        """The questions that have names, and their formats."""
        _nothing_asked(request)
        document = {"schema": "fleutan/modules/1", "modules": [status.module_of(name) for name in MODULES]}
        return plain(json.dumps(document).encode(), "application/json")

    ask.__annotations__["parameters"] = Annotated[model, Query()]  # the model is made of the catalogue of parameters
    answers = {form: forms.content_type(form) for form in schema.FORMS}
    routes.add_api_route("/modules/{module}", ask, responses=_responses(schema.Answer, answers, (400, 404)))
    routes.add_api_route("/status", state, responses=_responses(schema.Status, {}, (400,)))
    routes.add_api_route("/modules", modules, responses=_responses(schema.Modules, {}, (400,)))
    return routes


def _nothing_asked(request: Request) -> None:
    for name in words_of(request.scope["query_string"]):
        raise UsageError(f"no parameter is called {name[:40]!r}; there are none here")


def _responses(model: type[BaseModel], forms_: Mapping[str, str], wrong: tuple[int, ...]) -> dict[int | str, Any]:
    """What OpenAPI says of a route's answers."""
    content: dict[str, Any] = {kind: {"schema": {"type": "string"}} for kind in sorted(set(forms_.values()))}
    content.pop("application/json", None)
    refused = {"content": {PROBLEM: {"schema": schema.Problem.model_json_schema()}}}
    return {
        200: {"model": model, "content": content},
        **{code: {**refused, "description": HTTPStatus(code).phrase} for code in (*wrong, 401, 414, 421, 503)},
    }


# -- errors


async def _failed(_: Request, error: Exception) -> Response:
    return problem(error)


async def _invalid(_: Request, error: Exception) -> Response:
    """The first thing that is wrong with the parameters, in a line."""
    found = error.errors()[0] if isinstance(error, RequestValidationError) else {}
    where, *names = [str(part) for part in found["loc"]]
    name = names[0] if names else where
    if where == "path":
        return problem(NoSuchModule(f"no module is called so; there are {', '.join(MODULES)}"))
    if found["type"] == "extra_forbidden":
        return problem(UsageError(f"no parameter is called {name[:40]!r}"))
    return problem(UsageError(f"{name[:40]}: {found['msg'].lower()}"))


async def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return problem(WrongMethod(f"{request.method[:20]} is not done here; GET asks"))
    return problem(NoSuchModule(f"there is no {request.scope['path'][:80]!r}"))
