# SPDX-License-Identifier: Apache-2.0
"""Memory, and what was paged and swapped (/proc/meminfo, vmstat)."""

from __future__ import annotations

import re

from fleutan.linux.host import whole

#: Rows of either that are looked for, among dozens.
_MEMINFO = re.compile(
    rb"^(MemTotal|MemFree|Buffers|Cached|Shmem|SReclaimable|SwapTotal|SwapFree):\s+(\d+) kB$", re.MULTILINE
)
_VMSTAT = re.compile(rb"^(pgpgin|pgpgout|pswpin|pswpout) (\d+)$", re.MULTILINE)


def meminfo(text: bytes) -> dict[str, int]:
    """Octets by name, of those names that the agent tells of."""
    return {name: value * 1024 for name, value in _numbers(_MEMINFO, text).items()}


def vmstat(text: bytes) -> dict[str, int]:
    """Counts by name: kilobytes paged in and out, pages swapped in and out, since the boot."""
    return _numbers(_VMSTAT, text)


def _numbers(rows: re.Pattern[bytes], text: bytes) -> dict[str, int]:
    found = ((name.decode("ascii"), whole(number)) for name, number in rows.findall(text))
    return {name: number for name, number in found if number is not None}
