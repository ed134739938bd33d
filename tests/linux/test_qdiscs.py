# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import struct
import sys
import types
from collections.abc import Iterable
from typing import Any

import pytest

pytest.importorskip("pyroute2")
from pyroute2.netlink.rtnl.tcmsg import tcmsg

from fleutan.errors import FleutanError, NotSupported
from fleutan.linux import qdiscs
from fleutan.linux.qdiscs import TC_H_INGRESS, TC_H_ROOT, Dump, Qdisc

QDISC, CLASS = 36, 40
BASIC, QUEUE, PKT64 = 1, 3, 8


def attribute(number: int, value: bytes) -> bytes:
    """struct nlattr and its value, padded to 4 bytes."""
    return struct.pack("HH", 4 + len(value), number) + value + bytes(-len(value) % 4)


def text(value: str) -> bytes:
    return value.encode() + b"\0"


def stats(sent: int, packets: int, *queue: int, wide: int | None = None) -> bytes:
    """TCA_STATS2: gnet_stats_basic, gnet_stats_queue (qlen, backlog, drops, requeues, overlimits)."""
    parts = attribute(BASIC, struct.pack("QI", sent, packets)) + attribute(QUEUE, struct.pack("5I", *queue))
    parts += attribute(9, b"future")
    return attribute(7, parts + (b"" if wide is None else attribute(PKT64, struct.pack("Q", wide))))


def message(kind: int, handle: int, parent: int, *attributes: bytes, flags: int = 2) -> Any:
    """A message as rtnetlink sends it, decoded by pyroute2."""
    body = struct.pack("BBHiIII", 0, 0, 0, 4, handle, parent, 1) + b"".join(attributes)
    raw = struct.pack("IHHII", 16 + len(body), kind, flags, 1, 2) + body
    decoded = tcmsg(raw)
    decoded.decode()
    return decoded


def test_a_kind_that_nobody_knows_just_works() -> None:
    options = attribute(2, bytes(range(12)))
    found = qdiscs.qdisc(
        message(QDISC, 0x80010000, TC_H_ROOT, attribute(1, text("quantum_q")), options, stats(900, 7, 1, 2, 3, 4, 5))
    )
    assert found == Qdisc(4, "qdisc", "quantum_q", 0x80010000, TC_H_ROOT, 900, 7, 3, 5, 4, 2, 1, {})


def test_packets_beyond_32_bits() -> None:
    many = (7 << 32) + 11
    counted = stats(1, 11, 0, 0, 0, 0, 0, wide=many)
    found = qdiscs.qdisc(message(QDISC, 0, TC_H_ROOT, attribute(1, text("fq")), counted))
    assert found.packets == many


def test_a_class_of_htb_with_its_settings() -> None:
    parms = bytearray(44)
    struct.pack_into("I", parms, 8, 125_000_000)
    struct.pack_into("I", parms, 20, 250_000_000)
    struct.pack_into("5I", parms, 24, 187, 93, 200_000, 0, 3)
    options = attribute(2, attribute(1, bytes(parms)) + attribute(8, b"pad") + attribute(6, struct.pack("Q", 1 << 33)))
    found = qdiscs.qdisc(message(CLASS, 0x10010, 0x10001, attribute(1, text("htb")), options))
    assert (found.layer, found.kind, found.bytes, found.drops) == ("class", "htb", None, None)
    assert found.options["rate"] == 125_000_000
    assert found.options["ceil"] == 250_000_000
    assert found.options["prio"] == 3
    assert found.options["rate64"] == 1 << 33
    assert not any("reserved" in name for name in found.options)


def test_settings_of_a_kind_with_an_underscore_lose_the_whole_prefix() -> None:
    parts = ((1, struct.pack("I", 4999)), (5, struct.pack("I", 1024)), (77, b"new"))
    options = attribute(2, b"".join(attribute(number, value) for number, value in parts))
    found = qdiscs.qdisc(message(QDISC, 0, 0x10001, attribute(1, text("fq_codel")), options))
    assert found.options == {"target": 4999, "flows": 1024}


