# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.config import Agent
from fleutan.config.agents import Application, Sampling, Tap, bits
from fleutan.programs.agent.rates import Interface, Rate, named, of_application, rate, speed_text

TEN = Interface("eth0", 2, speed=10**10)
ONE = TEN._replace(speed=10**9)
ONLY = "sampling counts only where the speed is unknown"

RATES: list[tuple[Sampling, Interface, str]] = [
    (Sampling(20), TEN, f"1 in 10,000: 10 Gbit/s / 1,000,000; {ONLY}"),
    (Sampling(), ONE, f"1 in 1,000: 1 Gbit/s / 1,000,000; {ONLY}"),
    (Sampling(), TEN._replace(speed=10**7), f"1 in 100: 10 Mbit/s / 1,000,000 is below the least, 100; {ONLY}"),
    (Sampling(), TEN._replace(speed=10**8), f"1 in 100: 100 Mbit/s / 1,000,000; {ONLY}"),
    (Sampling(20), TEN._replace(speed=None), "1 in 20: sampling, since its speed is unknown"),
    (Sampling(20), TEN._replace(speed=0), "1 in 20: sampling, since its speed is unknown"),
    (Sampling(0), TEN._replace(speed=None), "none: sampling, since its speed is unknown"),
    (Sampling(20), TEN._replace(up=False), "none: eth0 is down"),
    (Sampling(), TEN._replace(up=None), f"1 in 10,000: 10 Gbit/s / 1,000,000; {ONLY}"),
    (Sampling(speeds={10**10: 5}), TEN, "1 in 5: sampling.10G"),
    (Sampling(speeds={10**10: 5}), ONE, f"1 in 1,000: 1 Gbit/s / 1,000,000; {ONLY}"),
    (Sampling(speeds={10**10: 0}), TEN, "none: sampling.10G"),
    (Sampling(speeds={2_500_000_000: 5}), TEN._replace(speed=2_500_000_000), "1 in 5: sampling.2.5G"),
    (
        Sampling(speeds={2 * 10**9: 5}),
        TEN._replace(speed=2_500_000_000),
        "1 in 5: sampling.2G, which 2.5 Gbit/s counts as",
    ),
    (Sampling(20, 0), TEN, "1 in 20: sampling, since sampling.bps_ratio = 0 has its speed not count"),
    (Sampling(20, 10**7), TEN, "1 in 1,000: 10 Gbit/s / 10,000,000 (sampling.bps_ratio)"),
    (Sampling(20, 10**11), TEN, "1 in 1: 10 Gbit/s / 100,000,000,000 (sampling.bps_ratio)"),
    (Sampling(20, 0, {10**10: 7}), TEN, "1 in 7: sampling.10G"),
    (Sampling(devices={"eth*": 7, "eth0": 8}), TEN, "1 in 7: sampling.devices has eth*"),
    (
        Sampling(devices={"eth1": 7}, bps_ratio=0),
        TEN,
        "1 in 400: sampling, since sampling.bps_ratio = 0 has its speed not count",
    ),
    (Sampling(devices={"eth0": 7}), TEN._replace(up=False), "none: eth0 is down"),
]


@pytest.mark.parametrize(("sampling", "interface", "expected"), RATES)
def test_the_rate_and_the_rule_that_gave_it(sampling: Sampling, interface: Interface, expected: str) -> None:
    assert str(rate(sampling, interface)) == expected


def test_what_asks_for_packets_goes_before_all_but_that_it_is_down() -> None:
    tap = Tap("eth0", sampling=3)
    said = Sampling(devices={"eth0": 7})
    assert rate(said, TEN, tap) == Rate(3, "said where its packets are asked for")
    assert rate(said, TEN, Tap("eth0")).one_in == 7
    assert rate(said, TEN._replace(up=False), tap).one_in == 0


@pytest.mark.parametrize(
    ("speed", "text"),
    [
        (10**10, "10 Gbit/s"),
        (2_500_000_000, "2.5 Gbit/s"),
        (999, "999 bit/s"),
        (10**17, "100 Pbit/s"),
        (56_000, "56 kbit/s"),
    ],
)
def test_speeds_as_people_write_them(speed: int, text: str) -> None:
    assert speed_text(speed) == text


@given(st.integers(1, 999), st.sampled_from([1, 10**3, 10**6, 10**9, 10**12]))
def test_a_speed_is_named_as_it_is_read(number: int, unit: int) -> None:
    assert bits(named(number * unit)) == number * unit


@given(st.integers(1, 1 << 62), st.one_of(st.none(), st.integers(0, 1 << 40)))
def test_every_known_speed_has_a_rate(speed: int, ratio: int | None) -> None:
    found = rate(Sampling(400, ratio), TEN._replace(speed=speed))
    assert found.one_in >= (400 if ratio == 0 else 100 if ratio is None else 1)
    assert bits(named(speed)) == speed


APPS = replace(
    Agent(),
    applications={"app.a": Application(10, 20), "app.a.b": Application(polling=5), "http": Application(7)},
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a", Application(10, 20)),
        ("a.x", Application(10, 20)),
        ("a.b.c", Application(10, 5)),
        ("ab", Application(400, 30)),
        ("http", Application(400, 30)),
        ("", Application(400, 30)),
    ],
)
def test_an_application_has_what_the_longest_name_says(name: str, expected: Application) -> None:
    assert of_application(APPS, name) == expected
