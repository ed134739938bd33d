# SPDX-License-Identifier: Apache-2.0
"""What the agent's keys have for values in TOML, beyond those of other sections."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import UUID

from fleutan.config.agents import (
    MOST,
    Application,
    Place,
    Sampling,
    Tap,
    application_name,
    bits,
    device_name,
    domain_name,
    expression,
    host_name,
    prefix,
    refused,
    span,
)
from fleutan.config.values import PORT, TRUTH, Unknown, Value, shown, whole
from fleutan.sources.collectors import Collector

#: Where each kind of target listens where no port is said.
SFLOW, IPFIX, NETFLOW9, STATSD, GRAPHITE = 6343, 4739, 2055, 8125, 2003
#: More collectors than anybody means; each is sent everything.
COLLECTORS = 64


def _known(value: Mapping[str, Any], what: str, known: tuple[str, ...]) -> None:
    for word in value:
        if word not in known:
            raise Unknown(f"key of {what}", word, known)


def _uuid(value: Any, _: Path) -> UUID:
    try:
        return UUID(value if isinstance(value, str) else "")
    except ValueError:
        raise refused(value, "a UUID, as '31a1f0d0-5c0e-4a6b-9d63-0f6b8f0d9c11'") from None


def _split(text: str) -> tuple[str, str]:
    """Host and port of ``host``, ``host:port``, ``address``, ``[address]:port``; the port may be empty."""
    if match := re.fullmatch(r"\[([^\]]*)\](?::(.*))?", text):
        return match[1], match[2] or ""
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, port
    return text, ""


def _port(text: str, otherwise: int) -> int:
    return PORT.read(int(text) if re.fullmatch("[0-9]{1,5}", text) else text, Path()) if text else otherwise


_TARGET = ("host", "address", "port", "device", "netns")


def target(otherwise: int) -> Value:
    """Where datagrams go: ``'192.0.2.1'``, ``'collector.example.org:6343'``, or a table."""

    def read(value: Any, _: Path) -> Collector:
        if isinstance(value, str):
            host, port = _split(value)
            return Collector(host_name(host), _port(port, otherwise))
        if not isinstance(value, dict):
            raise refused(value, "a collector, as '192.0.2.1', 'name:6343', or a table")
        return _collector(value, otherwise)

    return Value("a host, as 'name:port', or a table of host, port, device and netns", read)


def _collector(value: dict[str, Any], otherwise: int) -> Collector:
    _known(value, "a collector", _TARGET)
    hosts = [value[key] for key in ("host", "address") if key in value]
    if len(hosts) != 1:
        raise ValueError("a collector has one host (or address)")
    device, netns = value.get("device", ""), value.get("netns", "")
    if not isinstance(netns, str) or "\0" in netns:
        raise refused(netns, "a network namespace by name or process id")
    return Collector(
        host_name(hosts[0]),
        PORT.read(value.get("port", otherwise), Path()),
        device_name(device) if device else "",
        netns,
    )


def targets(otherwise: int) -> Value:
    """A list of them, each once; a single one may stand without the list."""
    one = target(otherwise)

    def read(value: Any, directory: Path) -> tuple[Collector, ...]:
        said = value if isinstance(value, list) else [value]
        if len(said) > COLLECTORS:
            raise ValueError(f"{len(said)} are too many; {COLLECTORS} at most")
        return tuple(dict.fromkeys(one.read(each, directory) for each in said))

    return Value("a list of hosts, as 'name:port', or tables of host, port, device and netns", read)


def _server(value: Any, directory: Path) -> Collector:
    """A connection goes as the host's routes have it."""
    if not isinstance(value, str):
        raise refused(value, "a host, as 'name:port'")
    return target(GRAPHITE).read(value, directory)  # type: ignore[no-any-return]


def _place(value: Any, _: Path) -> Place:
    if isinstance(value, str):
        host, port = _split(value)
        try:
            return Place(str(ip_address(host)), _port(port, 0) or PORT.read(port, Path()))
        except ValueError:
            pass
    elif isinstance(value, int) and not isinstance(value, bool):
        return Place("127.0.0.1", PORT.read(value, Path()))
    raise refused(value, "a port of loopback, or an address and a port, as '192.0.2.1:9343'")


def _dns_sd(value: Any, _: Path) -> str | None:
    if isinstance(value, bool):
        return "" if value else None
    return domain_name(value)


def _url(value: Any, _: Path) -> str:
    if isinstance(value, str) and re.fullmatch(r"https?://[^\s/?#]+[^\s]*", value) and value.isprintable():
        return value
    raise refused(value, "a URL that begins with http:// or https://")


