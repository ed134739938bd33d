# SPDX-License-Identifier: Apache-2.0
"""``fleutan decode -x``: what is written, what is sent on, and what is said of it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.captures import CAPTURES, needs_captures
from tests.protocols.capture.files import pcap
from tests.protocols.netflow.making import record_5, v5

from fleutan.errors import UsageError
from fleutan.faces.cli import cli

ENDS = bytes.fromhex("0a630063 0a630064")
NOTE = "anonymised under a random key"


def capture(path: Path) -> str:
    """A datagram of version 5 from 10.99.0.99, of which no record holds another address that tells."""
    payload = v5(record_5())
    udp = b"\x08\x07\x08\x07" + (8 + len(payload)).to_bytes(2) + b"\0\0" + payload
    packet = b"\x45\0" + (20 + len(udp)).to_bytes(2) + bytes(4) + b"\x40\x11\0\0" + ENDS + udp
    path.write_bytes(pcap([packet], link=101))
    return str(path)


def asked(*words: str) -> Result:
    return CliRunner().invoke(cli, ["decode", *words])


@pytest.fixture
def key(tmp_path: Path) -> str:
    path = tmp_path / "key"
    path.write_text("secret")
    return str(path)


@pytest.mark.parametrize(
    "form", ["", "-j", "-J", "-g", "-l", "--flows", "--csv", "-M", "--summary", "--summary json"], ids=str
)
def test_no_form_shows_addresses(tmp_path: Path, key: str, form: str) -> None:
    words = ("-r", capture(tmp_path / "capture"), *form.split())
    plain, hidden = asked(*words), asked(*words, "-x", "--key", key)
    assert plain.exit_code == hidden.exit_code == 0
    if form != "-l":
        assert b"10.99.0.99" in plain.stdout_bytes or ENDS[:4] in plain.stdout_bytes
        assert hidden.stdout_bytes
    assert b"10.99.0.99" not in hidden.stdout_bytes
    assert ENDS[:4] not in hidden.stdout_bytes
    assert NOTE not in hidden.stderr
    assert asked(*words, "-x", "--key", key).stdout_bytes == hidden.stdout_bytes


def test_without_a_key_it_is_said_that_nobody_has_it(tmp_path: Path) -> None:
    path = capture(tmp_path / "capture")
    one, other = (asked("-r", path, "-x", "--flows") for _ in range(2))
    assert NOTE in one.stderr
    assert one.stdout != other.stdout


@needs_captures
@pytest.mark.parametrize("version", ["5", "9", "10"])
def test_what_is_converted_is_anonymised(tmp_path: Path, key: str, version: str) -> None:
    path = CAPTURES / "sflow/host-sflow-live.pcap"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        port = str(receiver.getsockname()[1])
        words = ("-r", str(path), "-c", "127.0.0.1", "-d", port, "-N", version)
        assert asked(*words).exit_code == 0
        plain = received(receiver)
        assert asked(*words, "-x", "--key", key).exit_code == 0
        hidden = received(receiver)
    assert len(plain) == len(hidden)
    assert b"\xc6\x12\x07\x01" in b"".join(plain)
    assert b"\xc6\x12\x07" not in b"".join(hidden)


def received(receiver: socket.socket) -> list[bytes]:
    """All that has come; what is sent over loopback is there at once."""
    found = [receiver.recv(65536)]
    receiver.setblocking(False)
    try:
        while True:
            found.append(receiver.recv(65536))
    except BlockingIOError:
        return found
    finally:
        receiver.settimeout(10)


def test_what_is_sent_on_is_anonymised(tmp_path: Path, key: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        port = receiver.getsockname()[1]
        found = asked("-r", capture(tmp_path / "capture"), "-x", "--key", key, "-f", f"127.0.0.1/{port}", "--csv")
        assert found.exit_code == 0
        octets = receiver.recv(65536)
    assert octets[:24] == v5(record_5())[:24]
    assert octets[24:36] != v5(record_5())[24:36]
    assert octets[40:70] == v5(record_5())[40:70]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--key", "key"), "--key is for -x"),
        (("-x", "--key", "/nowhere/key"), "--key /nowhere/key: no such file or directory"),
    ],
)
def test_wrong_questions(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    found = asked("-r", capture(tmp_path / "capture"), *words)
    assert isinstance(found.exception, UsageError)
    assert str(found.exception) == said
