# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from typing import Any

import pytest

from fleutan.exports.sflow.counters import LAYOUTS, sample
from fleutan.observed import ENTITY, HOST, Counters, Source
from fleutan.protocols.sflow.messages import parse

HEAD = bytes.fromhex("00000005 00000001 c0000201 00000000 00000001 00000000 00000001")
OF_HOST = Source(HOST, 1)


def written(structures: dict[str, dict[str, Any]], source: Source = OF_HOST, number: int = 1) -> Any:
    message = parse(HEAD + sample(Counters(source, structures), number))
    assert message.problems == ()
    return message.samples[0]


def test_a_sample_has_the_source_and_its_structures_in_order() -> None:
    found = written({"virt_cpu": {"cpuTime": 5}, "host_parent": {"container_type": 2}}, Source(ENTITY, 100_000), 7)
    assert found.named() == {"sequence_number": 7, "ds_class": 3, "ds_index": 100_000}
    assert [one.layout.name for one in found.elements] == ["virt_cpu", "host_parent"]
    assert found.elements[0].named() == {"state": 0xFFFF_FFFF, "cpuTime": 5, "nrVirtCpu": 0xFFFF_FFFF}


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_of_every_structure_nothing_may_be_known(name: str) -> None:
    (element,) = written({name: {}}).elements
    assert element.layout is LAYOUTS[name]


def test_counters_go_round_and_what_is_not_known_is_all_ones() -> None:
    (element,) = written({"host_cpu": {"cpu_user": (1 << 32) + 5, "load_one": 0.5, "uptime": None}}).elements
    found = element.named()
    assert (found["cpu_user"], found["load_one"], found["uptime"]) == (5, 0.5, 0xFFFF_FFFF)
    assert found["load_five"] == -1.0
    (element,) = written({"host_memory": {"mem_total": None}, "host_disk_io": {"part_max_used": None}}).elements[:1]
    assert element.named()["mem_total"] == (1 << 64) - 1
    (element,) = written({"host_disk_io": {"part_max_used": 9999}}).elements
    assert element.named()["part_max_used"] == 9999
    assert element.named()["disk_total"] == (1 << 64) - 1


def test_a_figure_with_a_sign_stays_within_its_field() -> None:
    (element,) = written({"processor": {"5s_cpu": 1 << 40, "1m_cpu": -(1 << 40)}}).elements
    assert element.named()["5s_cpu"] == (1 << 31) - 1
    assert element.named()["1m_cpu"] == -(1 << 31)
    assert element.named()["5m_cpu"] == -1


def test_text_is_cut_between_characters_and_octets_are_filled_up() -> None:
    (element,) = written({"host_descr": {"hostname": "ä" * 40, "uuid": b"12", "os_release": b"6.18"}}).elements
    found = element.named()
    assert found["hostname"].decode() == "ä" * 32
    assert found["uuid"] == b"12" + bytes(14)
    assert found["os_release"] == b"6.18"
    (element,) = written({"port_name": {"name": "e" + "ä" * 200}}).elements
    assert element.named()["name"].decode() == "e" + "ä" * 127


def test_arrays_are_rows_or_names() -> None:
    mac = bytes(range(6))
    adapters = [{"ifIndex": 2, "mac_address": [mac]}, (3, [mac, mac])]
    (element,) = written({"host_adapters": {"adapters": adapters}}).elements
    assert element.named()["adapters"] == ((2, (mac,)), (3, (mac, mac)))


def test_a_structure_that_there_is_none_of_is_named() -> None:
    with pytest.raises(KeyError, match="host_weather"):
        sample(Counters(Source(HOST, 1), {"host_weather": {}}), 1)


def test_a_float_is_a_float() -> None:
    (element,) = written({"host_cpu": {"load_one": 1 / 3}}).elements
    assert math.isclose(element.named()["load_one"], 1 / 3, rel_tol=1e-6)
