# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from fleutan.exports.metrics import DESCRIBED, FAMILIES, LEFT_OUT, Metric, identity, metrics, unit
from fleutan.observed import ENTITY, HOST, INTERFACE, Counters, Source
from fleutan.protocols.sflow.layouts import COUNTERS

#: What an agent observes on Linux.
OBSERVED = (
    *("host_descr", "host_adapters", "host_parent", "host_cpu", "host_memory", "host_disk_io", "host_net_io"),
    *("mib2_ip_group", "mib2_icmp_group", "mib2_tcp_group", "mib2_udp_group", "virt_node", "virt_cpu", "virt_memory"),
    *("virt_disk_io", "virt_net_io", "nvidia_gpu", "if_counters", "lag_port_stats", "sfp", "pfc", "port_name"),
    *("app_operations", "app_resources", "app_workers"),
)
HOST_1 = Source(HOST, 1)


def told(*found: Counters) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {(one.name, one.labels): one.value for one in metrics(found)}


def of(structure: str, **fields: Any) -> Counters:
    return Counters(HOST_1, {structure: fields})


@pytest.mark.parametrize("structure", OBSERVED)
def test_each_field_is_a_metric_or_is_known_to_be_none(structure: str) -> None:
    layout = next(one for one in COUNTERS if one.name == structure)
    members = [field for family in FAMILIES if family.structure == structure for field, _ in family.members]
    named = {field.partition("&")[0].partition(".")[0] for field in members}
    named |= {*DESCRIBED.get(structure, {}), *LEFT_OUT.get(structure, ())}
    assert named == set(layout.names)
    if structure == "sfp":
        lane = next(field.type for field in layout.fields if field.name == "lanes")
        assert {field.partition(".")[2] for field in members} - {""} == {
            field.name
            for field in lane.item  # type: ignore[union-attr]
            if field.name != "index"
        }


def test_a_name_says_its_unit_and_no_unit_is_hidden() -> None:
    for family in FAMILIES:
        assert family.help.endswith("."), family
        assert family.divisor == 1 or unit(family.name), family
    assert (unit("cpu_seconds"), unit("load"), unit("speed_bytes_per_second")) == ("seconds", "", "bytes_per_second")


def test_families_of_a_name_are_of_one_kind() -> None:
    kinds: dict[tuple[str, bool], set[tuple[str, str]]] = {}
    for family in FAMILIES:
        of_host = family.structure.startswith(("host", "mib2"))
        kinds.setdefault((family.name, of_host), set()).add((family.kind, unit(family.name)))
    assert all(len(one) == 1 for one in kinds.values())


def test_units_are_those_of_the_base() -> None:
    assert told(of("host_cpu", cpu_user=1500, load_one=0.25, cpu_speed=2400)) == {
        ("fleutan_host_cpu_seconds", (("mode", "user"),)): 1.5,
        ("fleutan_host_load", (("minutes", "1"),)): 0.25,
        ("fleutan_host_cpu_frequency_hertz", ()): 2.4e9,
    }
    assert told(of("host_disk_io", part_max_used=1250, read_time=7)) == {
        ("fleutan_host_disk_fullest_ratio", ()): 0.125,
        ("fleutan_host_disk_read_seconds", ()): 0.007,
    }
    assert told(of("host_memory", page_in=3)) == {("fleutan_host_paged_in_bytes", ()): 3072}
    assert told(of("mib2_tcp_group", tcpRtoMin=200, tcpRetransSegs=5)) == {
        ("fleutan_host_tcp_rto_min_seconds", ()): 0.2,
        ("fleutan_host_tcp_retrans_segs", ()): 5,
    }


def test_the_unknown_is_no_metric() -> None:
    assert not told(of("host_cpu", cpu_user=None, load_one=float("nan"), load_five=float("inf"), uptime="long"))
    assert not told(of("if_counters", ifSpeed=0, ifStatus=None))
    assert not told(Counters(HOST_1, {"weather": {"sun": 1}}))


