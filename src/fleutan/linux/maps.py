# SPDX-License-Identifier: Apache-2.0
"""What is in a BPF map: entries one by one, and all of them in one call.

A map is known by its file descriptor, which its object owns (``libbpf``).  Keys and values are
bytes; what they mean is known to whoever made the map.  Imports no numpy.
"""

from __future__ import annotations

import ctypes
import errno
import os
from ctypes import c_char, c_char_p, c_uint32, c_uint64
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import NamedTuple

from fleutan.errors import FleutanError
from fleutan.linux import capabilities
from fleutan.linux.libbpf import load_library

#: enum bpf_map_type (include/uapi/linux/bpf.h): maps with a value for each possible CPU.
_PER_CPU = (5, 6, 10, 21)
_POSSIBLE = "/sys/devices/system/cpu/possible"


class _MapFacts(ctypes.Structure):
    """struct bpf_map_info (include/uapi/linux/bpf.h) up to what is read."""

    _fields_ = tuple((name, c_uint32) for name in ("type", "id", "key_size", "value_size", "max_entries", "map_flags"))


class _BatchOptions(ctypes.Structure):
    """struct bpf_map_batch_opts (bpf/bpf.h)."""

    _fields_ = (("sz", ctypes.c_size_t), ("elem_flags", c_uint64), ("flags", c_uint64))


class Entries(NamedTuple):
    """Keys and values of so many entries, each as one block, in the same order."""

    rows: int
    keys: memoryview
    values: memoryview


class Map:
    """A map by its file descriptor.

    ``value_size`` is that of all that is read for a key: of maps with values per CPU one value
    for each possible CPU, each rounded up to 8 bytes.
    """

    def __init__(self, descriptor: int, library: str = capabilities.LIBBPF) -> None:
        self.descriptor = descriptor
        self._libbpf = load_library(library)
        facts, size = _MapFacts(), c_uint32(ctypes.sizeof(_MapFacts))
        _check(self._libbpf.bpf_obj_get_info_by_fd(descriptor, ctypes.byref(facts), ctypes.byref(size)), "describe")
        self.key_size: int = facts.key_size
        self.value_size: int = facts.value_size
        self.max_entries: int = facts.max_entries
        if facts.type in _PER_CPU:
            self.value_size = (facts.value_size + 7) // 8 * 8 * possible_cpus()

    def get(self, key: bytes) -> bytes | None:
        """The value of a key; None where there is no such key.  Raises FleutanError."""
        value = ctypes.create_string_buffer(self.value_size)
        result = self._libbpf.bpf_map_lookup_elem(self.descriptor, key, value)
        if result == -errno.ENOENT:
            return None
        _check(result, "look up in")
        return value.raw

    def put(self, key: bytes, value: bytes) -> None:
        """Sets the value of a key; of a map in a map the value is its descriptor.

        Returns when no program runs any more that found the map that was there before.  Raises
        FleutanError.
        """
        _check(self._libbpf.bpf_map_update_elem(self.descriptor, key, value, 0), "write to")

    def put_all(self, keys: bytes, values: bytes) -> None:
        """Sets many keys in one call.  Raises FleutanError."""
        count = c_uint32(len(keys) // self.key_size)
        options = _BatchOptions(ctypes.sizeof(_BatchOptions))
        arguments = (c_char_p(keys), c_char_p(values), ctypes.byref(count), ctypes.byref(options))
        _check(self._libbpf.bpf_map_update_batch(self.descriptor, *arguments), "write to")

    def remove(self, key: bytes) -> bool:
        """Removes a key; whether it was there.  Raises FleutanError."""
        result = self._libbpf.bpf_map_delete_elem(self.descriptor, key)
        return result != -errno.ENOENT and _check(result, "remove from") == 0

    def read(self) -> Entries:
        """All entries.  What is added or removed meanwhile may be missing.  Raises FleutanError."""
        return self._batch("bpf_map_lookup_batch")

    def drain(self) -> Entries:
        """All entries, which are removed (of a hash map).  Raises FleutanError."""
        return self._batch("bpf_map_lookup_and_delete_batch")

    def _batch(self, call: str) -> Entries:
        """One call takes all: as many entries are asked for as the map can hold."""
        keys, values = (_memory(self.max_entries * size) for size in (self.key_size, self.value_size))
        count = c_uint32(self.max_entries)
        after = ctypes.create_string_buffer(max(self.key_size, 4))
        options = _BatchOptions(ctypes.sizeof(_BatchOptions))
        result = getattr(self._libbpf, call)(
            self.descriptor, None, after, _start(keys), _start(values), ctypes.byref(count), ctypes.byref(options)
        )
        if result != -errno.ENOENT:  # which is how the kernel says that there are no more
            _check(result, "read")
        found = count.value
        return Entries(found, memoryview(keys)[: found * self.key_size], memoryview(values)[: found * self.value_size])


def possible_cpus(path: str = _POSSIBLE) -> int:
    """How many CPUs the kernel can ever have, which is how many values a key has in maps per CPU."""
    with open(path) as file:
        ranges = [part.split("-") for part in file.read().strip().split(",")]
    return sum(int(bounds[-1]) - int(bounds[0]) + 1 for bounds in ranges)


def _memory(size: int) -> mmap:
    """Zeros behind which there is no memory before they are written."""
    return mmap(-1, max(size, 1), MAP_PRIVATE | MAP_ANONYMOUS)


def _start(area: mmap) -> int:
    return ctypes.addressof(c_char.from_buffer(area))


def _check(result: int, what: str) -> int:
    if result < 0:
        raise FleutanError(f"BPF: the kernel does not {what} the map: {os.strerror(-result).lower()}")
    return result
