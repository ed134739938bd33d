# SPDX-License-Identifier: Apache-2.0
"""The DNS is asked for collectors, in a thread beside, by dnspython: servers and search list are resolv.conf(5)'s.

What an answer means is the business of ``discovery``.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fleutan.programs.agent.discovery import SERVICE, START, Answer, Discovery, Found, Service

if TYPE_CHECKING:
    import dns.resolver

RESOLV_CONF = "/etc/resolv.conf"
#: No question takes longer, in seconds.
LONGEST = 10.0
Ask = Callable[[str], Answer]


def look_up(domain: str, path: str = RESOLV_CONF, port: int = 53, seconds: float = LONGEST) -> Answer:
    """What the DNS says of a domain, or of those of the search list if it is empty; raises nothing.

    ``port`` is that of the servers.
    """
    import dns.resolver  # 0.1 s, for who asks only

    try:
        resolver = dns.resolver.Resolver(path)
        resolver.port, resolver.lifetime = port, seconds
        services = _records(resolver, domain, "SRV")
    except Exception as error:  # whatever comes of octets from elsewhere, it must not end the agent
        return Answer(error=_reason(error))
    ttls = [services[1]]
    texts = None
    try:
        texts = _records(resolver, domain, "TXT")
        ttls.append(texts[1])
    except Exception:  # noqa: S110  # collectors count without settings; those that were before go on
        pass
    return Answer(
        tuple(_service(one) for one in services[0]),
        None if texts is None else tuple(octets for one in texts[0] for octets in one.strings),
        min((ttl for ttl in ttls if ttl is not None), default=None),
    )


def _records(resolver: dns.resolver.Resolver, domain: str, kind: str) -> tuple[list[Any], int | None]:
    """The records and how long they are good for; none where the DNS says that there are none."""
    import dns.resolver

    name = f"{SERVICE}.{domain}." if domain else SERVICE
    try:
        found = resolver.resolve(name, kind, search=not domain)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return [], None
    assert found.rrset is not None  # noqa: S101  # resolve raises NoAnswer otherwise
    return [*found.rrset], found.rrset.ttl


def _service(record: Any) -> Service:
    return Service(record.priority, record.weight, record.port, record.target.to_text())


def _reason(error: Exception) -> str:
    """One line, however long the resolver makes it."""
    return " ".join((str(error) or type(error).__name__).split())[:200]


class Resolving:
    """Asks for a domain's collectors as often as is due; ``found`` and ``trouble`` are as ``Discovery`` has them.

    ``delay`` is how long the first question waits, in seconds; by lot if it is not said.
    """

    def __init__(self, domain: str, now: float, ask: Ask = look_up, delay: float | None = None) -> None:
        self.domain = domain
        waits = random.uniform(0, START) if delay is None else delay  # noqa: S311  # nothing secret
        self._discovery = Discovery(domain, now, waits)
        self._ask = ask
        self._asking: _Asking | None = None

    @property
    def found(self) -> Found | None:
        """What was found last; None before anything was."""
        return self._discovery.found

    @property
    def trouble(self) -> str:
        """What is wrong now, if anything."""
        return self._discovery.trouble

    def tick(self, now: float) -> bool:
        """Asks if that is due; whether something else is found now.  To be called about once a second."""
        if self._asking is None and now >= self._discovery.next_at:
            self._asking = _Asking(self._ask, self.domain)
            self._asking.start()
        if self._asking is None or self._asking.is_alive():
            return False
        answer, self._asking = self._asking.answer, None
        return self._discovery.answered(answer, now)


class _Asking(threading.Thread):
    """One question; nobody waits for it when the process ends."""

    def __init__(self, ask: Ask, domain: str) -> None:
        super().__init__(name="dns-sd", daemon=True)
        self._ask, self._domain = ask, domain
        self.answer = Answer(error="the question failed")

    def run(self) -> None:
        self.answer = self._ask(self._domain)
