# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with a request, its status, and how it is said: a line of text, or RFC 9457."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from fleutan.errors import FleutanError, TextError, UsageError


class NoSuchModule(UsageError):
    """No module of that name."""


class TooLong(UsageError):
    """The request line has more octets than are read."""


class WrongMethod(UsageError):
    """Only GET asks."""


class Forbidden(FleutanError):
    """The request does not say a token that is known."""


class WrongHost(UsageError):
    """The request was meant for a host of another name."""


class Busy(FleutanError):
    """Too much is asked at once."""


#: The status of an error; the first kind that fits counts.
STATUS: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (NoSuchModule, HTTPStatus.NOT_FOUND),
    (TooLong, HTTPStatus.REQUEST_URI_TOO_LONG),
    (WrongMethod, HTTPStatus.METHOD_NOT_ALLOWED),
    (WrongHost, HTTPStatus.MISDIRECTED_REQUEST),
    (Forbidden, HTTPStatus.UNAUTHORIZED),
    (UsageError, HTTPStatus.BAD_REQUEST),
    (FleutanError, HTTPStatus.SERVICE_UNAVAILABLE),
)
#: Headers that belong to an error.
HEADERS: dict[type[Exception], dict[str, str]] = {
    WrongMethod: {"Allow": "GET"},
    Forbidden: {"WWW-Authenticate": 'Bearer realm="fleutan"'},
    Busy: {"Retry-After": "2"},
}
TEXT, PROBLEM = "text/plain; charset=utf-8", "application/problem+json"


def status_of(error: Exception) -> HTTPStatus:
    """The status that says whose fault it is; 500 where that is not known."""
    found = next((status for kind, status in STATUS if isinstance(error, kind)), None)
    return found or HTTPStatus.INTERNAL_SERVER_ERROR


def headers_of(error: Exception) -> dict[str, str]:
    """Further headers of the answer."""
    return HEADERS.get(type(error), {})


def said(error: Exception) -> str:
    """The error in one line; what points into a text has two more.  Of what is no fault of the question nothing."""
    return str(error) if isinstance(error, FleutanError) else "this failed; the server's log says why"


def text(error: Exception) -> bytes:
    """The error as a body of plain text."""
    return f"{said(error)}\n".encode("utf-8", "replace")


def problem(error: Exception) -> bytes:
    """The error as problem details (RFC 9457); of a text that is not understood with the ``position`` in it."""
    status = status_of(error)
    members: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": (error.args[0] if isinstance(error, TextError) else said(error)),
    }
    if isinstance(error, TextError) and error.text:
        members |= {"text": error.text, "position": error.position}
    return json.dumps(members).encode()