def test_an_interface_is_its_device() -> None:
    labels = {"dev": "eth0", "alias": "uplink", "netns": "blue", "mac": "02:00:00:00:00:01"}
    fields = {"ifIndex": 3, "ifType": 6, "ifDirection": 1, "ifSpeed": 10**10, "ifStatus": 1, "ifInOctets": 1 << 63}
    found = told(Counters(Source(INTERFACE, 3), {"if_counters": fields}, labels))
    own = (("dev", "eth0"), ("netns", "blue"))
    more = (("alias", "uplink"), ("mac", "02:00:00:00:00:01"), ("ifindex", "3"), ("type", "6"), ("duplex", "full"))
    assert found == {
        ("fleutan_interface", own + more): 1,
        ("fleutan_interface_speed_bytes_per_second", own): 1.25e9,
        ("fleutan_interface_admin_up", own): 1,
        ("fleutan_interface_oper_up", own): 0,
        ("fleutan_interface_receive_bytes", own): 1 << 63,
    }


def test_lanes_of_optics_are_told_apart() -> None:
    lanes: list[Any] = [{"index": 1, "tx_power": 500}, (2, 6000, None, None, None, 1310)]
    found = told(Counters(Source(0, 3), {"sfp": {"module_temperature": -1500, "lanes": lanes}}, {"dev": "eth0"}))
    dev = ("dev", "eth0")
    assert found == {
        ("fleutan_interface_optics_temperature_celsius", (dev,)): -1.5,
        ("fleutan_interface_optics_bias_amperes", (dev, ("lane", "2"))): 0.006,
        ("fleutan_interface_optics_transmit_watts", (dev, ("lane", "1"))): 0.0005,
        ("fleutan_interface_optics_transmit_wavelength_meters", (dev, ("lane", "2"))): 1310 / 1e9,
    }


def test_addresses_and_identifiers_are_text() -> None:
    lacp = {"dot3adAggPortActorSystemID": bytes(range(6))}
    found = [*metrics([Counters(Source(0, 3), {"lag_port_stats": lacp}, {"dev": "eth0"})])]
    assert [one.labels[1:] for one in found] == [(("lacp_actor", "00:01:02:03:04:05"),)]
    found = [*metrics([of("host_descr", hostname="here", uuid=bytes(16), os_release="")])]
    assert [one.labels for one in found] == [(("hostname", "here"), ("uuid", "00" * 16))]


@pytest.mark.parametrize(
    ("source", "labels", "expected"),
    [
        (HOST_1, {"host": "here"}, ("host", ())),
        (Source(0, 7), {}, ("interface", (("source", "0:7"),))),
        (Source(3, 1), {"unit": "ssh.service", "slice": "system"}, ("unit", (("unit", "ssh.service"),))),
        (Source(3, 1), {"pod": "p", "container": "c", "unit": "u"}, ("container", (("container", "c"), ("pod", "p")))),
        (Source(3, 1), {"app": "shop"}, ("app", (("app", "shop"),))),
        (Source(3, 9), {}, ("entity", (("source", "3:9"),))),
    ],
)
def test_what_a_source_is(source: Source, labels: dict[str, str], expected: tuple[str, Any]) -> None:
    assert identity(Counters(source, {}, labels)) == expected


def test_namesakes_are_told_apart_by_their_number() -> None:
    twins = [Counters(Source(ENTITY, number), {"virt_memory": {"memory": 1}}, {"unit": "a"}) for number in (1, 2)]
    assert [one.labels for one in metrics(twins)] == [(("unit", "a"),), (("unit", "a"), ("source", "3:2"))]
    assert {one.name for one in metrics(twins)} == {"fleutan_unit_memory_bytes"}


def test_metrics_are_values() -> None:
    (one,) = metrics([of("host_cpu", interrupts=1)])
    assert one == Metric("host", one.family, (), 1)
