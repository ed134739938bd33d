# SPDX-License-Identifier: Apache-2.0
"""Both sets of addresses as one ASGI application, behind what every request must pass."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from fleutan.errors import FleutanError
from fleutan.faces.web.api import PREFIX, api
from fleutan.faces.web.desk import Desk
from fleutan.faces.web.failures import Forbidden, TooLong, WrongHost
from fleutan.faces.web.historic import Historic
from fleutan.faces.web.page import page
from fleutan.faces.web.responses import plain, problem, text_failure
from fleutan.faces.web.tokens import Tokens

OPENAPI, DOCS = "/openapi.json", "/docs"


@dataclass(frozen=True)
class Application:
    """The ASGI application; ``tokens`` are those that may ask, None: everybody who can connect.

    Where everybody may, a request must be to this host by its address or as localhost: a page of
    the Web whose name was made to lead here would have another (DNS rebinding).
    """

    desk: Desk
    api: ASGIApp
    historic: ASGIApp
    tokens: Tokens | None = None
    any_host: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return
        is_api = scope["path"] == OPENAPI or scope["path"].startswith("/api/") or scope["path"] == "/api"
        try:
            self._admit(scope)
        except FleutanError as error:
            refused: Response = (problem if is_api else text_failure)(error)
            await refused(scope, receive, send)
            return
        if scope["path"] == DOCS and scope["method"] == "GET":
            await plain(page(), "text/html; charset=utf-8")(scope, receive, send)
            return
        await (self.api if is_api else self.historic)(scope, receive, send)

    def _admit(self, scope: Scope) -> None:
        line, most = len(scope.get("raw_path") or b"") + len(scope["query_string"]), self.desk.service.bounds.line
        if line > most:
            raise TooLong(f"the path and its query have {line} octets; {most} are the most")
        headers = dict(reversed(scope["headers"]))
        if self.tokens is not None:
            if self.tokens.name_of(headers.get(b"authorization", b"")) is None:
                raise Forbidden("say a token: 'Authorization: Bearer TOKEN'")
        elif not self.any_host and not is_here(headers.get(b"host", b"").decode("latin-1")):
            raise WrongHost("ask this host by its address, or as localhost")


def application(desk: Desk, tokens: Tokens | None = None, any_host: bool = False) -> Application:
    """The application of a desk."""
    return Application(desk, api(desk), Historic(desk), tokens, any_host)


def is_here(host: str) -> bool:
    """Whether a ``Host`` header names no host but by its address; HTTP/1.0 has none."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if name.lower() in ("", "localhost") or name.lower().endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


__all__ = ["DOCS", "OPENAPI", "PREFIX", "Application", "application", "is_here"]
