# SPDX-License-Identifier: Apache-2.0
"""BPF objects through libbpf.so.1: opening, loading, attaching, and the reason when it fails.

Knows no program and no record; those who do give the object's bytes and a program's name.
What is in a map is read in ``maps``.  Links are held by file descriptors and never pinned, so
everything is gone when the process ends, however it ends.
Every call releases the GIL, so loading runs beside other work.  libbpf's own log is silent;
only after a failure the same steps are taken again with the log kept, for the line that decides.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from ctypes import c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from itertools import pairwise
from typing import Any, NamedTuple

from fleutan.errors import NotSupported
from fleutan.linux import capabilities

#: enum libbpf_print_level
_WARN = 0
#: A verifier's log of our programs is below this; what is longer loses its end.
_LOG_BYTES = 4 << 20

#: What loading and iterating take (bpf(2), capabilities(7)).
CAPABILITIES = ("CAP_BPF", "CAP_PERFMON")

#: Function, result, arguments: bpf/libbpf.h, an ABI that stands since libbpf 1.0.
_FUNCTIONS: tuple[tuple[str, Any, tuple[Any, ...]], ...] = (
    ("libbpf_set_print", c_void_p, (c_void_p,)),
    ("bpf_object__open_mem", c_void_p, (c_char_p, c_size_t, c_void_p)),
    ("bpf_object__load", c_int, (c_void_p,)),
    ("bpf_object__close", None, (c_void_p,)),
    ("bpf_object__find_program_by_name", c_void_p, (c_void_p, c_char_p)),
    ("bpf_object__find_map_by_name", c_void_p, (c_void_p, c_char_p)),
    ("bpf_map__set_initial_value", c_int, (c_void_p, c_char_p, c_size_t)),
    ("bpf_map__set_max_entries", c_int, (c_void_p, c_uint32)),
    ("bpf_map__fd", c_int, (c_void_p,)),
    ("bpf_program__fd", c_int, (c_void_p,)),
    ("bpf_program__attach", c_void_p, (c_void_p,)),
    ("bpf_program__set_autoload", c_int, (c_void_p, ctypes.c_bool)),
    ("bpf_program__attach_iter", c_void_p, (c_void_p, c_void_p)),
    ("bpf_program__attach_cgroup", c_void_p, (c_void_p, c_int)),
    ("bpf_link__fd", c_int, (c_void_p,)),
    ("bpf_link__destroy", c_int, (c_void_p,)),
    ("bpf_iter_create", c_int, (c_int,)),
    ("bpf_obj_get_info_by_fd", c_int, (c_int, c_void_p, c_void_p)),
    ("bpf_enable_stats", c_int, (c_int,)),
    ("bpf_map_update_elem", c_int, (c_int, c_void_p, c_void_p, c_uint64)),
    ("bpf_map_lookup_elem", c_int, (c_int, c_void_p, c_void_p)),
    ("bpf_map_delete_elem", c_int, (c_int, c_void_p)),
    ("bpf_map_update_batch", c_int, (c_int, c_void_p, c_void_p, c_void_p, c_void_p)),
    ("bpf_map_lookup_batch", c_int, (c_int, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
    ("bpf_map_lookup_and_delete_batch", c_int, (c_int, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
)


class _OpenOptions(ctypes.Structure):
    """The head of struct bpf_object_open_opts: by ``sz`` libbpf takes the rest as zero."""

    _fields_ = (("sz", c_size_t), ("object_name", c_char_p))


_RUNS = ("run_time_ns", "run_cnt", "recursion_misses")


class _ProgramInfo(ctypes.Structure):
    """struct bpf_prog_info (include/uapi/linux/bpf.h) up to what is read; the kernel fills no more than asked."""

    _fields_ = (("before", c_uint32 * 48), *((name, c_uint64) for name in _RUNS))


class Runs(NamedTuple):
    """How often a program ran and for how long in all, and how often it could not.

    The first two stand still while nobody counts.  A program does not run for an event that
    comes while it already runs on the same CPU.
    """

    run_cnt: int
    run_time_ns: int
    recursion_misses: int


class _Failure(Exception):
    """A call of libbpf gave this errno."""

    def __init__(self, call: str, number: int) -> None:
        super().__init__(f"{call}: {os.strerror(number)}")
        self.number = number


class BpfObject:
    """The programs of one compiled object, in the kernel while the context lasts.

    ``elf`` is the object file, ``constants`` the bytes of its .rodata, ``unused`` names programs
    that are not to be loaded, ``sizes`` gives the entries of maps by name.  Entering raises
    NotSupported with the reason and the remedy where libbpf, the kernel's BTF, the privileges or
    the kernel itself stand against it.
    """

    def __init__(
        self,
        name: str,
        elf: bytes,
        constants: bytes = b"",
        unused: Collection[str] = (),
        sizes: Mapping[str, int] | None = None,
        library: str = capabilities.LIBBPF,
        btf: str = capabilities.BTF,
    ) -> None:
        self._name = name
        self._elf = elf
        self._constants = constants
        self._unused = unused
        self._sizes = sizes or {}
        self._library = library
        self._btf = btf
        self._held = ExitStack()
        self._handle: int | None = None
        self._links: dict[str, int] = {}
        self._attached: dict[str, ExitStack] = {}

    def __enter__(self) -> BpfObject:
        self._libbpf = load_library(self._library)
        if not os.path.exists(self._btf):
            raise NotSupported("BPF", f"this kernel has no {self._btf}", "it takes CONFIG_DEBUG_INFO_BTF=y to build it")
        try:
            self._load()
        except _Failure as failure:
            self.close()
            raise self._not_supported(failure, self._decisive_line) from None
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Detaches and unloads everything; may be called at any time, any number of times."""
        self._handle = None
        self._links.clear()
        self._attached.clear()
        self._held.close()

    def iterate(self, program: str) -> int:
        """A new file descriptor that yields what the iterator ``program`` writes; the caller closes it.

        Of sockets it yields those in the network namespace of the calling thread.  Raises
        NotSupported.
        """
        try:
            if program not in self._links:
                link = self._call("bpf_program__attach_iter", self._program(program), None)
                self._held.callback(self._libbpf.bpf_link__destroy, link)
                self._links[program] = link
            return self._call("bpf_iter_create", self._libbpf.bpf_link__fd(self._links[program]))
        except _Failure as failure:
            raise self._not_supported(failure, str) from None

    def attach(self, *programs: str) -> None:
        """The programs run from now on, each where its section says (``tp_btf/...``).  Raises NotSupported."""
        for program in programs:
            try:
                link = self._call("bpf_program__attach", self._program(program))
            except _Failure as failure:
                raise self._not_supported(failure, str) from None
            self._attached[program] = self._held.enter_context(ExitStack())
            self._attached[program].callback(self._libbpf.bpf_link__destroy, link)

    def detach(self, *programs: str) -> None:
        """The programs run no more until they are attached again; they stay loaded, and so do their maps."""
        for program in programs:
            if program in self._attached:
                self._attached.pop(program).close()

    def attach_cgroup(self, descriptor: int, *programs: str) -> None:
        """The programs run from now on for a control group of v2 and all below it, beside those that do already.

        ``descriptor`` is that of its folder; it may be closed afterwards.  Raises NotSupported.
        """
        for program in programs:
            try:
                link = self._call("bpf_program__attach_cgroup", self._program(program), descriptor)
            except _Failure as failure:
                raise self._not_supported(failure, str) from None
            self._held.callback(self._libbpf.bpf_link__destroy, link)

    def map(self, name: str) -> int:
        """The file descriptor of a map; the object owns it.  Raises NotSupported where there is none."""
        try:
            return self._call("bpf_map__fd", self._map(name))
        except _Failure as failure:
            raise self._not_supported(failure, str) from None

    def descriptor(self, program: str) -> int:
        """The file descriptor of a program; the object owns it.  Raises NotSupported where there is none."""
        try:
            return self._call("bpf_program__fd", self._program(program))
        except _Failure as failure:
            raise self._not_supported(failure, str) from None

    def runs(self, program: str) -> Runs:
        """How often a program ran, for how long, and how often it could not.  Raises NotSupported.

        Runs are counted only inside ``counting_runs``, or while kernel.bpf_stats_enabled is 1.
        """
        information, size = _ProgramInfo(), c_uint32(ctypes.sizeof(_ProgramInfo))
        try:
            descriptor = self._call("bpf_program__fd", self._program(program))
            self._call("bpf_obj_get_info_by_fd", descriptor, ctypes.byref(information), ctypes.byref(size))
        except _Failure as failure:
            raise self._not_supported(failure, str) from None
        return Runs(information.run_cnt, information.run_time_ns, information.recursion_misses)

    def _load(self) -> None:
        options = _OpenOptions(ctypes.sizeof(_OpenOptions), self._name.encode())
        self._handle = self._call("bpf_object__open_mem", self._elf, len(self._elf), ctypes.byref(options))
        self._held.callback(self._libbpf.bpf_object__close, self._handle)
        for program in self._unused:
            self._call("bpf_program__set_autoload", self._program(program), False)
        if self._constants:
            area = self._map(".rodata")
            self._call("bpf_map__set_initial_value", area, self._constants, len(self._constants))
        for name, entries in self._sizes.items():
            self._call("bpf_map__set_max_entries", self._map(name), entries)
        self._call("bpf_object__load", self._handle)

    def _program(self, name: str) -> int:
        if self._handle is None:
            raise ValueError(f"{self._name}: the programs are not loaded")
        return self._call("bpf_object__find_program_by_name", self._handle, name.encode())

    def _map(self, name: str) -> int:
        if self._handle is None:
            raise ValueError(f"{self._name}: the maps are not loaded")
        return self._call("bpf_object__find_map_by_name", self._handle, name.encode())

    def _call(self, name: str, *arguments: object) -> int:
        """What a function gives that says failure by NULL or a negative number, with errno."""
        ctypes.set_errno(0)
        result: int | None = getattr(self._libbpf, name)(*arguments)
        if result is None or result < 0:
            raise _Failure(name, ctypes.get_errno() or errno.EINVAL)
        return result

    def _not_supported(self, failure: _Failure, explain: Callable[[], str]) -> NotSupported:
        if failure.number == errno.EPERM:
            return NotSupported("BPF", *refusal(capabilities.missing(CAPABILITIES)))
        if failure.number == errno.ENOMEM:
            remedy = "raise the memory limit of its control group, or free some"
            return NotSupported("BPF", f"{self._name}: there is no memory for its maps", remedy)
        return NotSupported("BPF", f"{self._name}: {explain() or failure}")

    def _decisive_line(self) -> str:
        messages: list[str] = []
        listener = _listener(messages)
        self._libbpf.libbpf_set_print(listener)
        with suppress(_Failure):
            self._load()
        self._libbpf.libbpf_set_print(None)
        self.close()
        return decisive_line("".join(messages))


