# SPDX-License-Identifier: Apache-2.0
"""Frames of a capture as an agent would have sampled them: one of so many, in datagrams of version 5.

What lives here chooses frames and says what an agent says of each; ``encoder`` writes it.  Each
frame is chosen by chance and by itself, with a seed: of the same frames the same ones are chosen.

sFlow Version 5, section 5 (``sampled_header``, ``flow_sample_expanded``); sFlow Transit Delay
Structures (``extended_timestamp``).
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.capture.frames import Frames
from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.packet.decode import decode
from fleutan.protocols.packet.kinds import LINK_TYPE
from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.encoder import encode
from fleutan.protocols.sflow.layouts import FLOW_FORMS, FLOW_SAMPLE_EXPANDED
from fleutan.protocols.sflow.messages import Message
from fleutan.protocols.sflow.samples import Sample
from fleutan.protocols.spans import Ints, Mask, Spans, joined

#: Octets of a packet in a sample at most, and samples of a datagram: as many as fit into 1400 octets.
HEADER, SAMPLES = 128, 6
#: Where sFlow goes (IANA).
PORT = 6343
#: Why frames are not there to be chosen.
NO_NUMBER = "frames that sFlow has no number for"

_ETHERNET, _PPP, _IPV4, _IPV6 = 1, 7, 11, 12
#: Link types whose frames stay as they are: of sFlow's own numbers and, of capture files', PPP.
_WHOLE = {_ETHERNET: _ETHERNET, 13: 13, _IPV4: _IPV4, _IPV6: _IPV6, LINK_TYPE + 9: _PPP, LINK_TYPE + 50: _PPP}
#: An Ethernet frame's check sequence counts, though no capture has it.
_FCS = 4
_SECOND, _MS = 10**9, 10**6
_WORD, _UNTIMED = 0xFFFF_FFFF, -1
_SAMPLED, _TIMESTAMP = FLOW_FORMS[1][0], FLOW_FORMS[1043][0]


class Sampler:
    """Samples frames and remembers, from batch to batch, how many there were and how many were taken.

    ``rate`` is one of how many, ``agent`` the address of the agent, 4 or 16 octets.  A data source
    is an interface of the capture, numbered from 1.  Which way a frame went is not known.
    ``rejects`` counts frames that cannot be sampled, by reason.
    """

    def __init__(self, rate: int, agent: bytes = bytes([127, 0, 0, 1]), seed: int = 0) -> None:
        self.rejects: Counter[str] = Counter()
        self._rate, self._agent = rate, agent
        self._chance = np.random.default_rng(seed)
        self._pools: Counter[int] = Counter()
        self._samples: Counter[int] = Counter()
        self._sequence = 0
        self._began: int | None = None
        mapped = agent if len(agent) == 16 else bytes(10) + b"\xff\xff" + agent
        self._halves = np.frombuffer(mapped, ">i8").astype(np.int64)

    def datagrams(self, frames: Frames) -> Datagrams:
        """The datagrams of these frames, each at the time of its last sample; none waits for more than a second."""
        protocols, skipped = _beginnings(frames)
        some = protocols > 0
        if not some.all():
            self.rejects[NO_NUMBER] += int(np.count_nonzero(~some))
        frames, protocols, skipped = frames.take(some), protocols[some], skipped[some]
        chosen = self._chance.random(len(protocols)) * self._rate < 1
        pools, numbers = self._counted(frames.interfaces, chosen)
        taken = frames.take(chosen)
        samples = self._sampled(taken, protocols[chosen], skipped[chosen], pools[chosen], numbers[chosen])
        return self._sent(samples, taken.at_ns)

    def _counted(self, interfaces: Ints, chosen: Mask) -> tuple[Ints, Ints]:
        """Of each frame how many there were at its interface, and how many were taken, with itself."""
        pools, numbers = np.zeros_like(interfaces), np.zeros_like(interfaces)
        for interface in np.unique(interfaces).tolist():
            rows = np.flatnonzero(interfaces == interface)
            pools[rows] = self._pools[interface] + 1 + np.arange(len(rows))
            numbers[rows] = self._samples[interface] + np.cumsum(chosen[rows])
            self._pools[interface] += len(rows)
            self._samples[interface] = int(numbers[rows[-1]])
        return pools & _WORD, numbers & _WORD

    def _sampled(self, frames: Frames, protocols: Ints, skipped: Ints, pools: Ints, numbers: Ints) -> list[Sample]:
        ethernet = protocols == _ETHERNET
        lengths = np.minimum(frames.lengths + ethernet * _FCS, _WORD)
        heads = Spans(
            frames.spans.octets,
            frames.spans.starts + skipped,
            np.minimum(frames.spans.sizes - skipped, HEADER),
        )
        times = np.where(frames.timed, frames.at_ns, _UNTIMED)
        said = (protocols, lengths, skipped + ethernet * _FCS, times)
        elements = map(_elements, heads.strings(), *(column.tolist() for column in said))
        counted = (numbers, frames.interfaces + 1, pools)
        return list(map(self._sample, elements, *(column.tolist() for column in counted)))

    def _sample(self, elements: tuple[Element, ...], number: int, source: int, pool: int) -> Sample:
        # What is not known of interfaces is 0, and a capture does not say what it missed.
        values = (number, 0, source, self._rate, pool, *[0] * 5)
        return Sample(FLOW_SAMPLE_EXPANDED.tag, FLOW_SAMPLE_EXPANDED, values, elements, len(elements))

    def _sent(self, samples: list[Sample], at_ns: Ints) -> Datagrams:
        ends = _ends(at_ns)
        times = at_ns[ends - 1]
        if self._began is None and len(at_ns):
            self._began = int(at_ns[0])
        strings, begin = [], 0
        for end, time in zip(ends.tolist(), times.tolist(), strict=True):
            strings.append(self._datagram(tuple(samples[begin:end]), time))
            begin = end
        spans, many = joined(strings), len(strings)
        halves, ports = np.repeat(self._halves[None], many, axis=0), np.full(many, PORT)
        return Datagrams(spans, spans.sizes, halves, ports, halves, ports, times)

    def _datagram(self, samples: tuple[Sample, ...], time: int) -> bytes:
        self._sequence = self._sequence + 1 & _WORD
        uptime = (time - (self._began or 0)) // _MS & _WORD
        return encode(Message(5, self._agent, 0, self._sequence, uptime, len(samples), samples))


def _elements(head: bytes, protocol: int, length: int, stripped: int, time: int) -> tuple[Element, ...]:
    sampled = Element(_SAMPLED.tag, _SAMPLED, (protocol, length, stripped, head))
    return (sampled,) if time == _UNTIMED else (sampled, Element(_TIMESTAMP.tag, _TIMESTAMP, (time,)))


def _ends(at_ns: Ints) -> NDArray[np.int64]:
    """Behind which samples datagrams end: when they are full, and with each second."""
    rows = np.arange(len(at_ns))
    first = np.ones(len(at_ns), np.bool_)
    first[1:] = at_ns[1:] // _SECOND != at_ns[:-1] // _SECOND
    since = rows - np.maximum.accumulate(np.where(first, rows, 0))
    begins = np.flatnonzero(since % SAMPLES == 0)
    return np.append(begins[1:], len(at_ns)) if len(begins) else begins


def _beginnings(frames: Frames) -> tuple[Ints, Ints]:
    """sFlow's number of what each frame begins with (0: there is none) once so many octets are skipped.

    Of links that sFlow does not know the IP packet is taken.
    """
    kinds = frames.kinds()
    protocols, skipped = np.zeros_like(kinds), np.zeros_like(kinds)
    for kind, protocol in _WHOLE.items():
        protocols[kinds == kind] = protocol
    others = np.flatnonzero(protocols == 0)
    if len(others):
        found = decode(frames.spans.take(others), kinds[others], ("version", "l3_at"), depth=0)
        for version, protocol in ((4, _IPV4), (6, _IPV6)):
            known = found.known.get("version", np.bool_("version" in found.values))
            mine = (found.values.get("version", np.zeros(len(others), np.int64)) == version) & known
            protocols[others[mine]] = protocol
            skipped[others[mine]] = found.values["l3_at"][mine] if mine.any() else 0
    return protocols, skipped
