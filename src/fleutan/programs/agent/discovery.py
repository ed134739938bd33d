# SPDX-License-Identifier: Apache-2.0
"""Collectors and settings that the DNS tells: ``_sflow._udp`` of a domain, its SRV and TXT (RFC 6763), again and again.

Pure: answers and the time come in, what was found and when to ask again come out.  Who asks is
``resolving``.  Whatever the DNS says, or does not, what was found before goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from fleutan.config.agentkeys import COLLECTORS
from fleutan.config.agents import Application, Sampling, application_name, bits, host_name
from fleutan.config.hsflowd import grammar
from fleutan.config.values import PORT, shown
from fleutan.sources.collectors import Collector

#: In seconds: before the first question waits anything up to START (many agents begin together), a new one comes
#: when what was said has aged, but not within LEAST; after RETRY where nothing said how long it is good for.
START, RETRY, LEAST, MOST = 30.0, 300.0, 10.0, 86_400.0
SERVICE = "_sflow._udp"


class Service(NamedTuple):
    """An SRV record (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


class Answer(NamedTuple):
    """What the DNS said; ``texts`` is None where it did not answer about TXT.

    ``ttl`` is how long all of it is good for, in seconds; ``error`` says why there is no answer at all.
    """

    services: tuple[Service, ...] = ()
    texts: tuple[bytes, ...] | None = ()
    ttl: int | None = None
    error: str = ""


@dataclass(frozen=True)
class Found:
    """What was found: collectors in the order of their priority and weight (each is sent everything), values of keys.

    ``remarks`` say what was not understood.
    """

    collectors: tuple[Collector, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


class Discovery:
    """When to ask next, and what was found; ``found`` is None before anything was, ``trouble`` says what is wrong.

    Times are of a clock that nobody sets, in seconds.
    """

    def __init__(self, domain: str, now: float, delay: float) -> None:
        self.name = f"{SERVICE}.{domain}" if domain else SERVICE
        self.next_at = now + min(max(delay, 0.0), START)
        self.found: Found | None = None
        self.trouble = "not asked yet"

    def answered(self, answer: Answer, now: float) -> bool:
        """Takes an answer; whether something else is found now."""
        self.next_at = now + (RETRY if answer.ttl is None else min(max(answer.ttl, LEAST), MOST))
        if answer.error:
            self.next_at = now + RETRY
            self.trouble = f"{self.name}: {answer.error}"
            return False
        before, self.found = self.found, self._found(answer)
        self.trouble = "" if self.found.collectors else f"{self.name} names no collector"
        return self.found != before

    def _found(self, answer: Answer) -> Found:
        collectors, wrong = _collectors(answer.services)
        if answer.texts is None:
            before = self.found or Found()
            return Found(collectors, before.values, (*wrong, *before.remarks))
        values, remarks = settings(answer.texts)
        return Found(collectors, values, tuple(f"{self.name}: {remark}" for remark in (*wrong, *remarks)))


def _collectors(services: Iterable[Service]) -> tuple[tuple[Collector, ...], list[str]]:
    """Those that services name, and what is wrong with others; a target of only a dot is none (RFC 2782)."""
    found, wrong = [], []
    for one in sorted(services, key=lambda one: (one.priority, -one.weight, one.target, one.port)):
        target = one.target.rstrip(".")
        if not target:
            continue
        try:
            found.append(Collector(host_name(target), PORT.read(one.port, Path())))
        except ValueError as error:
            wrong.append(str(error))
    if len(found) > COLLECTORS:
        wrong.append(f"{len(found)} collectors are too many; the first {COLLECTORS} are taken")
    return tuple(dict.fromkeys(found[:COLLECTORS])), wrong


# -- settings

#: What a TXT record may say: its reader, and the key.  Besides, ``sampling.`` and ``polling.`` with a name behind it.
_KEYS: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "polling": (grammar.SECONDS, "polling"),
    "headerbytes": (grammar.TOP["headerbytes"].read, "header_bytes"),
    "agentip": (grammar.TOP["agentip"].read, "address"),
    "agent": (grammar.TOP["agent"].read, "device"),
    "droplimit": (grammar.whole(1, 10_000), "drops.limit"),
}
_RATES: Mapping[str, Callable[[str], int]] = {
    "sampling": grammar.RATE,
    "sampling.bps_ratio": grammar.whole(0, (1 << 32) - 1),
}
_NAMED: Mapping[str, Callable[[str], int]] = {"sampling": grammar.RATE, "polling": grammar.SECONDS}
#: The version of TXT itself (RFC 6763, 6.7).
_PASSED_OVER = ("txtvers",)


def settings(texts: Iterable[bytes]) -> tuple[dict[str, Any], list[str]]:
    """Values by key of strings ``name=value``, and what is wrong with others.

    Of a name that comes again the first counts (RFC 6763, 6.4), except for networks, which add up.
    """
    said = _Said()
    for octets in texts:
        name, equals, value = octets.decode("utf-8", "replace").partition("=")
        try:
            if equals:
                said.take(name.strip(), value.strip())
            elif octets:
                said.wrong.append(f"{shown(name)} is not as name=value")
        except ValueError as error:
            said.wrong.append(f"{name.strip()}: {error}")
    return said.values(), said.wrong


class _Said:
    """What TXT records say, taken together."""

    def __init__(self) -> None:
        self.taken: dict[str, Any] = {}
        self.rates: dict[str, int] = {}
        self.speeds: dict[int, int] = {}
        self.applications: dict[str, Application] = {}
        self.networks: list[Any] = []
        self.wrong: list[str] = []

    def take(self, name: str, value: str) -> None:
        """One of them.  Raises ValueError for a value that is not one."""
        lower = name.lower()
        word, _, rest = lower.partition(".")
        if lower in _KEYS:
            read, key = _KEYS[lower]
            self.taken.setdefault(key, read(value))
        elif lower == "agent.cidr":
            self.networks.append(grammar.TOP["agent.cidr"].read(value))
        elif lower in _RATES:
            self.rates.setdefault(lower, _RATES[lower](value))
        elif word == "sampling" and rest[:1].isdecimal():
            self.speeds.setdefault(bits(rest), grammar.RATE(value))
        elif word in _NAMED and rest:
            self._name(application_name(name.partition(".")[2]), word, _NAMED[word](value))
        elif lower not in _PASSED_OVER:
            self.wrong.append(f"{shown(name)} is no setting that the DNS can say")

    def _name(self, application: str, word: str, said: int) -> None:
        before = self.applications.get(application, Application())
        if getattr(before, word) is None:
            self.applications[application] = before._replace(**{word: said})

    def values(self) -> dict[str, Any]:
        """All by their keys."""
        found = dict(self.taken)
        if self.rates or self.speeds:
            default = self.rates.get("sampling", Sampling.default)
            found["sampling"] = Sampling(default, self.rates.get("sampling.bps_ratio"), self.speeds)
        if self.applications:
            found["applications"] = self.applications
        if self.networks:
            found["prefer"] = tuple(self.networks)
        return found