def load_library(name: str = capabilities.LIBBPF) -> ctypes.CDLL:
    """libbpf with its functions declared and its log silent.  Raises NotSupported where it is missing."""
    try:
        library = ctypes.CDLL(name, use_errno=True)
    except OSError:
        remedy = "install libbpf1 (Debian, Ubuntu) or libbpf (other distributions)"
        raise NotSupported("BPF", f"there is no {name}", remedy) from None
    for function, result, arguments in _FUNCTIONS:
        getattr(library, function).restype = result
        getattr(library, function).argtypes = arguments
    library.libbpf_set_print(None)
    return library


@contextmanager
def counting_runs(library: str = capabilities.LIBBPF) -> Iterator[None]:
    """The kernel counts every program's runs and their time meanwhile (bpf(2), BPF_ENABLE_STATS).

    It costs each run some 20 ns.  Raises NotSupported where that may not be asked for.
    """
    ctypes.set_errno(0)
    descriptor = load_library(library).bpf_enable_stats(0)
    if descriptor < 0:
        raise NotSupported("BPF statistics", os.strerror(ctypes.get_errno()).lower(), "run as root")
    try:
        yield
    finally:
        os.close(descriptor)


def refusal(missing: Collection[str]) -> tuple[str, str]:
    """Reason and remedy of EPERM for a process that lacks these capabilities."""
    if not missing:
        return "the kernel refuses it even with the capabilities", "look for kernel lockdown or a container's seccomp"
    return (
        f"it takes root, or {' and '.join(CAPABILITIES)}",
        f"run it as root, or once: {capabilities.setcap_line(CAPABILITIES, sys.executable)}",
    )


def decisive_line(log: str) -> str:
    """The line of libbpf's warnings that says why: the verifier's last words, else the first warning."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    for line, after in pairwise(lines):
        if after.startswith("processed "):
            return line
    return lines[0].removeprefix("libbpf: ") if lines else ""


def _listener(messages: list[str]) -> Any:
    """A libbpf_print_fn_t that appends each warning to ``messages``."""
    vsnprintf = ctypes.CDLL(None).vsnprintf
    vsnprintf.argtypes = (c_void_p, c_size_t, c_void_p, c_void_p)
    buffer = ctypes.create_string_buffer(_LOG_BYTES)

    def keep(level: int, form: int, arguments: int) -> int:
        if level == _WARN:
            vsnprintf(buffer, len(buffer), form, arguments)
            messages.append(buffer.value.decode(errors="replace"))
        return 0

    return ctypes.CFUNCTYPE(c_int, c_int, c_void_p, c_void_p)(keep)
