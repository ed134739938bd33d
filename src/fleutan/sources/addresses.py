# SPDX-License-Identifier: Apache-2.0
"""The addresses of this host, each with its device and what is known of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from fleutan.linux import addresses, links
from fleutan.linux.links import Device

#: include/uapi/linux/if_addr.h
_TEMPORARY, _DADFAILED, _DEPRECATED, _TENTATIVE, _PERMANENT = 0x01, 0x08, 0x20, 0x40, 0x80
#: include/uapi/linux/if.h
_LOOPBACK = 0x8


class Address(NamedTuple):
    """An address of this host.

    ``kind`` is what made its device, as ``vlan``.  ``temporary`` is one that changes to hide who one
    is (RFC 8981), ``automatic`` one that a router or DHCPv6 gave, ``deprecated`` one that is about
    to go; one that is not ``usable`` is not confirmed to be nobody else's.
    """

    address: IPv4Address | IPv6Address
    device: str
    ifindex: int
    kind: str = ""
    loopback: bool = False
    temporary: bool = False
    automatic: bool = False
    deprecated: bool = False
    usable: bool = True


class Kernel(NamedTuple):
    """What is asked of Linux; whoever has figures of another origin puts them in its place."""

    addresses: Callable[[], list[addresses.Address]] = addresses.addresses
    devices: Callable[[], Mapping[int, Device]] = links.devices


LINUX = Kernel()


def own(kernel: Kernel = LINUX) -> list[Address]:
    """The addresses of the calling thread's network namespace, in the kernel's order.

    Raises FleutanError where the kernel does not tell.
    """
    devices = kernel.devices()
    return [_address(one, devices[one.ifindex]) for one in kernel.addresses() if one.ifindex in devices]


def _address(one: addresses.Address, device: Device) -> Address:
    found = ip_address(one.octets)
    return Address(
        found,
        device.name,
        one.ifindex,
        device.kind,
        bool(device.flags & _LOOPBACK),
        bool(one.flags & _TEMPORARY),
        found.version == 6 and not one.flags & _PERMANENT,
        bool(one.flags & _DEPRECATED),
        not one.flags & (_TENTATIVE | _DADFAILED),
    )
