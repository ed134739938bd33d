# SPDX-License-Identifier: Apache-2.0
"""Datagrams of exporters without what tells who they are of, so that all that is made of them tells it neither.

``anonymised`` gives the same datagrams with all addresses replaced (``anonymising``: equal ones stay
equal, and common prefixes as long as they were).  It goes by what is known to be harmless: counts,
ports, times, AS numbers, VLANs, lengths of prefixes stay.  Addresses of IP are replaced, those in
sampled headers too; MAC addresses as ``canvas.hidden_bits`` says; text becomes as much filler.  The
rest is zero: payloads, options, checksums of transports, structures, fields and sets that are not
known.  Lengths stay, so that it is read as before.

A batch is painted on a ``canvas``; ``sflow``, ``earlier``, ``netflow`` and ``packets`` know where what
lies, ``held`` keeps what cannot be read yet.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from fleutan.protocols.anonymising import Anonymiser
from fleutan.protocols.anonymous import earlier, netflow, sflow
from fleutan.protocols.anonymous.canvas import Canvas
from fleutan.protocols.anonymous.held import Held, joined
from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.netflow.exporters.state import State
from fleutan.protocols.recognise import NETFLOW, SFLOW, UNKNOWN, Recognised, recognise
from fleutan.protocols.spans import Mask

_EARLIER = (2, 4)


@dataclass
class Remembered:
    """What is known of exporters as they are, what waits, and by reason how much was left out as nobody knows it."""

    netflow: State = field(default_factory=State)
    held: Held = field(default_factory=Held)
    removed: Counter[str] = field(default_factory=Counter)


def anonymised(datagrams: Datagrams, remembered: Remembered, anonymiser: Anonymiser) -> Datagrams:
    """The datagrams of a batch with their addresses replaced, the senders' and receivers' too; never raises.

    Datagrams of no known protocol, and what cannot be read, are zero and as long as before.  Those that
    hold nothing but records without a template are held until it comes (``held``), and come behind those
    of the batch that brought it; without room, or too late, they come without their records.
    """
    made, learned = _made(datagrams, remembered, anonymiser, may_wait=True)
    parts = [made]
    if (old := remembered.held.expire(int(datagrams.at_ns.max(initial=0)))) is not None:
        parts.append(_made(old, remembered, anonymiser, may_wait=False)[0])
    if (ready := remembered.held.release(learned)) is not None:
        parts.append(_made(ready, remembered, anonymiser, may_wait=True)[0])
    return joined(parts)


def rest(remembered: Remembered, anonymiser: Anonymiser) -> Datagrams | None:
    """The datagrams that are still held when no more come, without their records; None if there are none."""
    old = remembered.held.end()
    return None if old is None else _made(old, remembered, anonymiser, may_wait=False)[0]


def _made(
    datagrams: Datagrams, remembered: Remembered, anonymiser: Anonymiser, may_wait: bool
) -> tuple[Datagrams, netflow.Keys]:
    """Those that need not wait, and the templates that they brought."""
    canvas = Canvas(datagrams.spans)
    copied = datagrams._replace(spans=canvas.spans)
    kinds = recognise(copied)
    _hide_sflow(canvas, kinds)
    rows = np.flatnonzero(kinds.family == NETFLOW)
    hidden = netflow.hide(canvas, copied.take(rows), remembered.netflow)
    waits = np.zeros(len(kinds.family), np.bool_)
    waits[rows[hidden.unread]] = True
    if may_wait and waits.any() and remembered.held.fits(waiting := copied.take(waits)):
        remembered.held.add(waiting, hidden.lacked)
    else:
        canvas.removed["datagram whose template did not come"] += int(np.count_nonzero(waits))
        waits[:] = False
    canvas.removed["datagram of an unknown protocol"] += int(np.count_nonzero(kinds.family == UNKNOWN))
    remembered.removed += canvas.removed
    return _finished(canvas, copied, ~waits, anonymiser), hidden.learned


def _hide_sflow(canvas: Canvas, kinds: Recognised) -> None:
    ours = kinds.family == SFLOW
    old = np.isin(kinds.version, _EARLIER)
    sflow.hide(canvas, canvas.spans.take(ours & ~old))
    for version in _EARLIER:
        if (mine := ours & (kinds.version == version)).any():
            earlier.hide(canvas, canvas.spans.take(mine), version)


def _finished(canvas: Canvas, copied: Datagrams, some: Mask, anonymiser: Anonymiser) -> Datagrams:
    """These of them, with the ends between which they went replaced."""
    octets = canvas.finish(anonymiser)
    ends = anonymiser.anonymised(np.concatenate((copied.source, copied.destination)))
    source, destination = ends[: len(copied.source)], ends[len(copied.source) :]
    spans = canvas.spans._replace(octets=octets)
    return copied._replace(spans=spans, source=source, destination=destination).take(some)
