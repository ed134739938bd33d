# SPDX-License-Identifier: Apache-2.0
"""A strict reader of OpenMetrics 1.0 text, from its grammar; what is not in order is an AssertionError."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{((?:{LABEL},)*{LABEL})?\}})? (-?[0-9.e+-]+)")
ENDINGS = {"counter": "_total", "gauge": "", "info": "_info"}
Labels = tuple[tuple[str, str], ...]


@dataclass
class Family:
    kind: str
    unit: str = ""
    help: str = ""
    series: dict[Labels, float] = field(default_factory=dict)


def families(octets: bytes) -> dict[str, Family]:
    """Families by name: each once, their lines together, their series each once, EOF at the end."""
    text = octets.decode("utf-8")
    assert text.endswith("# EOF\n")
    found: dict[str, Family] = {}
    current = ""
    for line in text.split("\n")[:-2]:
        if line.startswith("# "):
            _, word, name, said = line.split(" ", 3)
            if word == "TYPE":
                assert name not in found, name
                found[name] = Family(said)
                current = name
            assert name == current
            assert not found[name].series
            if word == "UNIT":
                assert name.endswith(f"_{said}")
                found[name].unit = said
            elif word == "HELP":
                assert not re.search(r'(?<!\\)(?:\\\\)*"', said)
                found[name].help = said
            else:
                assert word == "TYPE"
        else:
            _sample(line, current, found[current])
    return found


def _sample(line: str, name: str, family: Family) -> None:
    match = SAMPLE.fullmatch(line)
    assert match, line
    assert match[1] == name + ENDINGS[family.kind], line
    pairs: Labels = tuple((one[0], unescaped(one[1])) for one in re.findall(LABEL, match[2] or ""))
    assert len({one for one, _ in pairs}) == len(pairs), line
    assert pairs not in family.series, line
    family.series[pairs] = float(match[match.lastindex or 0])
    assert family.kind != "counter" or family.series[pairs] >= 0, line


def unescaped(value: str) -> str:
    return re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], value)
