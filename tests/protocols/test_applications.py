# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.protocols.applications import (
    LONGEST,
    MEMBERS,
    NAME,
    NOT_JSON,
    NOT_KNOWN,
    TOO_LONG,
    Figures,
    Named,
    Refused,
    Said,
    Transaction,
    read,
)
from fleutan.protocols.sflow.encoder import element, encode_element, encode_sample, sample
from fleutan.protocols.sflow.layouts import FLOWS

OPERATION = {"operation": "buy", "status": 0, "req_bytes": 100, "resp_bytes": 2000.0, "uS": 5000}


def said(**parts: Any) -> list[Said]:
    return read(json.dumps(parts).encode())


def transaction(**more: Any) -> Transaction:
    (one,) = said(flow_sample={"app_name": "shop", "app_operation": OPERATION, **more})
    assert isinstance(one, Transaction)
    return one


def refused(**parts: Any) -> str:
    (one,) = said(**parts)
    assert isinstance(one, Refused)
    return one.reason


def test_a_transaction() -> None:
    more = {"attributes": "user=7", "status_descr": "it went well"}
    one = transaction(sampling_rate=10, client=True, service_port=80, app_operation={**OPERATION, **more})
    assert one[:5] == ("shop", 80, 10, True, 0)
    assert one.structures == (
        (
            "app_operation",
            {
                "application": b"shop",
                "operation": b"buy",
                "attributes": b"user=7",
                "status_descr": b"it went well",
                "status": 0,
                "req_bytes": 100,
                "resp_bytes": 2000,
                "duration": 5000,
            },
        ),
    )


def test_what_is_not_said_of_a_transaction() -> None:
    (one,) = said(flow_sample={"app_name": "shop", "app_operation": {}, "app_initiator": {}, "app_target": None})
    assert isinstance(one, Transaction)
    assert one[:5] == ("shop", 0, 1, False, 0)
    assert dict(one.structures)["app_operation"]["duration"] == 0
    assert len(one.structures) == 1


def test_what_stands_beside_an_operation() -> None:
    one = transaction(
        app_parent_context={"application": "portal", "operation": "visit"},
        app_initiator={"actor": "ü" * 40},
        app_target={"actor": "store"},
        extended_socket_ipv4={"protocol": 6, "local_ip": "192.0.2.1", "remote_port": 443},
        extended_socket_ipv6={"remote_ip": "::1"},
    )
    assert one.structures[1:] == (
        ("app_parent_context", {"application": b"portal", "operation": b"visit", "attributes": b""}),
        ("app_initiator", {"actor": ("ü" * 32).encode()}),
        ("app_target", {"actor": b"store"}),
        (
            "extended_socket_ipv4",
            {
                "protocol": 6,
                "local_ip": bytes([192, 0, 2, 1]),
                "remote_ip": bytes(4),
                "local_port": 0,
                "remote_port": 443,
            },
        ),
        (
            "extended_socket_ipv6",
            {
                "protocol": 0,
                "local_ip": bytes(16),
                "remote_ip": bytes(15) + b"\1",
                "local_port": 0,
                "remote_port": 0,
            },
        ),
    )


@pytest.mark.parametrize(
    ("status", "expected"), [(0, 0), (10, 10), (11, 1), ("timeout", 2), ("strange", 1), (None, 0), (3.0, 3)]
)
def test_how_it_ended(status: Any, expected: int) -> None:
    assert transaction(app_operation={**OPERATION, "status": status}).status == expected


def test_counters() -> None:
    operations = {"success": 5, "timeout": 1.0, "application": "not it"}
    resources = {"mem_used": 1 << 40, "fd_max": None}
    (one,) = said(counter_sample={"app_name": "shop", "app_operations": operations, "app_resources": resources})
    assert isinstance(one, Figures)
    assert (one.application, one.port, [name for name, _ in one.structures]) == (
        "shop",
        0,
        ["app_operations", "app_resources"],
    )
    found = {name: {key: value for key, value in fields.items() if value is not None} for name, fields in one[2]}
    assert found["app_operations"] == {"application": "shop", "success": 5, "timeout": 1}
    assert found["app_resources"] == {"mem_used": 1 << 40}


