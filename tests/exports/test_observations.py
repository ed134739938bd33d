# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fleutan.exports.observations import is_real, items, octets_text


def test_members_of_a_list_have_names() -> None:
    lanes = [*items("sfp", "lanes", [(1, 6000), {"index": 2, "tx_power": 5}])]
    assert lanes == [{"index": 1, "tx_bias_current": 6000}, {"index": 2, "tx_power": 5}]
    assert [*items("host_adapters", "adapters", [(3, [b"x"])])] == [{"ifIndex": 3, "mac_address": [b"x"]}]
    assert [*items("sfp", "lanes", None)] == [*items("weather", "winds", None)] == []


def test_what_is_a_real_number() -> None:
    assert is_real("host_cpu", "load_one")
    assert not is_real("host_cpu", "uptime")
    assert not is_real("weather", "sun")


def test_octets_are_written_as_people_do() -> None:
    assert (octets_text(bytes(6)), octets_text(bytes(16))) == ("00:00:00:00:00:00", "00" * 16)
