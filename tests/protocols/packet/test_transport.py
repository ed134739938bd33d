# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from tests.protocols.packet.stacks import IPV4, IPV6, PLAIN, ipv4, ipv6, of, said, tcp, udp


def test_tcp_says_ports_numbers_flags_and_window() -> None:
    found = said(PLAIN)
    assert (found["sport"], found["dport"], found["tcp_seq"], found["tcp_ack"]) == (40000, 443, 0xF0000001, 77)
    assert (found["tcp_flags"], found["tcp_window"], found["payload_at"]) == (0x118, 501, 66)


def test_ports_are_known_of_what_errors_quote() -> None:
    found = said(ipv4(6, tcp())[:28], IPV4)
    assert (found["sport"], found["dport"], found["tcp_seq"], found["truncated"]) == (40000, 443, 0xF0000001, True)
    assert found.keys() & {"tcp_ack", "tcp_flags", "payload_at"} == set()


@pytest.mark.parametrize(
    ("proto", "header"), [(6, tcp()[:12] + b"\x40" + tcp()[13:]), (33, tcp()[:4] + b"\2" + bytes(15))]
)
def test_a_header_too_small_has_no_payload(proto: int, header: bytes) -> None:
    found = said(ipv4(proto, header), IPV4)
    assert "payload_at" not in found
    assert found["malformed"]
    assert found["dport"] == 443


def test_udp_has_a_length_and_udp_lite_none() -> None:
    assert of("udp6")["udp_length"] == 16
    lite = said(ipv4(136, udp(53, b"x")), IPV4)
    assert (lite["dport"], "udp_length" in lite, lite["payload_at"]) == (53, False, 28)


def test_other_transports_have_ports_too() -> None:
    sctp, dccp = of("sctp"), of("dccp")
    assert (sctp["sport"], sctp["dport"], sctp["sctp_tag"], sctp["payload_at"]) == (2905, 2906, 0xCAFE, 32)
    assert (dccp["sport"], dccp["dport"], dccp["payload_at"]) == (5001, 5002, 36)


def test_icmp_has_a_type_and_a_code_in_both_versions() -> None:
    found = of("icmp")
    assert (found["icmp_type"], found["icmp_code"], found["payload_at"]) == (3, 4, 28)
    assert found.keys() & {"sport", "dport", "inner_src"} == set()
    assert said(ipv6(58, b"\x80\0" + bytes(6)), IPV6)["icmp_type"] == 128


def test_esp_has_an_index() -> None:
    assert (of("esp")["spi"], of("esp")["payload_at"]) == (0xBEEF, 28)