def test_statistics_that_are_cut_off_are_unknown() -> None:
    raw = attribute(7, attribute(BASIC, b"\1"))
    found = qdiscs.qdisc(message(QDISC, 0, TC_H_ROOT, attribute(1, text("fq")), raw))
    assert (found.bytes, found.packets, found.qlen) == (None, None, None)


def test_statistics_that_no_dictionary_holds_are_unknown() -> None:
    class Message(dict[str, Any]):
        def get_attr(self, name: str) -> object:
            return {"TCA_KIND": None, "TCA_STATS2": b"\xff"}.get(name)

    found = qdiscs.qdisc(Message(index=1, handle=0, parent=0, header={"type": QDISC}))
    assert (found.kind, found.bytes, found.options) == ("", None, {})


@pytest.mark.parametrize(
    ("handle", "expected"),
    [(0x80010000, "8001:"), (0, "0:"), (0x00010010, "1:10"), (0xFFFF0000, "ffff:"), (TC_H_INGRESS, "ffff:fff1")],
)
def test_handles_are_spelled_as_tc_does(handle: int, expected: str) -> None:
    assert qdiscs.spelled(handle) == expected


def library(answers: Iterable[Any], classes: Iterable[Any] = ()) -> Any:
    """A pyroute2 whose dumps are these: one list of messages, or an exception, each time."""
    left = list(answers)

    class NetlinkError(Exception):
        def __init__(self, code: int) -> None:
            super().__init__(code, "refused")
            self.code = code

    class Route:
        def __enter__(self) -> Route:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def get_qdiscs(self) -> Any:
            answer = left.pop(0)
            if isinstance(answer, int):
                raise NetlinkError(answer)
            if isinstance(answer, Exception):
                raise answer
            return answer

        def get_classes(self, index: int) -> Any:
            return [found for found in classes if found["index"] == index]

    made = types.ModuleType("pyroute2")
    made.__dict__.update(IPRoute=Route, NetlinkError=NetlinkError)
    return made


def plain(kind: str, flags: int = 2, layer: int = QDISC) -> Any:
    return message(layer, 0x10000, TC_H_ROOT, attribute(1, text(kind)), flags=flags)


def test_classes_are_read_of_devices_that_have_any() -> None:
    leaf, unknown, mirrored = (plain(kind, layer=CLASS) for kind in ("htb", "quantum_q", "mq"))
    found = qdiscs.read_dump(library([[plain("pfifo_fast")]], [leaf]))
    assert [row.layer for row in found.qdiscs] == ["qdisc"]
    found = qdiscs.read_dump(library([[plain("mq"), plain("htb")]], [leaf, unknown, mirrored]))
    assert [(row.kind, row.layer) for row in found.qdiscs] == [
        ("mq", "qdisc"),
        ("htb", "qdisc"),
        ("htb", "class"),
        ("quantum_q", "class"),
    ]


def test_an_interrupted_dump_is_read_again() -> None:
    torn, whole = [plain("fq", flags=0x12)], [plain("fq")]
    assert not qdiscs.read_dump(library([torn, torn, whole])).interrupted
    assert qdiscs.read_dump(library([torn, torn, torn])) == Dump(qdiscs.read_dump(library([whole])).qdiscs, True)


def test_a_kernel_without_traffic_control() -> None:
    with pytest.raises(NotSupported, match="no traffic control"):
        qdiscs.read_dump(library([errno.EOPNOTSUPP]))
    with pytest.raises(FleutanError, match="rtnetlink failed: refused"):
        qdiscs.read_dump(library([errno.ENOBUFS]))
    with pytest.raises(FleutanError, match="rtnetlink failed: Too many open files"):
        qdiscs.read_dump(library([OSError(errno.EMFILE, "Too many open files")]))


def test_without_the_library_it_says_what_to_install() -> None:
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "pyroute2"}
    try:
        sys.modules["pyroute2"] = None  # type: ignore[assignment]
        with pytest.raises(NotSupported, match="pip install pyroute2"):
            qdiscs.dump()
    finally:
        sys.modules.pop("pyroute2", None)
        sys.modules.update(kept)


def test_the_running_kernel_has_its_own() -> None:
    found = qdiscs.dump()
    assert not found.interrupted
    assert all(row.kind and row.layer == "qdisc" for row in found.qdiscs if row.parent == TC_H_ROOT)
