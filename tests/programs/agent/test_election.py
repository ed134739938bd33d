# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from itertools import pairwise, permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.config import Agent
from fleutan.config.agents import prefix
from fleutan.programs.agent.election import KINDS, Elected, elect
from fleutan.sources.addresses import Address


def at(text: str, device: str = "eth0", ifindex: int = 2, **more: Any) -> Address:
    return Address(ip_address(text), device, ifindex, **more)


def elected(*addresses: Address, held: Elected | None = None, **said: Any) -> str:
    found = elect(replace(Agent(), **said), addresses, held)
    return str(found.address) if found else ""


def why(*addresses: Address, **said: Any) -> str:
    found = elect(replace(Agent(), **said), addresses)
    assert found is not None
    return found.why


#: One of each kind, the best first.
EACH = [
    at("198.51.100.1"),
    at("10.0.0.1"),
    at("2001:db8::1"),
    at("fd00::1"),
    at("198.51.100.2", "eth0.5", 3, kind="vlan"),
    at("2001:db8::2", "eth0.5", 3, kind="vlan"),
    at("fe80::1"),
    at("169.254.0.1"),
    at("127.0.0.1", "lo", 1, loopback=True),
    at("::1", "lo", 1, loopback=True),
    at("240.0.0.1"),
]


@pytest.mark.parametrize(("better", "worse"), [*pairwise(EACH)])
def test_kinds_have_an_order(better: Address, worse: Address) -> None:
    for pair in permutations((better, worse)):
        assert elected(*pair) == str(better.address)
    kinds = KINDS[EACH.index(better)], KINDS[EACH.index(worse)]
    assert why(worse, better) == f"{kinds[0]}, which goes before {kinds[1]}"


@pytest.mark.parametrize("text", ["10.1.2.3", "172.31.0.1", "192.168.1.1", "100.64.0.1", "100.127.255.255"])
def test_private_addresses_go_behind_global_ones_only(text: str) -> None:
    assert elected(at(text), at("2001:db8::1"), at("172.32.0.1")) == "172.32.0.1"
    assert elected(at(text), at("2001:db8::1")) == text


def test_an_overlay_networks_address_does_not_go_before_the_hosts_own() -> None:
    assert elected(at("100.100.1.1", "tailscale0", 7), at("192.168.1.5")) == "192.168.1.5"


def test_a_private_address_of_a_vlan_is_that_of_a_vlan() -> None:
    assert elected(at("10.0.0.1", "eth0.5", 3, kind="vlan"), at("fd00::1")) == "fd00::1"


@pytest.mark.parametrize("text", ["224.0.0.1", "ff02::1", "0.0.0.0", "::"])  # noqa: S104  # nobody is known by it
def test_what_nobody_can_be_known_by_is_not_elected(text: str) -> None:
    assert elected(at(text)) == ""
    assert elected() == ""


def test_what_is_not_confirmed_is_not_elected() -> None:
    assert elected(at("2001:db8::1", usable=False), at("fe80::1")) == "fe80::1"


TIES = [
    (at("2001:db8::1", deprecated=True), at("2001:db8::2", ifindex=9), "it is not deprecated"),
    (at("2001:db8::1", temporary=True), at("2001:db8::2", ifindex=9), "it is not temporary"),
    (at("2001:db8::1", automatic=True), at("2001:db8::2", ifindex=9), "it was not given by a router"),
    (at("192.0.2.1", ifindex=9), at("192.0.2.2", ifindex=8), "its ifIndex is the lowest"),
]


@pytest.mark.parametrize(("worse", "better", "rule"), TIES)
def test_ties(worse: Address, better: Address, rule: str) -> None:
    assert elected(worse, better) == elected(better, worse) == str(better.address)
    assert why(worse, better).endswith(f"; {rule}, unlike {worse.address} (eth0)")


def test_the_first_found_is_the_last_rule() -> None:
    assert elected(at("192.0.2.9"), at("192.0.2.1")) == "192.0.2.9"
    assert why(at("192.0.2.9"), at("192.0.2.1")) == "IPv4 global; it was found first, unlike 192.0.2.1 (eth0)"
    assert why(at("192.0.2.9")) == why(at("192.0.2.9"), at("192.0.2.9", "eth1", 3)) == "IPv4 global, the only one"


# -- what is said


