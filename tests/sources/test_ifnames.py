# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
import struct

import numpy as np
import pytest
from tests.captures import CAPTURES, needs_captures, udp_payloads
from tests.exporting import AGENT, EXPORTER, batch, halves
from tests.protocols.netflow.making import options_9, options_10, set_of, v9, v10

from fleutan.column import Column
from fleutan.protocols.sflow import columns as sflow
from fleutan.sources import ifnames as limits
from fleutan.sources.exported import Decoded, Exporters, decoded
from fleutan.sources.ifnames import LETTERS, Interface, Interfaces


def device(text: str) -> tuple[int, int]:
    high, low = halves(text)[0].tolist()
    return high, low


def learned(*payloads: bytes) -> dict[Interface, str]:
    found = Interfaces()
    found.learn(decoded(batch(*payloads), Exporters()))
    return found.names


def test_options_of_netflow_9_name_interfaces() -> None:
    template = set_of(1, options_9(256, ((1, 4),), (10, 4), (82, 12), (83, 8)))
    records = [struct.pack("!II12s8s", 1, number, name, b"slow") for number, name in ((3, b"Gi0/3"), (700, b"Te1/0/1"))]
    ours = device(EXPORTER)
    assert learned(v9(template), v9(set_of(256, *records))) == {
        Interface(*ours, 3): "Gi0/3",
        Interface(*ours, 700): "Te1/0/1",
    }


def test_options_of_ipfix_have_names_of_any_length_and_descriptions_where_there_are_none() -> None:
    named = set_of(3, options_10(256, 1, (10, 4), (82, 0xFFFF)))
    described = set_of(3, options_10(257, 1, (14, 2), (83, 8)))
    records = struct.pack("!IB4s", 3, 4, b"eth3"), struct.pack("!H8s", 4, b"uplink")
    found = learned(v10(named, described, set_of(256, records[0]), set_of(257, records[1])))
    assert list(found.values()) == ["eth3", "uplink"]


def test_scopes_may_be_the_interface() -> None:
    template = set_of(1, options_9(256, ((2, 4),), (82, 4)))
    assert list(learned(v9(template), v9(set_of(256, struct.pack("!I4s", 9, b"wan"))))) == [
        Interface(*device(EXPORTER), 9)
    ]


def counters(*names: tuple[int, bytes]) -> bytes:
    """A datagram of sFlow 5 with a counter sample of each data source that has a port_name."""
    samples = b""
    for source, name in names:
        padded = name + bytes(-len(name) % 4)
        structure = struct.pack("!III", 1005, 4 + len(padded), len(name)) + padded
        sample = struct.pack("!III", 1, source, 1) + structure
        samples += struct.pack("!II", 2, len(sample)) + sample
    agent = bytes(map(int, AGENT.split(".")))
    return struct.pack("!II4sIIII", 5, 1, agent, 0, 7, 1000, len(names)) + samples


def test_counters_of_sflow_name_interfaces_of_the_agent() -> None:
    payload = counters((5, b"swp5"), (1 << 24 | 6, b"vlan6"))
    assert learned(payload) == {Interface(*device(AGENT), 5): "swp5"}
    found, both = Interfaces(), decoded(batch(payload), Exporters())
    assert both.sflow is not None
    found.learn(both, sflow.counters(both.sflow))
    assert found.names == learned(payload)


def test_other_records_name_nothing() -> None:
    template = set_of(1, options_9(256, ((1, 4),), (10, 4), (34, 4)))
    assert learned(v9(template), v9(set_of(256, bytes(12))), counters()) == {}


@needs_captures
def test_an_exporter_of_netflow_9_names_its_interfaces() -> None:
    found = learned(*udp_payloads("netflow/telegraf_netflow_v9_options.pcap"))
    expected = (CAPTURES / "netflow" / "telegraf_netflow_v9_options.expected.out").read_text()
    told = re.findall(r'in_snmp=([0-9]+)u,interface="([^"]*)"', expected)
    assert told
    assert sorted((str(one.number), name) for one, name in found.items()) == sorted(told)


@needs_captures
def test_an_exporter_of_sflow_names_its_interfaces() -> None:
    found = learned(*udp_payloads("sflow/host-sflow-live.pcap"))
    text = (CAPTURES / "sflow" / "host-sflow-live.sflowtool-text").read_text()
    assert set(found.values()) == set(re.findall("^ifName (.*)$", text, re.MULTILINE))


@needs_captures
def test_a_physical_entity_is_no_interface() -> None:
    assert learned(*udp_payloads("sflow/every-structure.pcap")) == {}


# -- what is kept


def test_names_are_text_of_one_line_and_of_a_bounded_length() -> None:
    found = Interfaces()
    for name in ("", "\0\n", " \t "):
        found.put(Interface(0, 1, 2), name)
    assert found.names == {}
    found.put(Interface(0, 1, 2), "a\nb\x1b[31m" + "x" * 1000)
    assert found.names[Interface(0, 1, 2)].startswith("ab[31mx")
    assert len(found.names[Interface(0, 1, 2)]) <= LETTERS


def test_names_are_bounded_but_may_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "NAMES", 2)
    found = Interfaces()
    for index in range(5):
        found.put(Interface(0, 1, index), "a")
    found.put(Interface(0, 1, 0), "b")
    assert found.names == {Interface(0, 1, 0): "b", Interface(0, 1, 1): "a"}


def test_what_changed_is_told_once() -> None:
    found = Interfaces()
    found.put(Interface(0, 1, 2), "a")
    assert found.taken() == [(Interface(0, 1, 2), "a")]
    found.put(Interface(0, 1, 2), "a")
    assert found.taken() == []
    found.again([Interface(0, 1, 2)])
    assert found.taken() == [(Interface(0, 1, 2), "a")]


def test_a_column_has_the_name_of_each_row() -> None:
    found = Interfaces()
    found.put(Interface(*device("10.0.0.1"), 1), "a")
    found.put(Interface(*device("10.0.0.2"), 1), "b")
    devices = Column(halves("10.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.3", "10.0.0.1"))
    indexes = Column(np.array([1, 1, 1, 1, 1]), np.array([True, True, True, True, False]))
    names = found.column(devices, indexes)
    assert [None if code < 0 else (names.words or ())[code] for code in names.values] == ["a", "b", "a", None, None]
    none = Column(np.zeros((0, 2), np.int64)), Column(np.zeros(0, np.int64))
    assert len(found.column(*none).values) == 0


def test_a_batch_of_nothing_names_nothing() -> None:
    assert learned() == {}
    assert isinstance(decoded(batch(), Exporters()), Decoded)
