# SPDX-License-Identifier: Apache-2.0
"""BPF programs at a device's tc: by a tcx link, which ends with the process, else as a filter of clsact.

They go before all others there.  Everything happens in the network namespace of the calling thread.
A filter, unlike a link, stays when its process is killed.  So each has a number that its owner holds as the name
of an abstract socket of that namespace, and whoever comes next takes away those whose name nobody holds.

Sources: bpf(2) BPF_LINK_CREATE, include/uapi/linux/bpf.h, pkt_cls.h, tc-bpf(8), unix(7).
"""

from __future__ import annotations

import ctypes
import errno
import os
import random
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from ctypes import c_int, c_size_t, c_uint32, c_void_p
from struct import Struct
from typing import Any, NamedTuple, Protocol

from fleutan.errors import FleutanError, Gone, NotSupported
from fleutan.linux import capabilities, rtnetlink
from fleutan.linux.libbpf import load_library

#: What all our programs' names begin with.
PREFIX = "fleutan_"
CAPABILITIES = ("CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN")

#: BPF_TCX_INGRESS, BPF_TCX_EGRESS and BPF_F_BEFORE, by which a link without another goes to the head of all.
_TCX, _BEFORE = {False: 46, True: 47}, 1 << 3
#: enum bpf_tc_attach_point (bpf/libbpf.h), and TC_H_CLSACT with TC_H_MIN_INGRESS and TC_H_MIN_EGRESS.
_POINTS, _BOTH = {False: 1, True: 2}, 3
_PARENTS = {False: 0xFFFF_FFF2, True: 0xFFFF_FFF3}
_RTM_NEWTFILTER, _RTM_GETTFILTER = 44, 46
_TCA_KIND, _TCA_OPTIONS, _TCA_BPF_NAME = 1, 2, 7
_TCMSG = Struct("=B3xiIII")  # family, ifindex, handle, parent, info
#: A priority that leaves room before and behind it for those of others.
_ALONE = 100
#: Programs of one device and direction that are looked through.
_PROGRAMS = 64
#: Numbers of filters, which are handles of 32 bits.
_NUMBERS = 1 << 31


class _LinkOptions(ctypes.Structure):
    """The head of struct bpf_link_create_opts (bpf/bpf.h)."""

    _fields_ = (("sz", c_size_t), ("flags", c_uint32))


class _LinkFacts(ctypes.Structure):
    """struct bpf_link_info (include/uapi/linux/bpf.h) as far as tcx has it."""

    _fields_ = tuple((name, c_uint32) for name in ("type", "id", "prog_id", "padding", "ifindex", "attach_type"))


class _Query(ctypes.Structure):
    """The head of struct bpf_prog_query_opts (bpf/bpf.h), as it is since libbpf 1.0."""

    _fields_ = (
        ("sz", c_size_t),
        ("query_flags", c_uint32),
        ("attach_flags", c_uint32),
        ("prog_ids", c_void_p),
        ("prog_cnt", c_uint32),
    )


class _Hook(ctypes.Structure):
    """struct bpf_tc_hook (bpf/libbpf.h)."""

    _fields_ = (("sz", c_size_t), ("ifindex", c_int), ("attach_point", c_int), ("parent", c_uint32))


class _FilterOptions(ctypes.Structure):
    """struct bpf_tc_opts (bpf/libbpf.h)."""

    _fields_ = (
        ("sz", c_size_t),
        ("prog_fd", c_int),
        *((name, c_uint32) for name in ("flags", "prog_id", "handle", "priority")),
    )


#: Function and arguments; all give an int, negative numbers of errors.
_FUNCTIONS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("bpf_link_create", (c_int, c_int, c_int, c_void_p)),
    ("bpf_prog_query_opts", (c_int, c_int, c_void_p)),
    ("bpf_tc_hook_create", (c_void_p,)),
    ("bpf_tc_hook_destroy", (c_void_p,)),
    *((f"bpf_tc_{verb}", (c_void_p, c_void_p)) for verb in ("attach", "detach", "query")),
)


class Attached(Protocol):
    """A program that runs for each packet of a device in one direction."""

    def is_there(self) -> bool:
        """Whether it still is: not where the device is gone."""

    def close(self) -> None:
        """Ends it; to be called once, in the namespace that it was attached in."""