def test_metrics() -> None:
    (one,) = said(
        rtmetric={
            "datasource": "web1",
            "metric1": {"type": "counter32", "value": 777},
            "metric2": {"type": "string", "value": "helloworld"},
            "metric3": {"type": "gaugedouble", "value": 1.234},
        }
    )
    assert isinstance(one, Named)
    assert one.layout.name == "rtmetric"
    assert one.values == {
        "datasource": b"web1",
        "metrics": [(b"metric1", (1, 777)), (b"metric2", (0, b"helloworld")), (b"metric3", (6, 1.234))],
    }


def test_a_flow_of_named_values() -> None:
    found = said(rtflow={"sampling_rate": 10, "field1": {"type": "ip", "value": "192.0.2.1"}, "loose": 7})
    assert found[0] == Refused("rtflow: a value is no object")
    assert isinstance(found[1], Named)
    assert found[1].values == {
        "datasource": b"",
        "sampling_rate": 10,
        "sample_pool": 0,
        "attributes": [(b"field1", (2, bytes([192, 0, 2, 1])))],
    }


def test_a_message_may_say_several_things() -> None:
    found = said(counter_sample={"app_name": "shop"}, flow_sample={"app_name": "shop"}, rtmetric=[], rtflow={}, other=1)
    assert found == [
        Refused("flow_sample: no app_operation"),
        Figures("shop", 0, ()),
        Refused("rtmetric: no object"),
        Refused("rtflow: no value"),
    ]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b" " * (LONGEST + 1), TOO_LONG),
        (b"", NOT_JSON),
        (b"\xff\xfe\xfd", NOT_JSON),
        (b"[" * LONGEST, NOT_JSON),
        (b'{"rtmetric": NaN}', NOT_JSON),
        (b'{"flow_sample": ' + b"1" * 9000 + b"}", NOT_JSON),
        (b"[1]", NOT_KNOWN),
        (b"{}", NOT_KNOWN),
        (b'{"flow": {}}', NOT_KNOWN),
    ],
)
def test_messages_that_say_nothing(message: bytes, reason: str) -> None:
    assert read(message) == [Refused(reason)]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"app_name": ""}, "no app_name"),
        ({"app_name": 7}, "no app_name"),
        ({"app_name": "x" * (NAME + 1)}, f"app_name is longer than {NAME} characters"),
        ({"service_port": 65_536}, "service_port is no port"),
        ({"sampling_rate": -1}, "sampling_rate is no whole number of 32 bits"),
        ({"sampling_rate": True}, "sampling_rate is no whole number of 32 bits"),
        ({"app_operation": []}, "app_operation is no object"),
        ({"app_operation": {"operation": 7}}, "operation is no text"),
        ({"app_operation": {"uS": 1 << 32}}, "duration is no whole number of 32 bits"),
        ({"app_operation": {"req_bytes": 1.5}}, "req_bytes is no whole number of 64 bits"),
        ({"app_operation": {"status": 1.5}}, "status is no whole number of 32 bits"),
        ({"extended_socket_ipv4": {"local_ip": "::1"}}, "local_ip is no address of IPv4"),
        ({"extended_socket_ipv6": {"local_ip": 7}}, "local_ip is no address of IPv6"),
    ],
)
def test_transactions_that_are_refused(more: dict[str, Any], reason: str) -> None:
    assert refused(flow_sample={"app_name": "shop", "app_operation": OPERATION, **more}) == f"flow_sample: {reason}"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"datasource": "1web"}, "datasource is not of A-Z a-z 0-9 _ -, or begins with a digit"),
        ({"datasource": "ü"}, "datasource is not of A-Z a-z 0-9 _ -, or begins with a digit"),
        ({"datasource": 7}, "datasource is not of A-Z a-z 0-9 _ -, or begins with a digit"),
        ({"a b": {"type": "string", "value": ""}}, "a name is not 1 to 64 of A-Z a-z 0-9 _ -"),
        ({"x" * 65: {"type": "string", "value": ""}}, "a name is not 1 to 64 of A-Z a-z 0-9 _ -"),
        ({"a": {"value": 1}}, "a type is not known"),
        ({"a": {"type": "mac", "value": "020304050607"}}, "a type is not known"),
        ({"a": {"type": "gauge32"}}, "a value is no gauge32"),
        ({"a": {"type": "string", "value": "x" * 256}}, "a string is longer than 255 octets"),
        ({f"a{n}": {"type": "gauge32", "value": 1} for n in range(MEMBERS)}, f"more than {MEMBERS} values"),
    ],
)
def test_metrics_that_are_refused(more: dict[str, Any], reason: str) -> None:
    message = {"rtmetric": {"good": {"type": "gauge32", "value": 1}, **more}}
    (found,) = read(json.dumps(message, separators=(",", ":")).encode()[:20_000])
    assert found == Refused(f"rtmetric: {reason}")


