# SPDX-License-Identifier: Apache-2.0
"""On loopback; ``tests/namespaces/test_probing.py`` has networks."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
from ipaddress import ip_address

import pytest

from fleutan.linux.egress import Egress, Unsendable, bind_to_device, has_rivals, source_for, trouble, why

HERE = {4: socket.inet_aton("127.0.0.1"), 6: socket.inet_pton(socket.AF_INET6, "::1")}
needs_ipv6 = pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="needs IPv6")
VERSIONS = [4, pytest.param(6, marks=needs_ipv6)]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("device", ["", "lo"])
def test_to_itself_through_loopback(version: int, device: str) -> None:
    found = source_for(HERE[version], b"", device, 0x28, proto=socket.IPPROTO_TCP, sport=40000, dport=443)
    with open("/sys/class/net/lo/mtu") as text:
        mtu = int(text.read())
    assert found[:2] == (HERE[version], socket.if_nametoindex("lo"))
    assert found.mtu in (mtu, min(mtu, 65535))
    assert source_for(HERE[version], device=device) == found


def test_another_address_of_loopback_is_the_source_of_what_goes_there() -> None:
    there = socket.inet_aton("127.1.2.3")
    assert source_for(there) == Egress(HERE[4], socket.if_nametoindex("lo"), source_for(HERE[4]).mtu)


def test_the_source_that_is_asked_for() -> None:
    own = socket.inet_aton("127.4.5.6")
    assert source_for(HERE[4], own).src == own
    with pytest.raises(Unsendable, match="no address to send from"):
        source_for(HERE[4], socket.inet_aton("192.0.2.77"))


def test_the_device_is_not_known_of_protocols_that_the_kernel_does_not_look_for() -> None:
    assert source_for(HERE[4], proto=253) == source_for(HERE[4])._replace(device=None)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("device", ["fln-none", "fln-" + "x" * 12])
def test_no_such_device(version: int, device: str) -> None:
    with pytest.raises(Unsendable, match=rf"sending to (127.0.0.1|::1) through {device}: no such interface") as caught:
        source_for(HERE[version], device=device)
    assert caught.value.errno == errno.ENODEV


def test_broadcast_needs_leave() -> None:
    with pytest.raises(Unsendable, match=r"sending to 255.255.255.255: ") as caught:
        source_for(b"\xff" * 4)
    assert caught.value.errno in (errno.EACCES, errno.ENETUNREACH)


def test_words_for_what_the_kernel_says() -> None:
    assert why(errno.EPERM) == "a firewall of this host refuses it"
    assert why(errno.EIO) == "input/output error"


def test_a_full_socket_is_a_full_queue_and_a_device_that_is_gone_is_not_down() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        assert trouble(sender, "", BlockingIOError(errno.EAGAIN, "")) == errno.ENOBUFS
        unreachable = OSError(errno.ENETUNREACH, "")
        assert [trouble(sender, device, unreachable) for device in ("", "lo", "fln-none")] == [errno.ENETUNREACH] * 3
        with pytest.raises(OSError, match="No such device"):
            bind_to_device(sender, "fln-none")


def test_nothing_stays_open() -> None:
    before = os.listdir("/proc/self/fd")
    source_for(HERE[4])
    with pytest.raises(Unsendable):
        source_for(HERE[4], device="fln-none")
    assert os.listdir("/proc/self/fd") == before


# -- several next hops

_LINKS = """
link add one type veth peer name other-one
link add two type veth peer name other-two
link set one up
link set two up
link set other-one up
link set other-two up
address add 192.0.2.1/24 dev one
address add 198.51.100.1/24 dev two
address add 2001:db8:1::1/64 dev one nodad
address add 2001:db8:2::1/64 dev two nodad
route add 10.1.0.0/16 nexthop via 192.0.2.2 nexthop via 192.0.2.3
route add 10.2.0.0/16 nexthop via 192.0.2.2 nexthop via 198.51.100.2
route add 10.3.0.0/16 via 192.0.2.2
route add 2001:db8:a::/48 nexthop via 2001:db8:1::2 nexthop via 2001:db8:1::3
route add 2001:db8:b::/48 nexthop via 2001:db8:1::2 nexthop via 2001:db8:2::2
"""


@pytest.mark.usefixtures("namespace")
@pytest.mark.parametrize(
    ("destination", "rivals"),
    [
        ("10.1.2.3", True),
        ("10.2.2.3", False),
        ("10.3.2.3", False),
        ("10.4.2.3", False),
        ("2001:db8:a::1", True),
        ("2001:db8:b::1", False),
    ],
)
def test_next_hops_are_rivals_where_one_device_leads_to_both(destination: str, rivals: bool) -> None:
    subprocess.run(["ip", "-batch", "-"], input=_LINKS, text=True, check=True)
    packed = ip_address(destination).packed
    assert has_rivals(packed) is rivals
    if destination not in ("10.4.2.3", "127.0.0.1"):
        own = source_for(packed).src
        assert has_rivals(packed, own, 0x20) is rivals
