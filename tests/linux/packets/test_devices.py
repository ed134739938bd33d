# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

from fleutan.linux.packets.devices import ETHERNET, types, types_in


def message(index: int, arphrd: int) -> bytes:
    return struct.pack("=BxHiII", 0, arphrd, index, 0, 0)


def test_devices_have_the_type_that_the_kernel_says() -> None:
    assert types_in([(16, message(1, 772)), (16, message(7, 65534)), (3, message(9, 1)), (16, b"short")]) == {
        1: 772,
        7: 65534,
    }


def test_loopback_has_ethernet_headers() -> None:
    with open("/sys/class/net/lo/ifindex") as index:
        assert types()[int(index.read())] in ETHERNET
