# SPDX-License-Identifier: Apache-2.0
"""Lakes of a known little traffic: the rows as plain dicts, the Tables of them, and lakes on disk.

What a question means is computed of the dicts by each test itself.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import numpy as np

from fleutan.column import Column, text_column
from fleutan.fields import require
from fleutan.lake.writer import Limits, Writer
from fleutan.table import Table

Row = dict[str, Any]
Rows = list[Row]

SECOND = 1_000_000_000
MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
#: 2026-01-15 10:00:00 UTC: the traffic begins so, and lasts for 90 minutes.
AT = 1_768_471_200 * SECOND
LASTS = 90 * MINUTE
#: How long a test waits for a writer's thread.
DEADLINE = 30.0

_IPV4 = ["10.0.0.1", "10.0.0.2", "10.0.1.3", "10.213.54.6", "192.0.2.7", "198.51.100.9", "64.32.234.8"]
_IPV6 = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::3"]
_PORTS = [22, 53, 80, 443, 5201, 5500, 6001, 40000, 65535]


def records(many: int = 400, seed: int = 1) -> Rows:
    """Flow records of two exporters: rates known and unknown, IPv4 and IPv6, ICMP, and rows without addresses."""
    chance = random.Random(seed)  # noqa: S311
    return sorted((_record(chance, number) for number in range(many)), key=lambda row: row["time"])


def _record(chance: random.Random, number: int) -> Row:
    begins = AT + chance.randrange(LASTS // 1000) * 1000
    row: Row = {
        "time": begins,
        "end": begins + chance.randrange(20 * SECOND) if number % 9 else None,
        "exporter": chance.choice(["203.0.113.1", "203.0.113.2"]),
        "protocol": "netflow-9",
        "domain": number % 3,
        "packets": chance.randrange(1, 40),
        "bytes": chance.randrange(40, 60_000),
        "sampling_rate": chance.choice([None, None, 1, 100]),
        "in_if": chance.randrange(1, 4),
        "out_if": chance.choice([None, 7]),
        "direction": chance.choice(["ingress", None]),
        "src_as": chance.choice([2529, 65535, None]),
        "dst_as": chance.choice([2529, 64512, None]),
        "src_mac": chance.choice(["00:11:22:33:44:aa", "02:00:00:00:00:01"]),
        "dst_mac": chance.choice(["00:11:22:33:44:aa", None]),
    }
    if number % 20 == 7:
        return row | {"ethertype": 0x0806}
    ends = chance.sample(_IPV6 if number % 4 == 0 else _IPV4, 2)
    proto = chance.choice(["tcp", "tcp", "udp", "icmp"])
    ports = [0, 2048] if proto == "icmp" else chance.sample(_PORTS, 2)
    flags = chance.randrange(64) if proto == "tcp" else None
    return row | {
        **dict(zip(("proto", "src", "dst", "sport", "dport"), (proto, *ends, *ports), strict=True)),
        "tcp_flags": flags,
        "tos": chance.choice([0, 184]),
    }


def samples(many: int = 200, seed: int = 2) -> Rows:
    """Packet samples, one in 50 or of unknown rate, with some octets of a header each."""
    chance = random.Random(seed)  # noqa: S311
    rows = []
    for row in records(many, seed):
        size = chance.randrange(60, 1514)
        rate = chance.choice([50, 50, None])
        octets = bytes(chance.randrange(256) for _ in range(20))
        rows.append(row | {"protocol": "sflow-5", "packets": 1, "bytes": size, "sampling_rate": rate, "end": None})
        rows[-1] |= {"header": octets if chance.random() < 0.9 else None, "link_type": 1, "ttl": 64}
    return rows


def flows(many: int = 150, seed: int = 3) -> Rows:
    """Flows of hosts by interval of 10 s: counted packets of some, TCP's own counters of others, nothing of a third."""
    chance = random.Random(seed)  # noqa: S311
    rows = []
    for number in range(many):
        ends = chance.sample(_IPV6 if number % 5 == 0 else _IPV4, 2)
        begins = AT + chance.randrange(LASTS // SECOND // 10) * 10 * SECOND
        row: Row = {
            "time": begins,
            "interval": 10_000_000,
            "proto": "tcp",
            "src": ends[0],
            "dst": ends[1],
            "sport": 40000 + number,
            "dport": chance.choice(_PORTS),
            "family": "ipv6" if ":" in ends[0] else "ipv4",
            "node": chance.choice(["web1", "web2"]),
            "comm": chance.choice(["nginx", "postgres", "ssh", None]),
            "unit": chance.choice(["nginx.service", "backup.service", None]),
            "container": chance.choice(["c1", None, None]),
            "limit": chance.choice(["app", "path", "idle", None]),
            "rtt": chance.choice([None, 120, 45_000]),
            "retrans": chance.choice([0, 0, 3]),
        }
        if number % 3 != 2:
            sent, received = chance.randrange(40), chance.randrange(40)
            row |= {"tx_packets": sent, "rx_packets": received, "tx_bytes": 900 * sent, "rx_bytes": 700 * received}
            row |= {"first_seen": begins + SECOND, "last_seen": begins + 4 * SECOND}
        if number % 3 != 1:
            row |= {"segs_out": 5, "segs_in": 0, "bytes_sent": 4000, "bytes_received": 0}
        rows.append(row)
    return sorted(rows, key=lambda row: row["time"])


# -- Tables


def table(kind: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """A Table with a column for every field of any row; what a row lacks is unknown.  ``node`` is the writer's."""
    names = dict.fromkeys(name for row in rows for name in row if name != "node")
    return Table(kind, {name: column(name, [row.get(name) for row in rows]) for name in names})


def column(name: str, values: list[Any]) -> Column:
    """The values as a column of that field."""
    type_ = require(name).type
    if type_ == "text":
        return text_column(values)
    if type_ in ("octets", "ints"):
        words = tuple(dict.fromkeys(value for value in values if value is not None))
        codes = [-1 if value is None else words.index(value) for value in values]
        return Column(np.array(codes, np.int32), None, words)
    known = np.array([value is not None for value in values], np.bool_)
    mask = None if known.all() else known
    if type_ == "address":
        return Column(np.array([halves(value) for value in values], np.int64).reshape(-1, 2), mask)
    kind: Any = {"int": np.int64, "float": np.float64, "bool": np.bool_}[type_]
    return Column(np.array([0 if value is None else value for value in values], kind), mask)


def halves(text: str | None) -> tuple[int, int]:
    """The signed halves of an address, IPv4 as IPv4-mapped; of None zeros."""
    if text is None:
        return 0, 0
    number = int(ip_address(text)) | (0 if ":" in text else 0xFFFF << 32)
    return tuple(half - (1 << 64 if half >> 63 else 0) for half in (number >> 64, number & (1 << 64) - 1))  # type: ignore[return-value]


# -- lakes


def sealed(root: Path, **kinds: Sequence[Mapping[str, Any]]) -> Path:
    """A lake of these rows, all of them sealed; each node writes its own."""
    for node, tables in (_by_node(kinds) or {"here": []}).items():
        with Writer(root, "test", node=node) as writer:
            for one in tables:
                writer.add(one)
            writer.tick(AT)
    return root


@contextmanager
def unsealed(root: Path, **kinds: Sequence[Mapping[str, Any]]) -> Iterator[Path]:
    """A lake whose last rows are these, and are in its tails while ``with`` lasts; all of one node."""
    ((node, tables),) = _by_node(kinds).items()
    with Writer(root, "late", Limits(flush_ns=0), node=node) as writer:
        for one in tables:
            writer.add(one)
        until = time.monotonic() + DEADLINE
        while writer.account().flushed < writer.account().rows:
            assert time.monotonic() < until, writer.account()
            writer.tick(AT)
        yield root


def _by_node(kinds: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, list[Table]]:
    found: dict[str, list[Table]] = {}
    for kind, rows in kinds.items():
        for node in dict.fromkeys(row.get("node", "here") for row in rows):
            found.setdefault(node, []).append(table(kind, [row for row in rows if row.get("node", "here") == node]))
    return found


# -- what rows say


def scaled(row: Mapping[str, Any], name: str) -> int:
    """A count of a record or a sample, times its sampling rate where that is known."""
    return int(row[name] * (row.get("sampling_rate") or 1))


def between(rows: Sequence[Row], start_ns: int, end_ns: int) -> Rows:
    """The rows of a window."""
    return [row for row in rows if start_ns <= row["time"] < end_ns]


def sums(rows: Sequence[Mapping[str, Any]], *keys: str, bucket_ns: int = 0) -> dict[tuple[Any, ...], tuple[int, int]]:
    """Bytes and packets, scaled, of rows of traffic by these keys, with the interval's beginning before them."""
    found: dict[tuple[Any, ...], tuple[int, int]] = {}
    for row in rows:
        key = tuple(row.get(name) for name in keys)
        key = (row["time"] // bucket_ns * bucket_ns, *key) if bucket_ns else key
        before = found.get(key, (0, 0))
        found[key] = before[0] + scaled(row, "bytes"), before[1] + scaled(row, "packets")
    return found


def directed(rows: Sequence[Row]) -> Rows:
    """Flows of hosts as rows of traffic: what each sent, and what it received, where there was anything."""
    found = []
    for row in rows:
        for own, turned in (("tx", False), ("rx", True)):
            plain = ("segs_out", "bytes_sent") if own == "tx" else ("segs_in", "bytes_received")
            packets = row.get(f"{own}_packets", row.get(plain[0]))
            if not packets:
                continue
            ends = {"src": "dst", "dst": "src", "sport": "dport", "dport": "sport"} if turned else {}
            one = row | {name: row[other] for name, other in ends.items()}
            count = row.get(f"{own}_bytes", row.get(plain[1]))
            found.append(one | {"packets": packets, "bytes": count, "direction": own})
    return found