def _user(value: Any, _: Path) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}", text):
        return text
    raise refused(value, "a user's name or number")


def _regex(value: Any, _: Path) -> str:
    expression(value)
    return str(value)


# -- sampling

RATE = whole(f"a number from 0 (none) to {MOST}", 0, MOST)
SECONDS = whole("seconds from 0 (never) to 3600", 0, 3600)
_SAMPLING = ("default", "bps_ratio", "devices")


def _sampling(value: Any, directory: Path) -> Sampling:
    if not isinstance(value, dict):
        return Sampling(RATE.read(value, directory))
    speeds = {}
    for word, said in value.items():
        if re.fullmatch(r"[0-9.]+[A-Za-z]?", word):
            speeds[bits(word)] = _of(RATE, said, word)
        elif word not in _SAMPLING:
            raise Unknown("key", word, (*_SAMPLING, "10G"))
    ratio = value.get("bps_ratio")
    return Sampling(
        _of(RATE, value.get("default", Sampling.default), "default"),
        None if ratio is None else _of(whole("bits a second, or 0", 0), ratio, "bps_ratio"),
        speeds,
        _table(value.get("devices", {}), "devices", lambda said: RATE.read(said, directory)),
    )


def _of(value: Value, said: Any, name: str) -> Any:
    try:
        return value.read(said, Path())
    except Unknown:
        raise
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _table(value: Any, name: str, one: Callable[[Any], Any]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name}: {shown(value)} is not a table")  # noqa: TRY004
    each = Value("", lambda said, _: one(said))
    return {word: _of(each, said, f"{name}: {shown(word)}") for word, said in value.items()}


def _application(value: Any) -> Application:
    if not isinstance(value, dict):
        return Application(RATE.read(value, Path()))
    _known(value, "an application", Application._fields)
    rate, seconds = value.get("sampling"), value.get("polling")
    return Application(
        None if rate is None else RATE.read(rate, Path()), None if seconds is None else SECONDS.read(seconds, Path())
    )


def _applications(value: Any, _: Path) -> dict[str, Application]:
    found: dict[str, Application] = _table(value, "applications", _application)
    return {application_name(name): said for name, said in found.items()}


# -- taps

_TAP = ("device", "pattern", "speed", "promiscuous")


def _tap(value: Any, directory: Path) -> Tap:
    if isinstance(value, str) and value.strip("!") and value.isprintable():
        return Tap(value.removeprefix("!"), excluded=value.startswith("!"))
    if not isinstance(value, dict) or not value:
        raise refused(value, "a device's name, as 'eth*' or '!docker*', or a table of device, pattern or speed")
    _known(value, "a device", _TAP)
    device = value.get("device", "")
    if "device" in value and (not isinstance(device, str) or not device):
        raise refused(device, "a device's name or a shell pattern")
    return Tap(
        device,
        _regex(value["pattern"], directory) if "pattern" in value else "",
        span(value["speed"]) if "speed" in value else None,
        promiscuous=TRUTH.read(value.get("promiscuous", False), directory),
    )


#: Where sampled packets can come from; auto is bpf where that can be, else socket.
SOURCES = ("auto", "bpf", "socket", "psample", "nflog", "none")
DIRECTIONS = ("both", "ingress", "egress")


def _sources(value: Any, _: Path) -> tuple[str, ...]:
    said = value if isinstance(value, list) else [value]
    for word in said:
        if word not in SOURCES:
            raise refused(word, f"one of {', '.join(SOURCES)}, or a list of them")
    if not said or (len(said) > 1 and "none" in said):
        raise refused(value, "a list of auto, bpf, socket, psample and nflog")
    return tuple(dict.fromkeys(said))


#: How many of the structures that not every decoder knows a sample has.
STRUCTURES = ("one", "all")

SAMPLING = Value("a rate, or a table of rates", _sampling)
APPLICATIONS = Value("a table", _applications)
TAPS = Value(
    "a list of devices",
    lambda value, directory: tuple(_tap(each, directory) for each in (value if isinstance(value, list) else [value])),
)
TAPPED = Value("one or several of auto, bpf, socket, psample, nflog, none", _sources)
PREFIXES = Value(
    "a list of networks", lambda value, _: tuple(map(prefix, value if isinstance(value, list) else [value]))
)
UUIDS = Value("a UUID", _uuid)
PLACE = Value("an address and port, or a port of loopback", _place)
DNS_SD = Value("a domain, or true for the host's own", _dns_sd)
URL = Value("a URL", _url)
SERVER = Value("a host, as 'name:port'", _server)
USER = Value("a user's name or number", _user)
DEVICE = Value("a device's name", lambda value, _: device_name(value))
REGEX = Value("a regular expression", _regex)
