# SPDX-License-Identifier: Apache-2.0
"""Addresses in SQL: the text of two halves (RFC 5952), and whether they are inside a prefix.

These are for people who write SQL; plans need neither.
"""

from __future__ import annotations

_V4 = "hi = 0 AND lo BETWEEN 281470681743360 AND 281474976710655"
#: Addresses whose first six groups are all that is zero: inet_ntop(3) writes the rest as of IPv4 too.
_COMPATIBLE = "hi = 0 AND lo BETWEEN 65536 AND 4294967295"
_QUAD = "concat_ws('.', (lo >> 24) & 255, (lo >> 16) & 255, (lo >> 8) & 255, lo & 255)"


def _groups() -> str:
    parts = [f"format('{{:x}}', ({half} >> {shift}) & 65535)" for half in ("hi", "lo") for shift in (48, 32, 16, 0)]
    return f"':' || concat_ws(':', {', '.join(parts)}) || ':'"


def _shortened() -> str:
    """The longest run of zero groups, the first of several, becomes ``::``; a colon at either end goes."""
    cases = []
    for run in range(8, 1, -1):
        zeros = ":0" * run + ":"
        at = f"instr(told, '{zeros}')"
        cases.append(f"WHEN {at} > 0 THEN told[:{at} - 1] || '::' || told[{at} + {len(zeros)}:]")
    text = f"CASE {' '.join(cases)} ELSE told END"
    return f"regexp_replace(regexp_replace({text}, '^:([^:])', '\\1'), '([^:]):$', '\\1')"


# A macro is written out where it is used, and to bind that takes time: the lambda has the groups once.
MACROS = (
    f"CREATE MACRO fleutan_groups(hi, lo) AS {_groups()}",
    f"CREATE MACRO address(hi, lo) AS CASE WHEN hi IS NULL THEN NULL WHEN {_V4} THEN {_QUAD} "
    f"WHEN {_COMPATIBLE} THEN '::' || {_QUAD} "
    f"ELSE list_transform([fleutan_groups(hi, lo)], lambda told: {_shortened()})[1] END",
)
