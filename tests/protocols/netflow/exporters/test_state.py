# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.netflow.making import PLAIN, specifiers

from fleutan.protocols.netflow.exporters import state as limits
from fleutan.protocols.netflow.exporters.state import DOMAINS, IDLE_NS, OCTETS, TEMPLATES, TOLD, State, restore
from fleutan.protocols.netflow.wire import rejects
from fleutan.protocols.netflow.wire.templates import FIELDS, Scope, Template

SCOPE = Scope(9, 0, 1, 0, 7)
PLAIN_9 = Template(9, False, 0, specifiers(*PLAIN))
OTHER_9 = Template(9, True, 1, specifiers((1, 4), (34, 4)))


def test_a_template_holds_until_it_is_changed_or_withdrawn() -> None:
    state = State()
    assert state.template(SCOPE, 256) is None
    assert state.learn(SCOPE, 256, PLAIN_9, 0) is None
    assert state.template(SCOPE, 256) == PLAIN_9
    assert state.template(SCOPE._replace(domain=8), 256) is None
    state.learn(SCOPE, 256, OTHER_9, 0)
    assert state.template(SCOPE, 256) == OTHER_9
    assert state.withdraw(SCOPE, 256) == OTHER_9
    assert state.withdraw(SCOPE, 256) is None
    assert state.withdraw(SCOPE._replace(domain=8), 256) is None
    assert (state.numbers(SCOPE), state.numbers(SCOPE._replace(domain=8))) == ([], [])


def test_templates_of_one_exporter_are_bounded_but_may_be_sent_again() -> None:
    state = State()
    for number in range(256, 256 + TEMPLATES):
        assert state.learn(SCOPE, number, PLAIN_9, 0) is None
    assert state.learn(SCOPE, 256 + TEMPLATES, PLAIN_9, 0) == rejects.TEMPLATES
    assert state.learn(SCOPE, 256, OTHER_9, 0) is None
    assert len(state.numbers(SCOPE)) == TEMPLATES


def test_exporters_are_bounded_and_one_that_is_silent_makes_room() -> None:
    state = State()
    for domain in range(DOMAINS):
        state.learn(SCOPE._replace(domain=domain), 256, PLAIN_9, domain)
    new = SCOPE._replace(domain=DOMAINS)
    assert state.learn(new, 256, PLAIN_9, IDLE_NS - 1) == rejects.EXPORTERS
    # The first says again that it is there, so the second is the one that is silent.
    state.learn(SCOPE._replace(domain=0), 256, PLAIN_9, IDLE_NS)
    assert state.learn(new, 256, PLAIN_9, IDLE_NS + 1) is None
    assert state.template(SCOPE._replace(domain=0), 256) == PLAIN_9
    assert state.template(SCOPE._replace(domain=1), 256) is None
    assert len(state.domains) == DOMAINS


def test_octets_of_all_templates_are_bounded_and_free_again_when_withdrawn() -> None:
    state = State()
    large = Template(9, False, 0, specifiers(*[(1, 4)] * FIELDS))
    weight = len(large.specifiers) + 256
    learned = [(domain, number) for domain in range(20) for number in range(256, 256 + TEMPLATES)]
    reasons = [state.learn(SCOPE._replace(domain=domain), number, large, 0) for domain, number in learned]
    assert reasons.count(None) == OCTETS // weight
    assert set(reasons) == {None, rejects.ROOM}
    state.withdraw(SCOPE._replace(domain=0), 256)
    assert state.learn(SCOPE._replace(domain=30), 256, large, 0) is None
    assert state.learn(SCOPE._replace(domain=30), 257, large, 0) == rejects.ROOM


def test_what_is_told_is_bounded_and_needs_an_exporter() -> None:
    state = State()
    state.tell(SCOPE, ("sampler", 1), 100)
    assert not state.domains
    state.learn(SCOPE, 256, PLAIN_9, 0)
    for number in range(TOLD + 5):
        state.tell(SCOPE, ("sampler", number), 100)
    state.tell(SCOPE, ("sampler", 0), 200)
    told = state.domains[SCOPE].told
    assert (len(told), told["sampler", 0]) == (TOLD, 200)


def test_an_hour_of_many_exporters_goes_through_json_and_back() -> None:
    state = State()
    for domain in range(3):
        state.learn(SCOPE._replace(domain=domain), 256, PLAIN_9, 5)
        state.learn(SCOPE._replace(domain=domain, version=10, port=9), 300, OTHER_9._replace(version=10), 6)
        state.tell(SCOPE._replace(domain=domain), ("sampler", domain), 100)
    plain = json.loads(json.dumps(state.dump()))
    again = restore(plain)
    assert again.dump() == state.dump() == plain
    assert again.domains.keys() == state.domains.keys()
    assert [one.weight for one in again.domains.values()] == [one.weight for one in state.domains.values()]


BROKEN: tuple[dict[str, Any], ...] = (
    {},
    {"domains": 7},
    {"domains": [7, None, {}, {"version": "x"}]},
)


@pytest.mark.parametrize("plain", BROKEN)
def test_what_is_broken_is_left_out(plain: dict[str, Any]) -> None:
    assert restore(plain).dump() == {"domains": []}


@pytest.mark.parametrize("broken", ["0100", "01000001000100", "0100000100010001", "zz", 7, ""])
def test_a_template_that_would_not_be_read_from_the_wire_is_not_restored(broken: object) -> None:
    state = State()
    state.learn(SCOPE, 257, PLAIN_9, 0)
    plain = state.dump()
    plain["domains"][0]["templates"].append(broken)
    assert restore(plain).numbers(SCOPE) in ([257], [])
    assert restore(plain).template(SCOPE, 256) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.data())
def test_any_value_in_the_place_of_another_is_no_error(data: st.DataObject) -> None:
    state = State()
    state.learn(SCOPE, 256, PLAIN_9, 0)
    state.tell(SCOPE, ("sampler", 1), 5)
    plain = state.dump()
    entry = plain["domains"][0]
    entry[data.draw(st.sampled_from(sorted(entry)))] = data.draw(JSON)
    restore(plain)


def test_limits_are_such_that_all_of_them_fit_into_memory() -> None:
    assert limits.OCTETS <= 64 << 20
