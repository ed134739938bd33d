# SPDX-License-Identifier: Apache-2.0
"""Whether datagrams that are sent on would come back to where they are awaited, again and again."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address

from fleutan.errors import UsageError
from fleutan.linux.addresses import own_addresses
from fleutan.linux.listening import Ear
from fleutan.sources.forwarding import Target

Address = IPv4Address | IPv6Address


def refuse_loops(targets: Iterable[Target], ears: Sequence[Ear]) -> None:
    """Raises UsageError where what goes to a target would come to one of these sockets.

    In the calling thread's network namespace; raises FleutanError where the kernel does not tell
    its addresses.
    """
    for target in targets:
        if any(_hears(ear, _there(target.address)) for ear in ears if ear.port == target.port):
            raise UsageError(f"sending to {target.title}: it would come back, since that is where it listens")


def _hears(ear: Ear, address: Address) -> bool:
    if ear.address is not None:
        return _address(ear.address) == address
    if address.version == 6 and ear.socket.family == socket.AF_INET:
        return False
    own = {_address(one) for one in own_addresses()}
    return address.is_loopback or address in own


def _there(octets: bytes) -> Address:
    """Where what is sent to an address goes: to none at all means to this host, on Linux."""
    address = _address(octets)
    if not address.is_unspecified:
        return address
    return IPv4Address("127.0.0.1") if address.version == 4 else IPv6Address("::1")


def _address(octets: bytes) -> Address:
    if len(octets) == 4:
        return IPv4Address(octets)
    six = IPv6Address(octets)
    return six.ipv4_mapped or six
