# SPDX-License-Identifier: Apache-2.0
"""A key for tests, and what becomes of single addresses under it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tests.protocols.netflow.capturing import datagrams

from fleutan.protocols.anonymising import Anonymiser
from fleutan.protocols.anonymous import Remembered, anonymised
from fleutan.protocols.anonymous.canvas import Canvas, anonymised_macs
from fleutan.protocols.spans import joined

ANONYMISER = Anonymiser(bytes(range(32)))


def image(octets: bytes) -> bytes:
    """What an address of 4 or 16 octets becomes."""
    whole = octets if len(octets) == 16 else bytes(10) + b"\xff\xff" + octets
    halves = ANONYMISER.anonymised(np.frombuffer(whole, ">i8").astype(np.int64).reshape(1, 2))
    return halves.astype(">i8").tobytes()[-len(octets) :]


def mac_image(octets: bytes) -> bytes:
    """What a MAC address becomes."""
    return int(anonymised_macs(np.array([int.from_bytes(octets)]), ANONYMISER)[0]).to_bytes(6)


def canvas_of(*strings: bytes) -> Canvas:
    """A canvas of these datagrams."""
    return Canvas(joined(strings))


def finished(canvas: Canvas) -> list[bytes]:
    """What became of them."""
    octets = canvas.finish(ANONYMISER)
    return canvas.spans._replace(octets=octets).strings()


def made(*strings: bytes, remembered: Remembered | None = None) -> list[bytes]:
    """What becomes of datagrams of one exporter."""
    return anonymised(datagrams(*strings), remembered or Remembered(), ANONYMISER).spans.strings()


def parts(octets: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Octets cut into pieces of these sizes, and the rest."""
    ends = np.cumsum(sizes).tolist()
    return [octets[end - size : end] for end, size in zip(ends, sizes, strict=True)] + [octets[ends[-1] :]]
