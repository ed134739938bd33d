# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from tests.linux.host.test_host import SNMP

from fleutan.linux.host.snmp import snmp


def test_counters_by_name_wherever_they_stand() -> None:
    found = snmp(SNMP)
    assert found["Icmp"]["InDestUnreachs"] == 3
    assert found["Tcp"] == {"RtoAlgorithm": 1, "MaxConn": -1}
    assert found.keys() == {"Ip", "Icmp", "Tcp"}


def test_what_is_no_pair_of_rows_says_nothing() -> None:
    assert snmp(b"Ip: A B\nTcp: 1 2\n") == {}
    assert snmp(b"Ip: A B C\nIp: 1 x\n") == {"Ip": {"A": 1}}
    assert snmp(b"Ip: 1 2\nIp: 3 4\n") == {}
    assert snmp(b"A B\nA B\n") == {}
