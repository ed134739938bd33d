# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import resource
import socket

import pytest

from fleutan.errors import FleutanError
from fleutan.linux.ports import held


@pytest.mark.parametrize(("family", "address"), [(4, "127.0.0.1"), (6, "::1")])
@pytest.mark.parametrize(
    ("proto", "kind"), [(socket.IPPROTO_TCP, socket.SOCK_STREAM), (socket.IPPROTO_UDP, socket.SOCK_DGRAM)]
)
def test_ports_are_held_as_long_as_it_lasts(family: int, address: str, proto: int, kind: int) -> None:
    net = socket.AF_INET if family == 4 else socket.AF_INET6
    with held(family, proto, 3) as ports:
        assert len(set(ports)) == 3
        for port in ports:
            with socket.socket(net, kind) as other, pytest.raises(OSError, match="in use"):
                other.bind((address, port))
    with socket.socket(net, kind) as other:
        other.bind((address, ports[0]))


def test_none_are_none() -> None:
    with held(4, socket.IPPROTO_TCP, 0) as ports:
        assert ports == []


def test_too_many_are_told() -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))
    try:
        with pytest.raises(FleutanError, match="keeping 100 ports for probes: too many open files"), held(4, 6, 100):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
