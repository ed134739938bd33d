# SPDX-License-Identifier: Apache-2.0
"""How many flow ids are enough to have found all routers that flows are spread over: MDA's stopping rule.

Augustin, Friedman, Teixeira: Measuring load-balanced paths in the Internet, 2007.  A hop at which k
routers were found is done with when so many flow ids went there that of k + 1 equally likely ones all
would have been found, but for 1 - confidence.  Nothing here knows what a probe is.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import count


def missing(probes: int, routers: int) -> float:
    """The chance that so many probes, each by one of so many routers at random, leave one of them unseen."""
    terms = (
        (-1) ** (unseen + 1) * math.comb(routers, unseen) * (1 - unseen / routers) ** probes
        for unseen in range(1, routers + 1)
    )
    return math.fsum(terms)


@lru_cache(maxsize=1024)
def enough(routers: int, confidence: float) -> int:
    """n_k: the least number of flow ids with which so many routers would all have been found: 6, 11, 16, 21 of 95 %."""
    return next(probes for probes in count(routers) if missing(probes, routers) <= 1 - confidence)


def repeats(routers: int, confidence: float) -> int:
    """So many packets that each take one of these routers at random are not all those of before: 5 of two, at 95 %."""
    return math.ceil(math.log(1 - confidence) / math.log(1 / routers) - 1e-9)