class Attaching:
    """Attaches programs, and gives up what it holds when it is closed.

    ``tcx`` is whether links are tried first.
    """

    def __init__(self, library: str = capabilities.LIBBPF, *, tcx: bool = True) -> None:
        self.tcx = tcx
        self._libbpf = load_library(library)
        for name, arguments in _FUNCTIONS:
            getattr(self._libbpf, name).restype = c_int
            getattr(self._libbpf, name).argtypes = arguments
        self._number: int | None = None
        self._held = ExitStack()
        self._made: set[int] = set()

    def close(self) -> None:
        """Gives up the number of our filters."""
        self._number = None
        self._held.close()

    def attach(self, program: int, ifindex: int, *, egress: bool) -> Attached:
        """The program, by its descriptor, runs for what this device sends (``egress``) or receives.

        Raises Gone where there is no such device, NotSupported, FleutanError.
        """
        if self.tcx:
            try:
                return self._link(program, ifindex, egress)
            except NotSupported:
                self.tcx = False
        return self._filter(program, ifindex, egress)

    def _link(self, program: int, ifindex: int, egress: bool) -> Attached:
        options = _LinkOptions(ctypes.sizeof(_LinkOptions), _BEFORE)
        link = self._libbpf.bpf_link_create(program, ifindex, _TCX[egress], ctypes.byref(options))
        if link == -errno.EINVAL:
            raise NotSupported("tcx", "not before Linux 6.6")
        _check(link, ifindex)
        return _Link(self._libbpf, link, ifindex, _TCX[egress])

    def _filter(self, program: int, ifindex: int, egress: bool) -> Attached:
        if self._number is None:
            self._number = self._held.enter_context(_Number()).number
        both = _hook(ifindex, _BOTH)
        made = self._libbpf.bpf_tc_hook_create(ctypes.byref(both))
        if made != -errno.EEXIST:
            _check(made, ifindex)
            self._made.add(ifindex)
        remove_left_over(self._libbpf, ifindex)
        hook = _hook(ifindex, _POINTS[egress])
        for priority in _priorities(ifindex, egress):
            options = _filter_options(prog_fd=program, handle=self._number, priority=priority)
            answer = self._libbpf.bpf_tc_attach(ctypes.byref(hook), ctypes.byref(options))
            if answer >= 0:
                break
        _check(answer, ifindex)
        return _Filter(self._libbpf, hook, options, self._made)


class _Link:
    """A tcx link, held by its descriptor."""

    def __init__(self, libbpf: ctypes.CDLL, descriptor: int, ifindex: int, point: int) -> None:
        self._libbpf, self._descriptor, self._at = libbpf, descriptor, (ifindex, point)

    def is_there(self) -> bool:
        facts, size = _LinkFacts(), c_uint32(ctypes.sizeof(_LinkFacts))
        found = self._libbpf.bpf_obj_get_info_by_fd(self._descriptor, ctypes.byref(facts), ctypes.byref(size))
        return bool(found == 0 and facts.ifindex == self._at[0] and self._runs(facts.prog_id))

    def _runs(self, program: int) -> bool:
        """Whether it runs at the device of this number here: that of the link may be in another namespace by now."""
        programs = (c_uint32 * _PROGRAMS)()
        options = _Query(ctypes.sizeof(_Query), 0, 0, ctypes.addressof(programs), _PROGRAMS)
        answer = self._libbpf.bpf_prog_query_opts(*self._at, ctypes.byref(options))
        if answer not in (0, -errno.ENOSPC, -errno.ENOENT, -errno.ENODEV):
            return True  # which nobody can tell
        return answer in (0, -errno.ENOSPC) and program in programs[: min(options.prog_cnt, _PROGRAMS)]

    def close(self) -> None:
        os.close(self._descriptor)


