# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fleutan.query.expression import Everything
from fleutan.query.plan import Listing, Plan


def test_plans_and_listings_are_values_that_mean_all_unless_they_say_less() -> None:
    plan, listing = Plan(1, 2), Listing("records", 1, 2, ("src",))
    assert plan == Plan(1, 2, filter=Everything(), bucket_ns=0, order="", top=0)
    assert len({plan, Plan(1, 2), listing, Listing("records", 1, 2, ("src",))}) == 2
    assert (plan.keys, listing.limit, listing.order) == ((), 0, ("time",))
