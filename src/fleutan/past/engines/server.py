# SPDX-License-Identifier: Apache-2.0
"""A server of ClickHouse by its HTTP interface; a question a request."""

from __future__ import annotations

import os
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

from fleutan.errors import FleutanError, UsageError

PORT = 8123
#: What listens there speaks TLS.
_TLS = (443, 8443)
#: How long a server may be silent.
TIMEOUT_S = 600.0
#: So much of what a server says of an error is read.
_SAID = 4096


class Server:
    """[USER@]HOST[:PORT] with these settings; the password is in the environment, CLICKHOUSE_PASSWORD."""

    def __init__(self, location: str, settings: Mapping[str, str]) -> None:
        try:
            parts = urlsplit(f"//{location}")
            port = parts.port or PORT
        except ValueError:
            raise UsageError(f"{location[:60]!r} is no place of a server: write HOST:PORT") from None
        if not parts.hostname or parts.password or parts.path:
            raise UsageError("write clickhouse://USER@HOST:PORT; the password is read of CLICKHOUSE_PASSWORD")
        self._location, self._settings, self._user = f"{parts.hostname} port {port}", settings, parts.username
        kind = HTTPSConnection if port in _TLS else HTTPConnection
        self._connection = kind(parts.hostname, port, timeout=TIMEOUT_S)
        self._last: HTTPResponse | None = None

    def open(self) -> None:
        """Raises FleutanError where nothing answers."""
        try:
            self._connection.connect()
        except OSError as error:
            raise FleutanError(f"no ClickHouse answers at {self._location}: {error}") from None

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def ask(self, sql: str, parameters: Mapping[str, str]) -> Any:
        """The answer as it comes."""
        words = {**self._settings, **{f"param_{name}": value for name, value in parameters.items()}}
        words["default_format"] = "ArrowStream"
        if self._last is not None and not self._last.isclosed():
            self._connection.close()  # who asked did not want the rest
        try:
            self._connection.request("POST", f"/?{urlencode(words)}", sql.encode(), self._headers())
            self._last = response = self._connection.getresponse()
            if response.status != 200:
                raise RuntimeError(response.read(_SAID).decode("utf-8", "replace"))
        except (OSError, HTTPException) as error:
            raise FleutanError(f"ClickHouse at {self._location} does not answer: {error}") from None
        return response

    def _headers(self) -> dict[str, str]:
        user, password = self._user or os.environ.get("CLICKHOUSE_USER"), os.environ.get("CLICKHOUSE_PASSWORD")
        said = {"X-ClickHouse-User": user, "X-ClickHouse-Key": password}
        return {name: value for name, value in said.items() if value}
