# SPDX-License-Identifier: Apache-2.0
"""What was wrong or unknown in a batch, counted by name.

Reasons and names are those of ``cursor``; a structure without a layout has a name only as far as
``NAMED`` of them go, so that forged numbers do not make a table of their own.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from fleutan.protocols.sflow.cursor import Reason
from fleutan.protocols.spans import Ints, Mask

#: How often each was found: a reason, and in which structure.
Problems = Counter[tuple[Reason, str]]
#: How many different unknown numbers a batch names, and what the others are called.
NAMED, OTHERS = 64, "others"


def names_of(tags: Ints) -> Counter[str]:
    """How often each number occurs, as ``enterprise:format``; the most frequent ones."""
    if not len(tags):
        return Counter()
    found, counts = np.unique(tags, return_counts=True)
    common = np.argsort(-counts, kind="stable")
    named = zip(found[common[:NAMED]].tolist(), counts[common[:NAMED]].tolist(), strict=True)
    names = Counter({f"{tag >> 12}:{tag & 0xFFF}": count for tag, count in named})
    if len(found) > NAMED:
        names[OTHERS] = int(counts[common[NAMED:]].sum())
    return names


def add(problems: Problems, reason: Reason, structure: str, where: Mask) -> None:
    """Counts the rows of ``where``."""
    if count := int(np.count_nonzero(where)):
        problems[reason, structure] += count


def add_by_name(problems: Problems, reason: Reason, tags: Ints) -> None:
    """Counts structures by their numbers."""
    for name, count in names_of(tags).items():
        problems[reason, name] += count
