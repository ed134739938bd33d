# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
import struct
import sys

import pytest

from fleutan.errors import FleutanError
from fleutan.linux import rtnetlink
from fleutan.linux.rtnetlink import attributes, dump, messages

DONE, ERROR, GETLINK = 3, 2, 18


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + body + bytes(-len(body) % 4)


def test_messages_until_the_end() -> None:
    data = message(16, b"abcdef") + message(20, b"")
    assert messages("things", data) == ([(16, b"abcdef"), (20, b"")], False)
    assert messages("things", data + message(DONE, b"") + message(16, b"x")) == ([(16, b"abcdef"), (20, b"")], True)
    assert messages("things", b"") == ([], False)


def test_an_error_of_the_kernel_is_told() -> None:
    refused = message(ERROR, (-1).to_bytes(4, sys.byteorder, signed=True))
    with pytest.raises(FleutanError, match="things: the kernel does not list them: operation not permitted"):
        messages("things", refused)


def test_every_truncation_is_told() -> None:
    whole = message(16, b"abcdefgh") + message(16, b"ijkl")
    first = len(message(16, b"abcdefgh"))
    for length in range(1, len(whole)):
        if length == first:
            assert messages("things", whole[:length]) == ([(16, b"abcdefgh")], False)
            continue
        with pytest.raises(FleutanError, match=r"things: .* answer"):
            messages("things", whole[:length])


def test_attributes_by_type_without_its_flags() -> None:
    assert attributes("things", attribute(1, b"a") + attribute(0x8012, b"bcdef")) == {1: b"a", 18: b"bcdef"}
    assert attributes("things", b"") == {}


@pytest.mark.parametrize("length", [3, 300])
def test_an_attribute_longer_than_its_message_is_refused(length: int) -> None:
    with pytest.raises(FleutanError, match=f"an attribute of the kernel's answer claims {length} bytes"):
        attributes("things", struct.pack("=HH", length, 1))


def test_this_host_has_a_loopback_device() -> None:
    bodies = [body for kind, body in dump("devices", GETLINK, bytes(16)) if kind == 16]
    assert b"lo\0" in {attributes("devices", body[16:])[3] for body in bodies}


def test_what_the_kernel_refuses() -> None:
    with pytest.raises(FleutanError, match="things: the kernel does not list them"):
        list(dump("things", 4095, bytes(16)))


@pytest.mark.parametrize(("flags", "interrupted"), [(0x2, False), (0x12, True), (0x10, True)])
def test_an_answer_says_whether_something_changed_meanwhile(flags: int, interrupted: bool) -> None:
    part = struct.pack("=IHHII", 16, 3, flags, 1, 0)
    assert rtnetlink._is_interrupted(part) is interrupted
    assert not rtnetlink._is_interrupted(b"")


def test_many_requests_are_answered_and_what_is_gone_is_left_out() -> None:
    index = socket.if_nametoindex("lo")
    there, gone = (struct.pack("=BxHiII", 0, 0, number, 0, 0) for number in (index, 1 << 30))
    found = rtnetlink.answers("devices", GETLINK, [there, gone] * 50)
    assert [struct.unpack_from("=BxHiII", body)[2] for kind, body in found if kind == 16] == [index] * 50
    assert rtnetlink.answers("devices", GETLINK, []) == []


def test_answers_that_do_not_come_are_not_waited_for() -> None:
    # Of a request without NLM_F_DUMP for no device in particular there is an error; a no-op has no answer.
    assert rtnetlink.answers("devices", 1, [b""] * 3) == []