class _Filter:
    """A filter of clsact, and clsact itself where it is of those that were made for us and nobody else uses it."""

    def __init__(self, libbpf: ctypes.CDLL, hook: _Hook, options: _FilterOptions, made: set[int]) -> None:
        self._libbpf, self._hook, self._made = libbpf, hook, made
        self._name = {"handle": options.handle, "priority": options.priority}

    def is_there(self) -> bool:
        options = _filter_options(**self._name)
        return bool(self._libbpf.bpf_tc_query(ctypes.byref(self._hook), ctypes.byref(options)) == 0)

    def close(self) -> None:
        options = _filter_options(**self._name)
        self._libbpf.bpf_tc_detach(ctypes.byref(self._hook), ctypes.byref(options))
        ifindex = self._hook.ifindex
        if ifindex in self._made and not any(filters(ifindex, egress=egress) for egress in (False, True)):
            self._made.discard(ifindex)
            both = _hook(ifindex, _BOTH)
            self._libbpf.bpf_tc_hook_destroy(ctypes.byref(both))


class _Number:
    """A number that nobody else has in this namespace, from ``with`` on and as long as the process lives."""

    def __enter__(self) -> _Number:
        while (held := _taken(number := random.randrange(1, _NUMBERS))) is None:  # noqa: S311  # any will do
            pass
        self.number, self._held = number, held
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()


def _taken(number: int) -> socket.socket | None:
    """The number's name, or None where somebody holds it."""
    named = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        named.bind(f"\0{PREFIX}samples-{number}")
    except OSError:
        named.close()
        return None
    return named


class Filter(NamedTuple):
    """A BPF filter of clsact: what it is called, and where it is to be found."""

    name: str
    handle: int
    priority: int


def filters(ifindex: int, *, egress: bool) -> list[Filter]:
    """The BPF filters of a device; none where it has no clsact."""
    return list(_named(_listed(ifindex, egress)))


def _priorities(ifindex: int, egress: bool) -> range:
    """Priorities to try: before all others, else beside the first if that is BPF too, else behind it."""
    others = [_TCMSG.unpack_from(body)[-1] >> 16 for _, body in _listed(ifindex, egress)]
    first = max(min(others, default=_ALONE + 1) - 1, 1)
    return range(first, first + 4)


def _listed(ifindex: int, egress: bool) -> list[tuple[int, bytes]]:
    asked = _TCMSG.pack(socket.AF_UNSPEC, ifindex, 0, _PARENTS[egress], 0)
    with suppress(FleutanError):
        found = rtnetlink.dump("filters", _RTM_GETTFILTER, asked)
        return [(kind, body) for kind, body in found if kind == _RTM_NEWTFILTER and len(body) >= _TCMSG.size]
    return []


def _named(messages: Iterable[tuple[int, bytes]]) -> Iterator[Filter]:
    for _, body in messages:
        _, _, handle, _, about = _TCMSG.unpack_from(body)
        found = rtnetlink.attributes("filters", body[_TCMSG.size :])
        options = rtnetlink.attributes("filters", found.get(_TCA_OPTIONS, b""))
        if found.get(_TCA_KIND) == b"bpf\0" and handle:
            yield Filter(options.get(_TCA_BPF_NAME, b"").rstrip(b"\0").decode(errors="replace"), handle, about >> 16)


def remove_left_over(libbpf: ctypes.CDLL, ifindex: int) -> int:
    """Takes away the filters of ours on a device whose process was killed; how many there were."""
    removed = 0
    for egress in (False, True):
        for one in filters(ifindex, egress=egress):
            if not one.name.startswith(PREFIX) or (name := _taken(one.handle)) is None:
                continue
            name.close()
            hook, options = _hook(ifindex, _POINTS[egress]), _filter_options(handle=one.handle, priority=one.priority)
            removed += libbpf.bpf_tc_detach(ctypes.byref(hook), ctypes.byref(options)) == 0
    return removed


def _hook(ifindex: int, point: int) -> _Hook:
    return _Hook(ctypes.sizeof(_Hook), ifindex, point)


def _filter_options(**members: int) -> _FilterOptions:
    return _FilterOptions(ctypes.sizeof(_FilterOptions), **members)


def _check(answer: int, ifindex: int) -> None:
    if answer >= 0:
        return
    if answer in (-errno.ENODEV, -errno.ENXIO):
        raise Gone(f"there is no device {ifindex} (any more)")
    said = os.strerror(-answer).lower()
    if answer == -errno.EPERM:
        missing = capabilities.missing(CAPABILITIES)
        raise NotSupported("sampling by BPF", f"needs {' and '.join(missing)}" if missing else said, "run as root")
    raise FleutanError(f"device {ifindex}: its packets cannot be looked at: {said}")
