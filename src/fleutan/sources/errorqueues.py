# SPDX-License-Identifier: Apache-2.0
"""Probes without privileges: a UDP socket for each destination, and the errors that come back to it.

What lives here turns those errors into replies as ``protocols.replies`` reads them off packets.
The kernel shows of a quoted packet its payload only, so that neither MPLS labels nor changes on
the way are seen, and a router that quotes no payload seems to be silent.
"""

from __future__ import annotations

import select
import socket
from contextlib import ExitStack
from typing import Self

from fleutan.linux.egress import Sent
from fleutan.linux.errorqueue import ErrorQueue, Returned
from fleutan.linux.namespaces import Namespace, entered
from fleutan.protocols.tracing.probes import Flow, Probe
from fleutan.protocols.tracing.replies import Reply, kind_of

#: Traceroute's first port, at which nobody listens.
PORT = 33434
_NUMBER = 2  # octets of it, at the start of the payload


class ErrorQueues:
    """The sockets of the ways of a network namespace, each of which keeps its ports; closed by ``with``.

    They send the probes of ``protocols.tracer`` as the raw sockets do, but for the IP header,
    which is the kernel's.
    """

    def __init__(self, space: Namespace) -> None:
        self._space = space
        self._held = ExitStack()
        self._queues: dict[Flow, ErrorQueue] = {}
        self._flows: dict[int, Flow] = {}
        self._waiting = select.poll()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *trouble: object) -> None:
        self._held.close()
        self._queues, self._flows = {}, {}

    def flow_to(self, destination: bytes) -> Flow:
        """A flow to an address (4 or 16 octets), for which a socket is there from now on.

        Raises Unsendable where this host cannot send there, or has no more descriptors.
        """
        with entered(self._space):
            queue = self._held.enter_context(ErrorQueue(destination, PORT))
        own, port = queue.own_end
        flow = Flow(4 if len(destination) == 4 else 6, own, destination, socket.IPPROTO_UDP, port, PORT)
        self._queues[flow] = queue
        self._flows[queue.fileno()] = flow
        self._waiting.register(queue.fileno(), select.POLLIN)
        return flow

    def send(self, probe: Probe) -> Sent:
        """Sends a probe of one of the flows; its number is the payload's start."""
        return self._queues[probe.flow].send(probe.ttl, probe.number.to_bytes(_NUMBER, "big") + probe.payload)

    def receive(self, seconds: float) -> list[tuple[Reply, int]]:
        """The errors that came, after so many seconds at the most, and when the kernel received them.

        What a destination answers itself does not say which probe it means, and is left out.
        """
        ready = [self._flows[file] for file, _ in self._waiting.poll(max(0.0, seconds) * 1000)]
        came = [(flow, one) for flow in ready for one in self._queues[flow].receive(0)]
        return [(reply, one.at_ns) for flow, one in came if (reply := reply_of(flow, one)) is not None]


def reply_of(flow: Flow, returned: Returned) -> Reply | None:
    """What came back to a socket as the reply that it is; None for what is no error, or none that is known."""
    if returned.type is None or returned.code is None:
        return None
    kind = kind_of(flow.family, returned.type, returned.code)
    if kind is None:
        return None
    quoted = returned.payload[:_NUMBER]
    number = int.from_bytes(quoted, "big") if len(quoted) == _NUMBER else None
    return Reply(returned.offender, kind, returned.code, flow, number, returned.ttl or 0, mtu=returned.mtu or None)
