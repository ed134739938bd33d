# SPDX-License-Identifier: Apache-2.0
"""The counters of IPv4 and of what is above it, by their names (/proc/net/snmp).

Kernels have put new counters among the old ones (``InCsumErrors``): a place says nothing.
"""

from __future__ import annotations

import re
from itertools import pairwise

_NUMBER = re.compile(rb"-?\d{1,20}")


def snmp(text: bytes) -> dict[str, dict[str, int]]:
    """Counters by name, by the name of their group (``Ip``, ``Icmp``, ``Tcp``, ``Udp`` …).

    A row of names comes before the row of numbers.  MaxConn is -1 where it is not limited.
    """
    groups: dict[str, dict[str, int]] = {}
    for names, numbers in pairwise(text.splitlines()):
        group, colon, rest = names.partition(b":")
        other, _, values = numbers.partition(b":")
        if colon and group == other and not _NUMBER.match(rest.strip()):
            pairs = zip(rest.split(), values.split(), strict=False)
            key = group.decode("ascii", "replace")
            groups[key] = {
                name.decode("ascii", "replace"): int(value) for name, value in pairs if _NUMBER.fullmatch(value)
            }
    return groups
