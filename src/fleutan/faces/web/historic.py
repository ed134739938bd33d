# SPDX-License-Identifier: Apache-2.0
"""Metroflux's addresses: ``/MODULE?…``, the older ``/?module=MODULE&…``, and ``/status``.

Errors are a line of text, forms those that CoMo had by default.  ``/api/v1`` is the business of ``api``.
"""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from fleutan.errors import FleutanError, UsageError
from fleutan.faces.web import status
from fleutan.faces.web.desk import Desk
from fleutan.faces.web.failures import NoSuchModule, WrongMethod
from fleutan.faces.web.page import page
from fleutan.faces.web.questions import answering, no_such
from fleutan.faces.web.responses import Streaming, plain, text_failure
from fleutan.faces.web.words import words_of
from fleutan.past.modules import MODULES

#: Where the status stands.
STATUS = ("/status", "/services/status")


class Historic:
    """The ASGI application of these addresses."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        try:
            response = self._respond(scope)
        except FleutanError as error:
            response = text_failure(error)
        await response(scope, receive, send)

    def _respond(self, scope: Scope) -> Response:
        if scope["method"] != "GET":
            raise WrongMethod(f"{scope['method'][:20]} is not done here; GET asks")
        path, words = scope["path"], words_of(scope["query_string"])
        if path == "/" and not words:
            return plain(page(), "text/html; charset=utf-8")
        if path in STATUS or (path == "/" and "status" in words):
            return self._status(words)
        if path != "/":
            return self._ask(path[1:], words)
        if "module" not in words:
            raise UsageError("say which module, as in /traffic?time=-10m:0")
        module = words.pop("module")
        return self._ask(module, words)

    def _status(self, words: dict[str, str]) -> Response:
        if beyond := sorted(set(words) - {"status"}):
            raise UsageError(f"status has no parameter {beyond[0][:40]!r}")
        return Streaming(self._desk.ask(status.text), text_failure)

    def _ask(self, module: str, words: dict[str, str]) -> Response:
        if module.startswith("services/"):
            raise NoSuchModule(f"no service is called {module[9:49]!r}; there is status")
        if module not in MODULES:
            raise no_such(module)
        work = self._desk.ask(answering(module, words), follows=words.get("wait") == "yes")
        return Streaming(work, text_failure)
