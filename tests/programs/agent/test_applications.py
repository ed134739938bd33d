# SPDX-License-Identifier: Apache-2.0
"""What applications send goes out as sFlow that this project's own decoder reads."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from fleutan.config.agents import Application
from fleutan.exports.sflow import counters as samples_of
from fleutan.exports.sflow.datagrams import Datagrams
from fleutan.observed import Source
from fleutan.programs.agent.applications import (
    FIRST,
    MOST,
    NUMBERS,
    OWN,
    REASONS,
    SILENT,
    TOO_MANY,
    Applications,
    Sampled,
    rates,
)
from fleutan.programs.agent.listening import Listening
from fleutan.protocols.sflow.messages import parse
from fleutan.protocols.sflow.samples import Sample


@pytest.fixture
def listening() -> Iterator[Listening]:
    with Listening(0) as made:
        yield made


def sent(listening: Listening, *messages: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for one in messages:
            client.sendto(json.dumps(one).encode(), ("127.0.0.1", listening.port or 0))


def bought(name: str = "shop", **more: Any) -> dict[str, Any]:
    operation = {"operation": "buy", "status": more.pop("status", 0), "req_bytes": 1, "resp_bytes": 2, "uS": 3}
    return {"flow_sample": {"app_name": name, "app_operation": operation, **more}}


def figures(name: str = "shop", **more: Any) -> dict[str, Any]:
    return {"counter_sample": {"app_name": name, **more}}


def every(name: str) -> int:
    return 1


def decoded(samples: Iterable[bytes]) -> list[Sample]:
    datagrams = Datagrams(bytes([192, 0, 2, 1]), 1, 1400)
    messages = [parse(one) for one in (*datagrams.add(samples, 0), *datagrams.flush(0))]
    assert all(one.problems == () for one in messages)
    return [sample for one in messages for sample in one.samples]


def source(applications: Applications) -> Source:
    (one,) = applications.sources()
    return one


def counters(applications: Applications) -> dict[str, dict[str, Any]]:
    """What is told of the only application; what is unknown is left out."""
    found = [*applications.read(applications.sources())]
    return {
        name: {key: value for key, value in fields.items() if value is not None}
        for one in found
        for name, fields in one.structures.items()
    }


def test_a_transaction_is_a_sample(listening: Listening) -> None:
    applications = Applications(listening, every)
    socket_ = {"protocol": 6, "local_ip": "192.0.2.1", "remote_ip": "192.0.2.2", "local_port": 80, "remote_port": 9}
    sent(
        listening,
        bought(app_target={"actor": "store"}, extended_socket_ipv4=socket_, status=8),
        bought(client=True, sampling_rate=5),
    )
    one, other = decoded(applications.samples(1.0))
    number = source(applications).ds_index
    assert FIRST <= number < FIRST + NUMBERS
    assert one.named() == {
        "sequence_number": 1,
        "ds_class": 3,
        "ds_index": number,
        "sampling_rate": 1,
        "sample_pool": 1,
        "drops": 0,
        "input_format": 0,
        "input_value": 0,
        "output_format": 0,
        "output_value": 0x3FFFFFFF,
    }
    assert [element.layout and element.layout.name for element in one.elements] == [
        *("app_operation", "app_target", "extended_socket_ipv4")
    ]
    assert one.elements[0].named() == {
        "application": b"shop",
        "operation": b"buy",
        "attributes": b"",
        "status_descr": b"",
        "req_bytes": 1,
        "resp_bytes": 2,
        "duration": 3,
        "status": 8,
    }
    assert one.elements[2].named()["remote_ip"] == bytes([192, 0, 2, 2])
    second = other.named()
    assert (second["sequence_number"], second["sampling_rate"], second["sample_pool"]) == (2, 5, 6)
    assert (second["input_value"], second["output_value"]) == (0x3FFFFFFF, 0)


def test_named_figures_are_samples(listening: Listening) -> None:
    applications = Applications(listening, every)
    values = {"hits": {"type": "counter64", "value": "0x10"}, "name": {"type": "string", "value": "ü"}}
    flow = {"who": {"type": "ip6", "value": "::1"}, "mac": {"type": "mac", "value": "02:00:00:00:00:01"}}
    sent(listening, {"rtmetric": {"datasource": "web", **values}, "rtflow": {"sampling_rate": 7, **flow}})
    one, other = decoded(applications.samples(1.0))
    assert one.layout
    assert other.layout
    assert (one.layout.name, one.named()) == (
        "rtmetric",
        {"datasource": b"web", "metrics": ((b"hits", (2, 16)), (b"name", (0, "ü".encode())))},
    )
    assert (other.layout.name, other.named()["sampling_rate"]) == ("rtflow", 7)
    assert other.named()["attributes"] == ((b"who", (3, bytes(15) + b"\1")), (b"mac", (1, b"\2\0\0\0\0\1")))
    assert applications.sources() == []


def test_the_rate_stays_honest_with_a_second_stage(listening: Listening) -> None:
    chance = random.Random(7)  # noqa: S311  # the same numbers each time
    applications = Applications(listening, lambda _: 40, chance.random)
    told: list[Sampled] = []
    for _ in range(40):
        sent(listening, *[bought(sampling_rate=3)] * 100)
        told += [one for one in applications.take(1.0) if isinstance(one, Sampled)]
    assert {one.rate for one in told} == {39}
    pool = 40 * 100 * 3
    assert told[-1].pool <= pool
    assert 250 < len(told) < 370
    assert abs(len(told) * 39 - pool) < pool / 10
    assert [one.pool for one in told] == sorted({one.pool for one in told})


def test_an_application_that_samples_more_coarsely_is_told_as_it_is(listening: Listening) -> None:
    applications = Applications(listening, lambda _: 10, lambda: 0.999)
    sent(listening, bought(sampling_rate=100))
    (one,) = applications.take(1.0)
    assert isinstance(one, Sampled)
    assert (one.rate, one.pool) == (100, 100)


def test_none_is_none_but_counted(listening: Listening) -> None:
    applications = Applications(listening, lambda _: 0)
    sent(listening, bought(sampling_rate=4))
    assert applications.take(1.0) == []
    assert len(applications.sources()) == 1
    applications.set_rates(every)
    sent(listening, bought())
    (one,) = applications.take(1.0)
    assert isinstance(one, Sampled)
    assert one.pool == 5


@pytest.mark.parametrize(
    ("name", "expected"),
    [("shop", 10), ("shop.basket.add", 20), ("shop.basketry", 10), ("shopping", 400), ("polled", 400), ("x", 400)],
)
def test_the_deepest_prefix_says_the_rate(name: str, expected: int) -> None:
    said = {"app.shop": Application(10), "app.shop.basket": Application(20), "app.polled": Application(None, 5)}
    assert rates(said, 400)(name) == expected
    assert rates({"app": Application(3)}, 400)(name) == 3


def test_own_counters_are_told_once_each(listening: Listening) -> None:
    applications = Applications(listening, every)
    sent(listening, figures(app_operations={"success": 5}, app_workers={"workers_idle": 2}))
    assert applications.samples(1.0) == []
    assert counters(applications) == {
        "app_operations": {"application": "shop", "success": 5},
        "app_workers": {"workers_idle": 2},
        "host_parent": {"container_type": 2, "container_index": 1},
    }
    assert counters(applications) == {}
    sent(listening, figures(app_operations={"success": 6}))
    applications.samples(2.0)
    (found,) = applications.read(applications.sources())
    assert found.labels == {"app": "shop"}
    elements = decoded([samples_of.sample(found, 1)])[0].elements
    assert elements[0].named() | {"timeout": 0} == {
        **dict.fromkeys(elements[0].named(), 0xFFFF_FFFF),
        "application": b"shop",
        "success": 6,
        "timeout": 0,
    }


def test_without_its_own_they_are_made_of_transactions(listening: Listening) -> None:
    applications = Applications(listening, every)
    sent(listening, bought(sampling_rate=10), bought(status=2), bought(status=99))
    applications.samples(1.0)
    assert counters(applications) == {}
    applications.samples(1.0 + OWN)
    for _ in range(2):
        found = counters(applications)
        assert found["app_operations"] == {
            "application": "shop",
            "success": 10,
            "other": 1,
            "timeout": 1,
            "internal_error": 0,
            "bad_request": 0,
            "forbidden": 0,
            "too_large": 0,
            "not_implemented": 0,
            "not_found": 0,
            "unavailable": 0,
            "unauthorized": 0,
        }
        assert [*found] == ["app_operations", "host_parent"]


def test_own_counters_without_operations_are_filled_up(listening: Listening) -> None:
    applications = Applications(listening, every)
    sent(listening, bought(), figures(app_resources={"fd_open": 3}))
    applications.samples(1.0)
    found = counters(applications)
    assert [*found] == ["app_operations", "app_resources", "host_parent"]
    assert found["app_operations"]["success"] == 1


def test_a_change_of_who_counts_is_a_new_beginning(listening: Listening) -> None:
    applications = Applications(listening, every)
    sent(listening, bought(), figures(app_operations={"success": 5000}))
    applications.samples(1.0)
    assert counters(applications)["app_operations"]["success"] == 5000
    applications.samples(1.0 + OWN)
    assert counters(applications) == {}
    assert applications.sources() == []
    assert counters(applications)["app_operations"]["success"] == 1
    sent(listening, figures(app_operations={"success": 5001}))
    applications.samples(2.0 + OWN)
    assert counters(applications) == {}
    assert applications.sources() == []
    assert counters(applications)["app_operations"]["success"] == 5001


def test_numbers_are_ports_or_stay_the_same(listening: Listening) -> None:
    numbers = []
    for _ in range(2):
        applications = Applications(listening, every)
        sent(listening, bought("a"), bought("b", service_port=80), bought("c", service_port=80), bought("a"))
        applications.samples(1.0)
        numbers.append(applications.sources())
    assert numbers[0] == numbers[1]
    assert numbers[0][1] == (3, 80)
    assert all(one.ds_index >= FIRST for one in (numbers[0][0], numbers[0][2]))


def test_there_are_not_too_many_and_the_silent_make_room(listening: Listening) -> None:
    applications = Applications(listening, every)
    for place in range(MOST + 2):
        sent(listening, figures(f"app{place}"))
        applications.samples(1.0)
    assert len(applications.sources()) == MOST
    assert applications.refused == {TOO_MANY: 2}
    sent(listening, bought("too many"))
    assert applications.samples(1.0) == []
    applications.samples(SILENT)
    sent(listening, bought("app1"))
    applications.samples(SILENT)
    applications.samples(2.0 + SILENT + SILENT / 50)
    assert len(applications.sources()) == 1
    sent(listening, bought("new"))
    (one,) = decoded(applications.samples(3.0 + SILENT + SILENT / 50))
    assert one.named()["sequence_number"] == 1


def test_what_is_refused_is_counted_and_said(listening: Listening) -> None:
    applications = Applications(listening, every)
    sent(listening, {"flow_sample": {}}, [], [])
    assert applications.samples(1.0) == []
    assert applications.refused == {"flow_sample: no app_name": 1, "none of the messages that are known": 2}
    assert applications.notes() == [
        "applications: 2 refused: none of the messages that are known",
        "applications: 1 refused: flow_sample: no app_name",
    ]


def test_reasons_are_not_without_end(listening: Listening) -> None:
    applications = Applications(listening, every)
    applications.refused.update({str(number): 1 for number in range(REASONS)})
    sent(listening, [], [])
    applications.samples(1.0)
    assert applications.refused["others"] == 2


class Full(Listening):
    """One that lost some."""

    lost = 3


def test_what_found_no_room_is_said() -> None:
    applications = Applications(Full(None), every)
    assert applications.notes() == ["applications: 3 messages found no room"]
    assert [*applications.read([Source(3, 7)])] == []
