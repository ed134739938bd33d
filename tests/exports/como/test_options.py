# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.errors import UsageError
from fleutan.exports.como.options import Options, included, port_names, proto_number, proto_word


def test_names_of_ports() -> None:
    assert port_names(["80=tcp,Web", " 53 = UDP , Name service", "80=udp,QUIC, perhaps"]) == {
        (80, "tcp"): "Web",
        (53, "udp"): "Name service",
        (80, "udp"): "QUIC, perhaps",
    }


@pytest.mark.parametrize("argument", ["80", "80=tcp", "80=tcp,", "=tcp,Web", "http=tcp,Web", "80=,Web", "٣=tcp,Web"])
def test_what_is_no_name_of_a_port(argument: str) -> None:
    with pytest.raises(UsageError, match="PORT=PROTO,NAME"):
        port_names([argument])


@pytest.mark.parametrize("number", ["65536", "9" * 5000])
def test_what_is_no_port(number: str) -> None:
    with pytest.raises(UsageError, match="65535 is the last"):
        port_names([f"{number}=tcp,Web"])


def test_protocols_by_word_and_by_number() -> None:
    words = ("tcp", "udp", "proto-0", "proto-255", "mptcp", "raw")
    assert [proto_number(word) for word in words] == [6, 17, 0, 255, 6, 255]
    assert [proto_number(word) for word in (None, "", "proto-256", "proto-x", "proto-٣", "other")] == [None] * 6
    assert [proto_word(number) for number in (6, 99)] == ["tcp", "proto-99"]
    for number in range(256):
        assert proto_number(proto_word(number)) == number


def test_the_interval_in_seconds() -> None:
    assert (Options().seconds(5), Options(1_500_000_000).seconds(5)) == (5.0, 1.5)


def test_rows_that_are_left_out_are_counted_by_why() -> None:
    options = Options()
    options.leave("broken", 2)
    options.leave("broken", 1)
    options.leave("absent", 0)
    assert options.left_out == {"broken": 3}
    assert not Options().left_out


def test_protocols_that_are_told_apart_besides() -> None:
    assert included("") == ()
    assert included("tcp, 132,GRE,,") == (6, 132, 47)
    for wrong in ("nope", "256", "-1"):
        with pytest.raises(UsageError, match=f"include={wrong}: say a protocol"):
            included(wrong)
