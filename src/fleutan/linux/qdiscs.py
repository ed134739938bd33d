# SPDX-License-Identifier: Apache-2.0
"""Queueing disciplines and their classes, as rtnetlink gives them to ``tc -s``.

Of the devices of the calling thread's network namespace; reading needs no privilege.  pyroute2
speaks the protocol and is imported only when asked; it runs an event loop of its own, so the
calling thread must have none running.  Names of devices and words for settings are not its
business.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from fleutan.errors import FleutanError, NotSupported

#: include/uapi/linux/pkt_sched.h: where a queueing discipline hangs that hangs from no class.
TC_H_ROOT = 0xFFFF_FFFF
TC_H_INGRESS = 0xFFFF_FFF1

_RTM_NEWTCLASS = 40
_NLM_F_DUMP_INTR = 0x10
_TCA_STATS_PKT64 = 8
#: A dump that changed under way is read again, so often at most.
_ATTEMPTS = 3
#: Kinds whose classes are asked for in vain: they have none, or one for each flow that waits now,
#: or (mq) the very queueing disciplines that hang from them.
_WITHOUT_CLASSES = frozenset(
    {"noqueue", "pfifo_fast", "pfifo", "bfifo", "pfifo_head_drop", "mq", "mqprio", "taprio", "ingress", "clsact"}
    | {"fq", "fq_codel", "fq_pie", "codel", "pie", "cake", "sfq", "tbf", "red", "choke", "gred", "netem", "etf", "plug"}
)
_WHAT = "queueing disciplines"


class Qdisc(NamedTuple):
    """A queueing discipline (``tcm_handle`` has no minor number) or a class of one.

    ``handle`` and ``parent`` are major << 16 | minor.  Counts are those of ``gnet_stats_basic``
    and ``gnet_stats_queue`` and are None where the kernel keeps none; all but ``bytes`` and
    ``packets`` have 32 bits there.  ``options`` holds the whole numbers of TCA_OPTIONS by their
    names in lower case without prefix; it is empty for a kind that pyroute2 does not know.
    """

    ifindex: int
    layer: Literal["qdisc", "class"]
    kind: str
    handle: int
    parent: int
    bytes: int | None
    packets: int | None
    drops: int | None
    overlimits: int | None
    requeues: int | None
    backlog: int | None
    qlen: int | None
    options: Mapping[str, int]


class Dump(NamedTuple):
    """All that was read; ``interrupted`` where it kept changing: some may be missing or double."""

    qdiscs: list[Qdisc]
    interrupted: bool


def dump() -> Dump:
    """Every queueing discipline of the thread's network namespace, in the kernel's order, then the classes.

    Classes that mirror something else (those of mq, the flows of fq_codel) are left out.  Raises
    NotSupported where the kernel or the library has none of it, FleutanError where reading fails.
    """
    return read_dump(library())


def read_dump(module: Any) -> Dump:
    """As ``dump``, through the module pyroute2 that is given."""
    try:
        with module.IPRoute() as route:
            return _steady(lambda: list(_messages(route)))
    except module.NetlinkError as error:
        raise _failure(error.code, error.args[-1]) from None
    except OSError as error:
        raise _failure(error.errno, error.strerror) from None


def library() -> Any:
    """The module pyroute2, which takes 0.1 s to import.  Raises NotSupported where it is not there."""
    try:
        import logging

        import pyroute2
    except ImportError as error:
        raise NotSupported(_WHAT, f"pyroute2 cannot be imported ({error})", "pip install pyroute2") from None
    # Without a handler of the program's, what pyroute2 cannot decode would reach the user as a traceback.
    logging.getLogger("pyroute2").addHandler(logging.NullHandler())
    return pyroute2


def _failure(code: int | None, text: str | None) -> FleutanError:
    if code == errno.EOPNOTSUPP:
        return NotSupported(_WHAT, "this kernel has no traffic control", "one built with CONFIG_NET_SCHED=y has it")
    return FleutanError(f"reading {_WHAT} through rtnetlink failed: {text}")


def _messages(route: Any) -> Iterator[Any]:
    qdiscs = list(route.get_qdiscs())
    yield from qdiscs
    classful = {message["index"] for message in qdiscs if message.get_attr("TCA_KIND") not in _WITHOUT_CLASSES}
    for index in sorted(classful):
        yield from route.get_classes(index=index)


def _steady(read: Callable[[], Iterable[Any]]) -> Dump:
    """The dump, read again while it is interrupted."""
    for _ in range(_ATTEMPTS):
        messages = read()
        if not any(message["header"]["flags"] & _NLM_F_DUMP_INTR for message in messages):
            return Dump(_kept(messages), False)
    return Dump(_kept(messages), True)


def _kept(messages: Iterable[Any]) -> list[Qdisc]:
    found = map(qdisc, messages)
    return [row for row in found if row.layer == "qdisc" or row.kind not in _WITHOUT_CLASSES]


def qdisc(message: Any) -> Qdisc:
    """A decoded ``tcmsg`` of pyroute2 as plain values."""
    stats = _nested(message, "TCA_STATS2")
    basic, queue = _nested(stats, "TCA_STATS_BASIC"), _nested(stats, "TCA_STATS_QUEUE")
    packets = _packets64(stats)
    kind = message.get_attr("TCA_KIND") or ""
    return Qdisc(
        ifindex=message["index"],
        layer="class" if message["header"]["type"] == _RTM_NEWTCLASS else "qdisc",
        kind=kind,
        handle=message["handle"],
        parent=message["parent"],
        bytes=basic.get("bytes"),
        packets=basic.get("packets") if packets is None else packets,
        drops=queue.get("drops"),
        overlimits=queue.get("overlimits"),
        requeues=queue.get("requeues"),
        backlog=queue.get("backlog"),
        qlen=queue.get("qlen"),
        options=dict(_flat(_nested(message, "TCA_OPTIONS"), f"TCA_{kind.upper()}_")),
    )


def _nested(message: Any, name: str) -> Any:
    """An attribute that has names in it; empty where there is none or where it could not be decoded."""
    found = message.get_attr(name) if message else None
    return found if isinstance(found, dict) else {}


def _packets64(stats: Any) -> int | None:
    """The packets in 64 bits, which the kernel adds when 32 are too few (``gnet_stats_copy_basic``)."""
    for slot in stats.get("attrs", ()):
        if slot.name != "UNKNOWN":
            continue
        attribute = slot.nla  # pyroute2 has no name for it, but it keeps the bytes
        if attribute["header"]["type"] == _TCA_STATS_PKT64:
            start = attribute.offset + 4
            return int.from_bytes(attribute.data[start : attribute.offset + attribute.length][:8], sys.byteorder)
    return None


def _flat(options: Any, prefix: str) -> Iterator[tuple[str, int]]:
    """The whole numbers of nested attributes and structures."""
    for name, value in options.items():
        if isinstance(value, int) and "reserved" not in name:
            yield name, value
    for slot in options.get("attrs", ()):
        value = slot.value
        if isinstance(value, int):
            yield slot.name.removeprefix(prefix).lower(), value
        elif isinstance(value, dict):
            yield from _flat(value, prefix)


def spelled(handle: int) -> str:
    """A handle as tc writes it: ``8001:`` for a queueing discipline, ``1:10`` for a class; hexadecimal."""
    major, minor = handle >> 16, handle & 0xFFFF
    return f"{major:x}:{minor:x}" if minor else f"{major:x}:"
