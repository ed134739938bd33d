# SPDX-License-Identifier: Apache-2.0
"""What applications send of themselves in JSON, as Host sFlow reads it: transactions, counters, named figures.

Bytes come in; what they say comes out in the words of sFlow's structures, or why they say nothing, of
which there are only so many reasons.  What becomes of it is the business of ``programs.agent``.

Where Host sFlow ignores what it does not understand, or sends what was not said, this is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from fleutan.protocols.sflow.layouts import ATTRIBUTE, COUNTERS, FLOWS, METRIC, RTFLOW, RTMETRIC
from fleutan.protocols.sflow.layouts.xdr import Choice, Field, Fixed, Layout, Octets
from fleutan.protocols.typedvalues import packed, typed

#: Octets of a message, characters of an application's name, and members that one message's figures may have.
LONGEST, NAME, MEMBERS = 10_000, 255, 256
#: How an operation ended, in the order of its numbers (sFlow Application Structures).
STATUS = (
    *("success", "other", "timeout", "internal_error", "bad_request", "forbidden", "too_large", "not_implemented"),
    *("not_found", "unavailable", "unauthorized"),
)
_OTHER = STATUS.index("other")
#: Reasons why a whole message is refused.
TOO_LONG, NOT_JSON, NOT_KNOWN = f"longer than {LONGEST} octets", "not JSON", "none of the messages that are known"
_FIGURE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PORTS = 65_535

Structures = tuple[tuple[str, Mapping[str, Any]], ...]


class Transaction(NamedTuple):
    """A ``flow_sample``: one operation of an application, out of ``rate``.

    ``structures`` are ready to be written (``encoder.element``); octets and durations that are not
    said are 0 there.  ``port`` is where a service listens, 0 if it does not say.
    """

    application: str
    port: int
    rate: int
    is_client: bool
    status: int
    structures: Structures


class Figures(NamedTuple):
    """A ``counter_sample``: an application's own counters, as an agent observes them (None: not said)."""

    application: str
    port: int
    structures: Structures


class Named(NamedTuple):
    """``rtmetric`` or ``rtflow``: a whole sample, its values ready to be written (``encoder.sample``)."""

    layout: Layout
    values: Mapping[str, Any]


class Refused(NamedTuple):
    """Something that was not taken, and why."""

    reason: str


Said = Transaction | Figures | Named | Refused


class _RefusedError(Exception):
    """Ends the reading of one part of a message."""


