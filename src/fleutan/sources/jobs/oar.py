# SPDX-License-Identifier: Apache-2.0
"""Jobs of OAR, and grid jobs of its grid, by their REST APIs.

OAR 2.5, "User REST API": GET /jobs/<id> and /jobs/<id>/nodes; the grid's: /grid/jobs/<id>/resources
and /sites/<site>/jobs/<id>.  A job that names its nodes itself, as Grid'5000's API does, is asked
for no more.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import Request, build_opener

from fleutan.errors import FleutanError, UsageError
from fleutan.sources.jobs.found import OCTETS, Found, Unknown, found, read_json

#: The same thing in the words of OAR's API, of oarstat and of Grid'5000's API.
START = ("start_time", "startTime", "started_at")
STOP = ("stop_time", "stopTime", "stopped_at")
NODES = ("assigned_nodes", "assigned_network_address", "nodes")
NODE = ("network_address", "node")
#: Collections come in pages; no job has so many.
PAGES = 1000
_AT_ONCE = 1 << 16


class Api:
    """An API that begins at ``url``, which may carry a user and a password; all answers come within ``seconds``."""

    def __init__(self, url: str, seconds: float) -> None:
        try:
            parts = urlsplit(url)
        except ValueError:  # an IPv6 address without its end
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError("[jobs] has no address of an API: it begins with https:// or http://")
        self._host = parts.netloc.rpartition("@")[2]
        self._base = f"{parts.scheme}://{self._host}{parts.path.rstrip('/')}"
        self._login = None
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._login = "Basic " + b64encode(login.encode()).decode()
        self._until = time.monotonic() + seconds

    def get(self, path: str) -> Any:
        """What the API says at a path.  Raises Unknown if there is nothing, FleutanError if it does not answer."""
        request = Request(f"{self._base}{path}", headers={"Accept": "application/json"})  # noqa: S310  # the scheme is checked
        if self._login is not None:
            request.add_unredirected_header("Authorization", self._login)
        try:
            with build_opener().open(request, timeout=self._left()) as answer:
                return read_json(b"".join(self._pieces(answer)))
        except HTTPError as error:
            error.close()
            if error.code == 404:
                raise Unknown(f"{self._host} knows no {path}") from None
            raise FleutanError(f"{self._host} answers {error.code} {error.reason} for {path}") from None
        except (OSError, HTTPException) as error:
            why = error.reason if isinstance(error, URLError) else error
            raise FleutanError(f"{self._host} does not answer: {why or type(error).__name__}") from None

    def _pieces(self, answer: Any) -> Iterator[bytes]:
        size = 0
        while size <= OCTETS and (piece := answer.read1(_AT_ONCE)):
            size += len(piece)
            self._left()
            yield piece

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("it takes too long")
        return left


def job(identity: str, url: str, seconds: float) -> Found:
    """The job.  Raises FleutanError as ``found`` and ``Api.get`` do."""
    api = Api(url, seconds)
    said = _record(api.get(f"/jobs/{quote(identity, safe='')}.json"), identity)
    nodes = first(said, NODES) or _nodes(api, f"/jobs/{quote(identity, safe='')}")
    return _found(said, nodes)


def grid_job(identity: str, url: str, seconds: float) -> list[Found]:
    """The jobs at all sites that the grid job consists of.  Raises FleutanError as ``job`` does."""
    api = Api(url, seconds)
    jobs = []
    for site, each in _sites(api.get(f"/grid/jobs/{quote(identity, safe='')}/resources.json?structure=simple")):
        for number, resources in each.items():
            path = f"/sites/{quote(site, safe='')}/jobs/{quote(number, safe='')}.json?structure=simple"
            said = _record(api.get(path), number)
            jobs.append(_found(said, first(resources, NODES) or first(said, NODES) or []))
    if not jobs:
        raise FleutanError("it has no jobs")
    return jobs


def first(said: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """What stands under the first of the names that says something."""
    return next((said[name] for name in names if said.get(name)), None)


def _found(said: Mapping[str, Any], nodes: Any) -> Found:
    if not isinstance(nodes, list):
        raise FleutanError("its nodes are no list")
    names = [first(node, NODE) if isinstance(node, dict) else node for node in nodes]
    return found(names, first(said, START), first(said, STOP))


def _record(said: Any, identity: str) -> dict[str, Any]:
    """A job's own record, which some stand under its number."""
    record = said.get(identity, said) if isinstance(said, dict) else None
    if not isinstance(record, dict):
        raise FleutanError("the answer is no job")
    return record


def _nodes(api: Api, path: str) -> list[Any]:
    try:
        return list(_items(api, f"{path}/nodes.json"))
    except Unknown:  # before OAR 2.5
        return list(_items(api, f"{path}/resources.json"))


def _items(api: Api, path: str) -> Iterator[Any]:
    """Every item of a collection, whatever the length of its pages."""
    seen = 0
    for _ in range(PAGES):
        said = api.get(f"{path}?offset={seen}" if seen else path)
        items = said.get("items") if isinstance(said, dict) else said
        if not isinstance(items, list):
            raise FleutanError("the answer is no collection")
        yield from items
        seen += len(items)
        total = said.get("total", 0) if isinstance(said, dict) else 0
        if not items or not isinstance(total, int) or seen >= total:
            return


def _sites(said: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Jobs by site, each by its number, in either structure of the API."""
    if isinstance(said, list):
        said = {one.get("site"): one.get("jobs") for one in said if isinstance(one, dict)}
    if not isinstance(said, dict):
        raise FleutanError("the answer is no grid job")
    for site, jobs in said.items():
        if isinstance(site, str) and isinstance(jobs, dict) and all(isinstance(each, dict) for each in jobs.values()):
            yield site, jobs
