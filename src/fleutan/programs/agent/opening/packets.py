# SPDX-License-Identifier: Apache-2.0
"""Where sampled and dropped packets come from is opened, by the names of settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import NamedTuple

from fleutan.errors import FleutanError
from fleutan.programs.agent import Packets
from fleutan.programs.agent.batches import Both, Read, a_moment
from fleutan.programs.agent.explaining import AUTO
from fleutan.programs.agent.opening import Opening
from fleutan.programs.agent.opening.wanted import Wanted
from fleutan.programs.agent.sampled.discards import of_discards
from fleutan.programs.agent.sampled.kernel import of_kernel
from fleutan.programs.agent.sampled.sockets import Told
from fleutan.sources.counters.entities import Entities
from fleutan.sources.discards import Bounds, DiscardedPackets
from fleutan.sources.packets.choosing import Sampler
from fleutan.sources.packets.nflog import NflogSource
from fleutan.sources.packets.owning import Holding, Owners
from fleutan.sources.packets.psample import Groups, PsampleSource
from fleutan.sources.packets.sampler import BpfSampler
from fleutan.sources.packets.tapping import SocketSampler
from fleutan.sources.trapped import TrappedPackets


class Given(NamedTuple):
    """What sources are opened with; sockets belong to ``entities``, where these are told."""

    opening: Opening
    wanted: Wanted
    entities: Entities | None = None


class Flows(NamedTuple):
    """An open source of sampled packets, and its sampler if that is to be told again what is wanted of it."""

    packets: Packets
    sampler: Sampler | None = None


def flows(given: Given) -> Iterator[Flows]:
    """The sources that settings name, as far as they can be; of ``auto`` the first that can."""
    for name in given.opening.settings.packets.source:
        for way in {"auto": AUTO, "none": ()}.get(name, (name,)):
            found = given.opening.tried(way, partial(WAYS[way], given))
            if found is not None:
                yield found
                break


def discards(opening: Opening) -> Iterator[Packets]:
    """The sources of dropped packets that settings name, as far as they can be."""
    drops = opening.settings.drops
    for is_on, open_ in ((drops.software, _software), (drops.hardware, _hardware)):
        if drops.on and is_on and "drops" not in opening.lacks:
            found = opening.tried("drops", partial(open_, opening))
            if found is not None:
                yield found


def _bpf(given: Given) -> Flows:
    return _sampled(given, "bpf", BpfSampler(header=given.opening.settings.header_bytes or 1))


def _sockets(given: Given) -> Flows:
    return _sampled(given, "socket", SocketSampler(header=given.opening.settings.header_bytes or 1))


def _sampled(given: Given, name: str, made: AbstractContextManager[Sampler]) -> Flows:
    opening, settings = given.opening, given.opening.settings
    sampler = opening.entered(name, made)
    sampler.want(given.wanted.taps())
    owners = Owners(opening.held.enter_context(Holding())) if settings.owners else None
    known = given.entities.of_groups if given.entities and settings.entities and settings.polling else None
    return Flows(Both(sampler, Told(settings.tcp, known, settings.structures == "all"), owners), sampler)


def _psample(given: Given) -> Flows:
    settings, said = given.opening.settings, given.opening.settings.packets
    groups = Groups(said.psample_group, said.psample_direction != "egress", said.psample_direction != "ingress")
    made = PsampleSource(groups, given.wanted.one_in, settings.header_bytes)
    return Flows(Read(given.opening.entered("psample", made), of_kernel, a_moment))


def _nflog(given: Given) -> Flows:
    settings, said = given.opening.settings, given.opening.settings.packets
    probability = said.nflog_probability or 1.0
    made = NflogSource(said.nflog_group, probability, given.wanted.one_in, settings.header_bytes)
    return Flows(Read(given.opening.entered("nflog", made), of_kernel, a_moment))


#: How packets are opened, by the name of where they come from.
WAYS: Mapping[str, Callable[[Given], Flows]] = {
    "bpf": _bpf,
    "socket": _sockets,
    "psample": _psample,
    "nflog": _nflog,
}


def _software(opening: Opening) -> Packets:
    drops = opening.settings.drops
    bounds = Bounds(drops.limit, opening.settings.header_bytes, drops.max, hide=drops.hide or "")
    return Read(opening.entered("drops", DiscardedPackets(bounds)), of_discards)


def _hardware(opening: Opening) -> Packets | None:
    """Most kernels have no such devices, so that is no lack of the host's."""
    try:
        traps = opening.entered("traps", TrappedPackets(opening.settings.drops.limit, opening.settings.header_bytes))
    except FleutanError as error:
        said = f"devices' own drops: {error}"
        opening.noted["traps"] = lambda: [said]
        return None
    return Read(traps, of_discards, a_moment)