def read(message: bytes) -> list[Said]:
    """What a message says; raises nothing, whatever it is."""
    if len(message) > LONGEST:
        return [Refused(TOO_LONG)]
    try:
        whole = json.loads(message, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return [Refused(NOT_JSON)]
    parts = [name for name in _PARTS if name in whole] if isinstance(whole, dict) else []
    if not parts:
        return [Refused(NOT_KNOWN)]
    return [one for name in parts for one in _part(name, whole[name])]


def _no_number(word: str) -> Any:
    raise ValueError(word)


def _part(name: str, said: Any) -> Iterator[Said]:
    """What stands under one of the message's names."""
    try:
        for one in _PARTS[name](_whole_object(said)):
            yield Refused(f"{name}: {one.reason}") if isinstance(one, Refused) else one
    except _RefusedError as refused:
        yield Refused(f"{name}: {refused}")


def _transaction(said: Mapping[str, Any]) -> Iterator[Said]:
    application, port = _application(said)
    operation = _object(said, "app_operation")
    if operation is None:
        raise _RefusedError("no app_operation")
    status = _status(operation.get("status"))
    own = {**operation, "application": application, "duration": operation.get("uS"), "status": status}
    structures = [("app_operation", _filled(_FLOW_LAYOUTS["app_operation"], own))]
    for name, key in _MORE.items():
        inner = _object(said, name)
        if inner is not None and (not key or inner.get(key) not in (None, "")):
            structures.append((name, _filled(_FLOW_LAYOUTS[name], inner)))
    rate = _whole(said, "sampling_rate", 32) or 1
    yield Transaction(application, port, rate, said.get("client") is True, status, tuple(structures))


def _application(said: Mapping[str, Any]) -> tuple[str, int]:
    name = said.get("app_name")
    if not isinstance(name, str) or not name:
        raise _RefusedError("no app_name")
    if len(name) > NAME:
        raise _RefusedError(f"app_name is longer than {NAME} characters")
    port = _whole(said, "service_port", 32) or 0
    if port > _PORTS:
        raise _RefusedError("service_port is no port")
    return _written(name, NAME * 4).decode(), port


def _whole_object(said: Any) -> Mapping[str, Any]:
    if not isinstance(said, dict):
        raise _RefusedError("no object")
    return said


def _object(said: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    found = said.get(name)
    if found is not None and not isinstance(found, dict):
        raise _RefusedError(f"{name} is no object")
    return found


def _status(said: Any) -> int:
    """By its number or its name; numbers that nobody knows are ``other``."""
    if isinstance(said, str):
        return STATUS.index(said) if said in STATUS else _OTHER
    number = _whole({"status": said}, "status", 32) or 0
    return number if number < len(STATUS) else _OTHER


def _filled(layout: Layout, said: Mapping[str, Any]) -> dict[str, Any]:
    """A structure's fields; what is not said is 0, or empty."""
    return {field.name: _field(field, said) for field in layout.fields}


def _field(field: Field, said: Mapping[str, Any]) -> Any:
    match field.type:
        case Octets(limit=limit):
            return _text(said, field.name, limit)
        case Fixed(code="4s" | "16s", size=size):
            return _address(said, field.name, size)
        case Fixed(size=size):
            return _whole(said, field.name, 8 * size) or 0
    raise TypeError(field)  # no structure of an application has others


def _text(said: Mapping[str, Any], name: str, limit: int) -> bytes:
    value = said.get(name)
    if not isinstance(value, (str, type(None))):
        raise _RefusedError(f"{name} is no text")
    return _written(value or "", limit)


def _written(text: str, limit: int) -> bytes:
    """Text in UTF-8, cut between characters."""
    octets = text.encode("utf-8", "replace")
    return octets if len(octets) <= limit else octets[:limit].decode("utf-8", "ignore").encode()


def _address(said: Mapping[str, Any], name: str, size: int) -> bytes:
    value = said.get(name)
    if value in (None, ""):
        return bytes(size)
    octets = packed(value)
    if len(octets) != size:
        raise _RefusedError(f"{name} is no address of {'IPv4' if size == 4 else 'IPv6'}")
    return octets


def _whole(said: Mapping[str, Any], name: str, bits: int) -> int | None:
    """A number that a field of so many bits holds; None if it is not said."""
    value = said.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is not None and (type(value) is not int or not 0 <= value < 1 << bits):
        raise _RefusedError(f"{name} is no whole number of {bits} bits")
    return value


def _figures(said: Mapping[str, Any]) -> Iterator[Said]:
    application, port = _application(said)
    structures: list[tuple[str, Mapping[str, Any]]] = []
    for name, layout in _COUNTER_LAYOUTS.items():
        inner = _object(said, name)
        if inner is not None:
            numbers = [field for field in layout.fields if isinstance(field.type, Fixed)]
            found: dict[str, Any] = {field.name: _whole(inner, field.name, 64) for field in numbers}
            structures.append((name, {"application": application, **found} if name == "app_operations" else found))
    yield Figures(application, port, tuple(structures))


def _metrics(said: Mapping[str, Any]) -> Iterator[Said]:
    members, refused = _members(said, METRIC)
    yield from refused
    yield Named(RTMETRIC, {"datasource": _datasource(said), "metrics": members})


def _flow(said: Mapping[str, Any]) -> Iterator[Said]:
    members, refused = _members(said, ATTRIBUTE)
    yield from refused
    rate = _whole(said, "sampling_rate", 32) or 1
    # The pool is reserved: Host sFlow sends 0.
    head = {"datasource": _datasource(said), "sampling_rate": rate, "sample_pool": 0}
    yield Named(RTFLOW, {**head, "attributes": members})


def _datasource(said: Mapping[str, Any]) -> bytes:
    """Its name, which cannot be mistaken for a number."""
    name = said.get("datasource", "")
    if name == "":
        return b""
    if not isinstance(name, str) or not _FIGURE.fullmatch(name) or name[0].isdigit():
        raise _RefusedError("datasource is not of A-Z a-z 0-9 _ -, or begins with a digit")
    return name.encode()


def _members(said: Mapping[str, Any], choice: Choice) -> tuple[list[tuple[bytes, tuple[int, Any]]], list[Refused]]:
    """The named values, and what of the message is none; one that is broken breaks the whole."""
    kinds = {name.lower(): (number, kind) for number, name, kind in choice.cases}
    own = {name: value for name, value in said.items() if name not in ("datasource", "sampling_rate")}
    found = []
    for name, value in own.items():
        if isinstance(value, dict):
            if not _FIGURE.fullmatch(name):
                raise _RefusedError("a name is not 1 to 64 of A-Z a-z 0-9 _ -")
            number, kind = kinds.get(str(value.get("type")).lower(), (-1, None))
            if kind is None:
                raise _RefusedError("a type is not known")
            try:
                found.append((name.encode(), (number, typed(choice.cases[number][1], kind, value.get("value")))))
            except ValueError as error:
                raise _RefusedError(str(error)) from None
    if not found:
        raise _RefusedError("no value")
    if len(found) > MEMBERS:
        raise _RefusedError(f"more than {MEMBERS} values")
    return found, [Refused("a value is no object")] * (len(found) < len(own))


_PARTS = {"flow_sample": _transaction, "counter_sample": _figures, "rtmetric": _metrics, "rtflow": _flow}
#: What may stand beside an operation, and what has to be said of it.
_MORE = {
    "app_parent_context": "application",
    "app_initiator": "actor",
    "app_target": "actor",
    "extended_socket_ipv4": "",
    "extended_socket_ipv6": "",
}
_FLOW_LAYOUTS = {layout.name: layout for layout in FLOWS if layout.name in {"app_operation", *_MORE}}
_COUNTER_LAYOUTS = {
    layout.name: layout for layout in COUNTERS if layout.name in ("app_operations", "app_resources", "app_workers")
}
