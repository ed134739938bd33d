# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from fleutan.exports.sflowtool.rows import DROP, FLOW, Rows, joined, written_rows

IPV4, IPV6 = (0, (0xFFFF << 32) + 0x0A00_0001), (0x2001_0DB8 << 32, 1)


def rows(kind: int = FLOW, end: tuple[int, int] = IPV4, known: bool = True, **values: int) -> Rows:
    """A row of zeros but for these."""
    zero = np.zeros(1, np.int64)
    ends, there = np.array([end]), np.array([known])
    found = dict.fromkeys(Rows._fields, zero) | {name: np.array([value]) for name, value in values.items()}
    found |= {"kind": zero + kind, "agent": ends, "source": ends, "destination": ends}
    return Rows(**found | {"agent_known": there, "ends_known": there})


def lines(some: Rows, before: tuple[tuple[int, bytes], ...] = (), reasons: tuple[bytes, ...] = ()) -> list[str]:
    return b"".join(written_rows(some, reasons, before)).decode().splitlines()


def test_numbers_are_decimal_or_hexadecimal_as_sflowtool_has_them() -> None:
    some = rows(source_mac=0xFA00_0000_000B, destination_mac=1, type=0x86DD, tos=40, flags=2, size=-4, last=2**32 - 1)
    line = "FLOW,10.0.0.1,0,0,fa000000000b,000000000001,0x86dd,0,0,10.0.0.1,10.0.0.1,0,0x28,0,0,0,0x02,-4,0,4294967295"
    assert lines(some) == [line]


def test_addresses_are_in_eight_groups_or_a_dash() -> None:
    six = "2001:0db8:0000:0000:0000:0000:0000:0001"
    found = lines(joined([rows(), rows(end=IPV6), rows(end=(0, 0), known=False)]))
    assert [line.split(",")[1] for line in found] == ["10.0.0.1", six, "-"]
    assert [line.split(",")[9] for line in found] == ["10.0.0.1", six, "-"]
    assert lines(rows(known=False))[0].split(",")[9:11] == ["-", "-"]


def test_reasons_stand_in_place_of_rates() -> None:
    found = lines(joined([rows(last=400), rows(DROP, last=1)]), reasons=(b"acl", b"ttl_exceeded"))
    assert [(line[:4], line.split(",")[-1]) for line in found] == [("FLOW", "400"), ("DROP", "ttl_exceeded")]


def test_other_lines_stand_before_their_rows() -> None:
    some = joined([rows(last=1), rows(last=2), rows(DROP, last=0)])
    found = lines(some, ((0, b"a\n"), (2, b"b\n"), (2, b"c" * 200 + b"\n")), (b"acl",))
    assert [line[:4] for line in found] == ["a", "FLOW", "FLOW", "b", "cccc", "DROP"]


def test_rows_are_taken_by_number_or_mask() -> None:
    some = joined([rows(last=1), rows(end=IPV6, last=2)])
    assert lines(some.take(np.array([1]))) == lines(some.take(np.array([False, True]))) == lines(some)[1:]
