# SPDX-License-Identifier: Apache-2.0
"""Which way packets are sampled: by BPF where that may be, else by packet sockets, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import NamedTuple, Protocol

from fleutan.errors import NotSupported
from fleutan.linux.namespaces import Namespace
from fleutan.sources.packets.columns import Packets, Tap, Totals
from fleutan.sources.packets.sampler import BpfSampler
from fleutan.sources.packets.tapping import SocketSampler


class Sampler(Protocol):
    """Samples packets of one network namespace."""

    def want(self, rates: Mapping[Tap, int]) -> None:
        """Has these be sampled, one in so many packets each, and no others."""

    def wait(self, seconds: float) -> None:
        """Waits until there are many samples, or so long."""

    def read(self) -> Packets | None:
        """What came since the last call."""

    def totals(self) -> dict[Tap, Totals]:
        """Of each sampler the packets it saw so far, and its samples that were lost."""

    def notes(self) -> list[str]:
        """What is not sampled, or not known, and why; one line each."""


#: Samples wait so long at most until they are read, in seconds.
LINGER = 0.3

Way = Callable[[Namespace | None, int], AbstractContextManager[Sampler]]


class Chosen(NamedTuple):
    """A sampler that is open, and why it is not a better one, in a line; empty where it is the best."""

    sampler: Sampler
    reason: str = ""


#: In the order of what they give.
WAYS: tuple[Way, ...] = (partial(BpfSampler, linger=LINGER), SocketSampler)


@contextmanager
def choose(namespace: Namespace | None = None, header: int = 128, ways: tuple[Way, ...] = WAYS) -> Iterator[Chosen]:
    """The samplers of a namespace, the caller's own or another, by the first way that there is.

    ``header`` octets of each packet are kept.  Raises NotSupported where there is no way, Gone where the namespace is
    no more.
    """
    reasons: list[str] = []
    with ExitStack() as held:
        for number, way in enumerate(ways, 1):
            try:
                sampler = held.enter_context(way(namespace, header))
            except NotSupported as error:
                reasons.append(str(error))
                if number == len(ways):
                    raise NotSupported("sampling packets", "; ".join(reasons)) from None
            else:
                break
        yield Chosen(sampler, "; ".join(reasons))
