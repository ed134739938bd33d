# SPDX-License-Identifier: Apache-2.0
"""What is remembered of exporters from datagram to datagram: templates, and what option data told.

What lives here is bounded, knows no clock but the times of reception that it is given, and can be
written as plain values (for JSON) and read again.

A template holds for the exporter's address and its source id in version 9 (RFC 3954, 5.1), in
IPFIX for the transport session, which over UDP is its address and port, and the observation domain
(RFC 7011, 8 and 10.3): two exporters behind one address stay apart, and one that starts again from
another port has to send its templates again, as it must (RFC 7011, 8.4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fleutan.protocols.netflow.exporters.waiting import Room
from fleutan.protocols.netflow.wire import rejects
from fleutan.protocols.netflow.wire.templates import Scope, Template, read_set, written

#: What is kept: domains in all; templates and told values of one; octets of templates in all.
DOMAINS = 16_384
TEMPLATES = 1_024
TOLD = 1_024
OCTETS = 32 << 20
#: A domain that sent no template for so long makes room for another.
IDLE_NS = 3_600 * 10**9
# A template's own weight beside its field specifiers.
_WEIGHT = 256


class Domain:
    """The templates of a Scope by number, what it told, and when its last template came.

    ``told`` maps what it is about ("domain", "sampler", "interface": a rate; "booted": when
    sysUpTime was 0, in milliseconds UTC) and that thing's number to the value.
    """

    def __init__(self, heard_ns: int) -> None:
        self.heard_ns = heard_ns
        self.templates: dict[int, Template] = {}
        self.told: dict[tuple[str, int], int] = {}

    @property
    def weight(self) -> int:
        """Octets that it costs, about."""
        return sum(map(_weight, self.templates.values()))


class State:
    """All domains, the one whose last template is the oldest first, and the sets that wait for a template."""

    def __init__(self) -> None:
        self.domains: dict[Scope, Domain] = {}
        self.waiting = Room()
        self._octets = 0

    def template(self, scope: Scope, number: int) -> Template | None:
        """What the records of sets of that number are made of."""
        domain = self.domains.get(scope)
        return domain.templates.get(number) if domain else None

    def learn(self, scope: Scope, number: int, template: Template, now_ns: int) -> str | None:
        """Takes a template, new, changed or sent again; why not, if there is no room."""
        domain = self.domains.pop(scope, None)
        if domain is None:
            if not self._room_for_domain(now_ns):
                return rejects.EXPORTERS
            domain = Domain(now_ns)
        domain.heard_ns = max(domain.heard_ns, now_ns)
        self.domains[scope] = domain
        return self._put(domain, number, template)

    def _room_for_domain(self, now_ns: int) -> bool:
        if len(self.domains) >= DOMAINS:
            first = next(iter(self.domains))
            if now_ns - self.domains[first].heard_ns < IDLE_NS:
                return False
            self._octets -= self.domains.pop(first).weight
        return True

    def _put(self, domain: Domain, number: int, template: Template) -> str | None:
        old = domain.templates.get(number)
        grown = self._octets + _weight(template) - (_weight(old) if old else 0)
        if grown > OCTETS:
            return rejects.ROOM
        if old is None and len(domain.templates) >= TEMPLATES:
            return rejects.TEMPLATES
        domain.templates[number] = template
        self._octets = grown
        return None

    def numbers(self, scope: Scope) -> list[int]:
        """The templates of a scope."""
        domain = self.domains.get(scope)
        return list(domain.templates) if domain else []

    def withdraw(self, scope: Scope, number: int) -> Template | None:
        """Forgets a template, and says what it was (RFC 7011, 8.1)."""
        domain = self.domains.get(scope)
        gone = domain.templates.pop(number, None) if domain else None
        self._octets -= _weight(gone) if gone else 0
        return gone

    def tell(self, scope: Scope, about: tuple[str, int], value: int) -> None:
        """Takes what an option record said; nothing if the domain has told too much."""
        domain = self.domains.get(scope)
        if domain is not None and (about in domain.told or len(domain.told) < TOLD):
            domain.told[about] = value

    def dump(self) -> dict[str, Any]:
        """All of it but the sets that wait, as plain values, for ``restore``."""
        return {"domains": [_plain(scope, domain) for scope, domain in self.domains.items()]}


def restore(plain: Mapping[str, Any]) -> State:
    """The State of which ``dump`` made these values; what is broken in them is left out."""
    state = State()
    domains = plain.get("domains")
    for entry in domains if isinstance(domains, list) else ():
        try:
            scope, heard_ns, templates, told = _read(entry)
        except (AttributeError, KeyError, TypeError, ValueError):
            continue
        for number, template in templates:
            state.learn(scope, number, template, heard_ns)
        for about, value in told:
            state.tell(scope, about, value)
    return state


def _weight(template: Template) -> int:
    return len(template.specifiers) + _WEIGHT


def _plain(scope: Scope, domain: Domain) -> dict[str, Any]:
    templates = domain.templates.items()
    return {
        **scope._asdict(),
        "heard_ns": domain.heard_ns,
        "templates": [written(number, one).hex() for number, one in templates if not one.options],
        "option_templates": [written(number, one).hex() for number, one in templates if one.options],
        "told": [[*about, value] for about, value in domain.told.items()],
    }


_Templates = list[tuple[int, Template]]
_Told = list[tuple[tuple[str, int], int]]


def _read(entry: Any) -> tuple[Scope, int, _Templates, _Told]:
    scope = Scope(*(_number(entry[name]) for name in Scope._fields))
    templates = [*_templates(entry["templates"], scope, False), *_templates(entry["option_templates"], scope, True)]
    told = [((str(kind), _number(number)), _number(value)) for kind, number, value in entry["told"]]
    return scope, _number(entry["heard_ns"]), templates, told


def _number(value: Any) -> int:
    """As it stands in columns."""
    if not isinstance(value, int) or not -(1 << 63) <= value < 1 << 63:
        raise ValueError(value)
    return value


def _templates(entries: Any, scope: Scope, options: bool) -> Iterator[tuple[int, Template]]:
    """Templates are read as if they came again, within the same bounds."""
    for entry in entries:
        for number, template in read_set(bytes.fromhex(entry), scope.version, options):
            if isinstance(template, Template):
                yield number, template