def test_a_number_without_end_is_no_whole_number() -> None:
    (one,) = read(b'{"flow_sample": {"app_name": "shop", "app_operation": {"req_bytes": 1e400}}}')
    assert one == Refused("flow_sample: req_bytes is no whole number of 64 bits")


KEYS = st.sampled_from(
    [
        *("app_name", "app_operation", "status", "uS", "req_bytes", "sampling_rate", "client", "app_operations"),
        *("success", "app_workers", "datasource", "type", "value", "a", "extended_socket_ipv4", "local_ip"),
        *("service_port", "app_initiator", "actor", "app_parent_context", "application", "operation"),
    ]
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.sampled_from(["gauge32", "shop", "ip", "::1"])
)
TREES = st.recursive(LEAVES, lambda inner: st.one_of(st.lists(inner), st.dictionaries(KEYS, inner)), max_leaves=20)
VALUES = st.dictionaries(st.text("aZ09_-", min_size=1), st.fixed_dictionaries({"type": LEAVES, "value": LEAVES}))
SAMPLES = st.fixed_dictionaries(
    {"app_name": st.one_of(st.text(), LEAVES), "app_operation": st.dictionaries(KEYS, LEAVES)},
    optional={"app_initiator": TREES, "extended_socket_ipv4": st.dictionaries(KEYS, LEAVES), "sampling_rate": LEAVES},
)
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "flow_sample": st.one_of(SAMPLES, TREES),
        "counter_sample": st.one_of(SAMPLES, TREES),
        "rtmetric": st.one_of(VALUES, TREES),
        "rtflow": st.one_of(VALUES, TREES),
    },
)
LAYOUTS = {layout.name: layout for layout in FLOWS}


@given(PARTS)
def test_whatever_is_said_can_be_written_or_is_refused(message: dict[str, Any]) -> None:
    for one in read(json.dumps(message).encode()):
        match one:
            case Transaction():
                assert all(encode_element(element(LAYOUTS[name], fields)) for name, fields in one.structures)
            case Named():
                assert encode_sample(sample(one.layout, one.values))
            case Refused(reason):
                assert len(reason) < 100


@given(st.binary())
def test_no_octets_raise(octets: bytes) -> None:
    assert read(octets)


WHOLE = json.dumps({"flow_sample": {"app_name": "shop", "app_operation": OPERATION}}).encode()


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_no_broken_message_raises(place: int, octet: int) -> None:
    assert read(WHOLE[:place] + bytes([octet]) + WHOLE[place + 1 :])
    assert read(WHOLE[:place]) == [Refused(NOT_JSON)]