def test_an_address_that_is_said_is_taken_whether_it_is_there_or_not() -> None:
    agent = replace(Agent(), address="10.0.0.1")
    here, elsewhere = elect(agent, EACH), elect(agent, [])
    assert (str(here), str(elsewhere)) == (
        "10.0.0.1 (eth0): address says so",
        "10.0.0.1: address says so, though no device has it",
    )


def test_a_device_that_is_said_goes_before_kinds() -> None:
    found = [at("192.0.2.1"), at("fe80::1", "eth1", 3)]
    assert elected(*found, device="eth1") == "fe80::1"
    assert why(*found, device="eth1") == "IPv6 link-local of eth1, which device says"
    assert elected(*found, device="eth2") == "192.0.2.1"
    assert why(*found, device="eth2") == "IPv4 global; eth2, which device says, has none"


def test_networks_are_preferred_in_their_order_and_demoted_ones_come_last() -> None:
    found = [at("192.0.2.1"), at("10.0.0.1"), at("172.16.0.1")]
    first = tuple(map(prefix, ("172.16.0.0/12", "10.0.0.0/8")))
    assert elected(*found, prefer=first) == "172.16.0.1"
    assert why(*found, prefer=first) == "IPv4 private in 172.16.0.0/12, which prefer has"
    last = (prefix("!192.0.2.0/24"),)
    assert elected(*found, prefer=last) == "10.0.0.1"
    assert why(*found[:2], prefer=last) == "IPv4 private; prefer has 192.0.2.1 (eth0) last"
    assert elected(found[0], prefer=last) == "192.0.2.1"


def test_the_longest_network_that_has_an_address_counts() -> None:
    found = [at("10.0.0.1"), at("10.1.0.1", "eth1", 3)]
    for said in (("10.1.0.0/16", "10.0.0.0/8"), ("!10.0.0.0/8", "10.1.0.0/16")):
        assert elected(*found, prefer=tuple(map(prefix, said))) == "10.1.0.1"
    assert elected(*found, prefer=(prefix("2001:db8::/32"),)) == "10.0.0.1"


# -- it stays


def held(text: str, device: str = "eth0") -> Elected:
    return Elected(ip_address(text), device, "as before")


def test_what_was_elected_stays_when_a_better_one_comes() -> None:
    assert elected(at("10.0.0.1", "eth1", 3), at("192.0.2.1"), held=held("10.0.0.1", "eth1")) == "10.0.0.1"
    assert elect(Agent(), [at("10.0.0.1")], held("10.0.0.1")) == held("10.0.0.1")
    assert elect(Agent(), [at("10.0.0.1", "eth1")], held("10.0.0.1")) == held("10.0.0.1", "eth1")


@pytest.mark.parametrize("text", ["fe80::1", "169.254.0.1", "127.0.0.1"])
def test_what_is_good_for_its_link_only_gives_way(text: str) -> None:
    assert elected(at(text), at("192.0.2.1"), held=held(text)) == "192.0.2.1"
    assert elected(at(text), at(text, "eth1", 1), held=held(text)) == text


def test_what_has_gone_or_lost_its_confirmation_gives_way() -> None:
    assert elected(at("192.0.2.1"), held=held("10.0.0.1")) == "192.0.2.1"
    assert elected(at("2001:db8::1", usable=False), at("fe80::1"), held=held("2001:db8::1")) == "fe80::1"


def test_what_is_asked_for_is_taken_when_it_comes() -> None:
    found = [at("192.0.2.1"), at("10.0.0.1", "eth1", 3)]
    before = held("192.0.2.1")
    assert elected(*found, held=before, device="eth1") == "10.0.0.1"
    assert elected(*found, held=before, prefer=(prefix("10.0.0.0/8"),)) == "10.0.0.1"
    assert elected(*found, held=before, prefer=(prefix("!192.0.2.0/24"),)) == "10.0.0.1"


ANY = st.builds(
    Address,
    st.ip_addresses(),
    st.sampled_from(["eth0", "eth1", "lo"]),
    st.integers(1, 5),
    st.sampled_from(["", "vlan"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


@given(st.lists(ANY, max_size=8), st.data())
def test_it_does_not_flap_whatever_the_order(addresses: list[Address], data: st.DataObject) -> None:
    first = elect(Agent(), addresses)
    again = elect(Agent(), data.draw(st.permutations(addresses)), first)
    assert (first and first.address) == (again and again.address)
