# SPDX-License-Identifier: Apache-2.0
"""What comes broken is read as far as it can be, counted by name, and makes nothing grow."""

from __future__ import annotations

import gc
import tracemalloc
from random import Random

import pytest
from tests.captures import needs_captures
from tests.fuzz.invariants import Kept, check_capture, check_datagrams
from tests.fuzz.mutations import mutated
from tests.fuzz.seeds import captures, exporters, made_netflow, made_sflow

MANY, BATCH = 100_000, 2_500
#: Octets of the batches in which all prefixes of a datagram stand.
PREFIXES = 4 << 20


def test_a_hundred_thousand_broken_datagrams() -> None:
    random = Random(5)  # noqa: S311
    strings = [octets for strings in exporters() for octets in strings[:20] if 0 < len(octets) < 2000]
    random.shuffle(strings)
    kept, at = Kept(), []
    for _ in range(MANY // BATCH):
        check_datagrams(list(mutated(strings, BATCH, random)), kept)
        random.shuffle(strings)
        at.append(len(kept.netflow.domains))
    assert len(at) == 40


def test_what_is_made_here_cut_at_every_octet() -> None:
    kept = Kept()
    for octets in (*made_sflow(), *made_netflow()):
        check_datagrams([octets[:size] for size in range(len(octets) + 1)], kept)


@needs_captures
@pytest.mark.parametrize("number", range(8))
def test_every_capture_cut_at_every_octet(number: int) -> None:
    kept, batch, size = Kept(), list[bytes](), 0
    for octets in dict.fromkeys(octets for strings in exporters()[2 + number :: 8] for octets in strings[:6]):
        batch += [octets[:end] for end in range(len(octets))]
        size += len(octets) ** 2 // 2
        if size > PREFIXES:
            check_datagrams(batch, kept)
            batch, size = [], 0
    check_datagrams(batch, kept)


@needs_captures
def test_broken_capture_files() -> None:
    random = Random(7)  # noqa: S311
    files = [octets[:6000] for octets in captures()]
    for octets in mutated(files, 2_000, random):
        check_capture(octets)


@needs_captures
def test_a_capture_file_cut_at_every_octet() -> None:
    smallest = sorted(captures(), key=len)[:5]
    for octets in smallest:
        for size in range(len(octets)):
            check_capture(octets[:size])


def test_the_same_again_and_again_needs_no_more_memory() -> None:
    random = Random(9)  # noqa: S311
    strings = list(mutated([*made_sflow(), *made_netflow()], 1_000, random))
    kept = Kept()
    for _ in range(3):
        check_datagrams(strings, kept)
    tracemalloc.start()
    try:
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(5):
            check_datagrams(strings, kept)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    # Sets that wait for a template are kept, as far as there is room.
    assert grown < 4 << 20
