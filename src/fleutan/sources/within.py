# SPDX-License-Identifier: Apache-2.0
"""Paths of UDP flows from inside, whose far processes are told nothing: by probes that end before them.

What lives here finds beside the flows how far away their destinations are, and makes of a flow's
way one that stops short of it.  How such a trace goes is the business of ``protocols.within``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from ipaddress import ip_address

from fleutan.linux.egress import Unsendable
from fleutan.linux.namespaces import Namespace
from fleutan.protocols.tracing.hops import LAST, REACHED, Rules
from fleutan.sources import paths
from fleutan.sources.paths import LINUX, Aim, Kernel, Renew, Traced

#: Three ways of asking, each hashed by itself: ways may differ in length, and a method may be filtered.
_BESIDE = ("udp", "udp", "icmp")


def trace(
    wanted: Sequence[Aim],
    space: Namespace,
    rules: Mapping[str, Rules],
    pps: float,
    renew: Renew | None = None,
    kernel: Kernel = LINUX,
) -> list[Traced | None]:
    """Traces UDP flows up to the routers before their ends; None for one on whose way nobody answers.

    Raises what ``paths.trace`` does.
    """
    known = beside(list(dict.fromkeys(aim.flow.dst for aim in wanted)), space, rules, pps, kernel)
    able = [short(aim, known[aim.flow.dst]) for aim in wanted if known[aim.flow.dst]]
    found = iter(paths.trace(able, space, rules, pps, renew, kernel) if able else ())
    return [_ended(next(found), known[aim.flow.dst]) if known[aim.flow.dst] else None for aim in wanted]


def beside(
    ends: Sequence[bytes], space: Namespace, rules: Mapping[str, Rules], pps: float, kernel: Kernel = LINUX
) -> dict[bytes, list[Traced]]:
    """What traces to each destination beside its flows found, if anybody answered."""
    with ExitStack() as held:
        aims = []
        for end in ends:
            for method in _BESIDE:
                with suppress(Unsendable):
                    aims.append(held.enter_context(paths.aim(space, end, method)))
        traced = paths.trace(aims, space, rules, pps, None, kernel) if aims else []
    told = [(aim, one) for aim, one in zip(aims, traced, strict=True) if one.expired or one.path.ended == REACHED]
    return {end: [one for aim, one in told if aim.flow.dst == end] for end in ends}


def short(aim: Aim, known: Sequence[Traced]) -> Aim:
    """The way of a flow whose end is taken to be right behind the last router that is known before it.

    Where an end answered is no proof of how near it is: of many probes hosts answer a few.
    """
    edges = (one.path.hops[one.expired - 1].addresses for one in known if one.expired)
    packed = frozenset(ip_address(text).packed for found in edges for text in found)
    return aim._replace(distance=1 + min(one.expired for one in known), edges=packed)


def _ended(found: Traced, known: Sequence[Traced]) -> Traced:
    """What was found, without an end where that answered nobody."""
    path = found.path
    if not path.inferred or any(one.path.ended == REACHED for one in known):
        return found
    return found._replace(path=path._replace(hops=path.hops[:-1], ended=LAST))
