# SPDX-License-Identifier: Apache-2.0
"""Packet headers into columns, and capture files in and out: packets per CPU-second, one core."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.capture.datagrams import udp_datagrams
from fleutan.protocols.capture.reading import read
from fleutan.protocols.capture.writing import pcap_header, pcap_records
from fleutan.protocols.packet.decode import decode
from fleutan.protocols.spans import Spans, joined

DIFFERENT, REPEATED, ROUNDS, CAPTURED = 5_000, 100, 5, 128
BATCH = 10_000
MACS = bytes.fromhex("fa000000000afa000000000b")
ENDS = ("src", "dst", "proto", "sport", "dport")


def tcp(number: int) -> bytes:
    """A frame of Ethernet, IPv4 and TCP as a sampler cuts it."""
    ip = struct.pack("!BBHHHBBHII", 0x45, 0, 1500, number, 0x4000, 64, 6, 0, 0x0A000000 + number, 0x0A800000 + number)
    return (MACS + b"\x08\0" + ip + struct.pack("!HHIIHHI", 40000, 443, number, 1, 0x5010, 501, 0)).ljust(
        CAPTURED, b"x"
    )


def udp6(number: int, port: int = 53) -> bytes:
    """A frame of Ethernet, IPv6 and UDP."""
    ip = struct.pack("!IHBB", 6 << 28, 74, 17, 64) + bytes(13) + number.to_bytes(3) + bytes(16)
    return (MACS + b"\x86\xdd" + ip + struct.pack("!HHHH", 40000, port, 74, 0)).ljust(CAPTURED, b"x")


def vxlan(number: int) -> bytes:
    """A frame of the first kind in one of the second."""
    return udp6(number, 4789)[:62] + struct.pack("!II", 0x08000000, number << 8) + tcp(number)[:58]


def many(frames: Sequence[bytes]) -> Spans:
    """The frames again and again, each time in another place."""
    once = joined(frames)
    starts = once.starts + len(once.octets) * np.arange(REPEATED)[:, None]
    return Spans(np.tile(once.octets, REPEATED), starts.ravel(), np.tile(once.sizes, REPEATED))


def in_batches(spans: Spans, kinds: NDArray[np.int64]) -> None:
    """Decodes as many at once as one reading of a socket gives; what is read is dropped."""
    for start in range(0, spans.rows, BATCH):
        part = slice(start, start + BATCH)
        decode(Spans(spans.octets, spans.starts[part], spans.sizes[part]), kinds[part])


def rate(what: str, rows: int, work: Callable[[], object]) -> None:
    """Prints the best of some rounds."""
    taken = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    print(f"{what:42} {rows / min(taken) / 1e6:6.2f} million/s")


def main() -> None:
    """Prints a line a kind of packets."""
    plain = many([tcp(number) for number in range(DIFFERENT)])
    mixed = many([udp6(number) if number % 10 < 3 else tcp(number) for number in range(DIFFERENT)])
    inside = many([vxlan(number) for number in range(DIFFERENT)])
    ones = np.ones(plain.rows, np.int64)
    rate("Ethernet, IPv4, TCP: every name", plain.rows, lambda: decode(plain, ones))
    rate("the same in batches, as they are received", plain.rows, lambda: in_batches(plain, ones))
    rate("the same: addresses, protocol, ports", plain.rows, lambda: decode(plain, ones, ENDS))
    rate("70 % of these, 30 % IPv6 and UDP", mixed.rows, lambda: decode(mixed, ones))
    rate("VXLAN: every name of both levels", inside.rows, lambda: decode(inside, ones))
    rate("VXLAN: the outer level alone", inside.rows, lambda: decode(inside, ones, depth=0))
    records = pcap_records(plain, plain.sizes, ones)
    rate("written as pcap", plain.rows, lambda: pcap_records(plain, plain.sizes, ones))
    file = pcap_header(1) + records
    rate("read from pcap", plain.rows, lambda: read(file))
    frames, _ = read(pcap_header(1) + pcap_records(mixed, mixed.sizes, ones))
    rate("UDP datagrams out of frames", mixed.rows, lambda: udp_datagrams(frames))


if __name__ == "__main__":
    main()
