# SPDX-License-Identifier: Apache-2.0
"""Feeds whatever atheris makes up to all readers: ``make fuzz``, or with options of libFuzzer
``python -m tests.fuzz.target CORPUS``.

The first octet says how the rest is meant: as a capture file, or as datagrams, each after its length in
two octets.  What is remembered of exporters is kept from one input to the next.  Needs the extra
``fuzz``.  ``--seed`` writes the captures beside the repository, and datagrams made here, into the
corpus first.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["fleutan.protocols"]):
    from tests.fuzz.invariants import Kept, check_capture, check_datagrams
    from tests.fuzz.seeds import captures, exporters

CAPTURE, DATAGRAMS = b"\0", b"\1"
KEPT = Kept()


def strings_of(octets: bytes) -> Iterator[bytes]:
    """The datagrams of an input."""
    at = 0
    while at + 2 <= len(octets):
        size = int.from_bytes(octets[at : at + 2])
        yield octets[at + 2 : at + 2 + size]
        at += 2 + size


def one_input(octets: bytes) -> None:
    """All readers on one input."""
    if octets[:1] == CAPTURE:
        check_capture(octets[1:])
    else:
        check_datagrams(list(strings_of(octets[1:])), KEPT)


def seeds() -> Iterator[bytes]:
    """Inputs to begin with."""
    for strings in exporters():
        for first in range(0, len(strings), 4):
            some = strings[first : first + 4]
            yield DATAGRAMS + b"".join(len(one).to_bytes(2) + one for one in some)
    for octets in captures():
        yield CAPTURE + octets[:8192]


def main() -> None:
    """Runs until it finds something, or as long as libFuzzer's options say."""
    options = [option for option in sys.argv if option != "--seed"]
    if len(options) != len(sys.argv):
        corpus = Path(options[1])
        corpus.mkdir(parents=True, exist_ok=True)
        for octets in seeds():
            (corpus / hashlib.sha256(octets).hexdigest()[:16]).write_bytes(octets)
    atheris.Setup(options, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
