# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ipaddress import ip_address

import pytest

from fleutan.linux.addresses import Address as Told
from fleutan.linux.links import Device
from fleutan.sources.addresses import Address, Kernel, own

DEVICES = {1: Device("lo", "", 0x9), 2: Device("eth0", "", 0x1), 3: Device("eth0.5", "vlan", 0x1)}
FOUR, SIX = ip_address("192.0.2.1"), ip_address("2001:db8::1")


def kernel(*told: Told) -> Kernel:
    return Kernel(lambda: [*told], lambda: DEVICES)


def test_addresses_have_their_devices() -> None:
    found = own(kernel(Told(FOUR.packed, 24, 1, 0x80), Told(SIX.packed, 64, 3, 0x80)))
    assert found == [Address(FOUR, "lo", 1, "", loopback=True), Address(SIX, "eth0.5", 3, "vlan")]


def test_those_of_a_device_that_has_gone_are_left_out() -> None:
    assert own(kernel(Told(FOUR.packed, 24, 9, 0x80))) == []


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (0x80, Address(SIX, "eth0", 2)),
        (0x00, Address(SIX, "eth0", 2, automatic=True)),
        (0x81, Address(SIX, "eth0", 2, temporary=True)),
        (0xA0, Address(SIX, "eth0", 2, deprecated=True)),
        (0xC0, Address(SIX, "eth0", 2, usable=False)),
        (0x88, Address(SIX, "eth0", 2, usable=False)),
    ],
)
def test_flags_say_what_an_address_is(flags: int, expected: Address) -> None:
    assert own(kernel(Told(SIX.packed, 64, 2, flags))) == [expected]


def test_dhcp_is_no_fault_of_ipv4() -> None:
    assert own(kernel(Told(FOUR.packed, 24, 2, 0))) == [Address(FOUR, "eth0", 2)]


def test_the_kernel_tells_of_this_host() -> None:
    assert any(one.loopback for one in own())
