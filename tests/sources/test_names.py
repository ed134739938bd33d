# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import pwd
import socket
import subprocess
import sys
from pathlib import Path
from threading import Event, Lock, active_count

import pytest

from fleutan.sources.names import Names, host_of, service_name, user_name

PLENTY_S = 30.0


def test_user_name() -> None:
    assert user_name(0) == pwd.getpwuid(0).pw_name
    assert user_name(3_999_999_999) is None
    assert user_name(1 << 70) is None


def test_service_name(tmp_path: Path) -> None:
    services = tmp_path / "services"
    services.write_text(
        "# Network services\n\ndomain\t53/tcp\n"
        "http 80/tcp www # WorldWideWeb\nalso 80/tcp\ntalk 517/udp\nbroken\nodd x/tcp\n"
    )
    path = str(services)
    assert service_name(80, "tcp", path) == "http"
    assert service_name(80, "mptcp", path) == "http"
    assert service_name(53, "tcp", path) == "domain"
    assert service_name(53, "udp", path) is None
    assert service_name(517, "udp", path) == "talk"


def test_without_a_database_no_service_has_a_name(tmp_path: Path) -> None:
    assert service_name(80, "tcp", str(tmp_path / "services")) is None


def test_service_names_agree_with_the_library() -> None:
    try:
        expected = {port: socket.getservbyport(port, "tcp") for port in (22, 80, 443)}
    except OSError:
        pytest.skip("needs /etc/services (Debian: netbase)")
    assert {port: service_name(port, "tcp") for port in expected} == expected


def test_get_answers_at_once_and_later_with_the_name() -> None:
    gate = Event()

    def lookup(address: str) -> str | None:
        gate.wait(PLENTY_S)
        return {"192.0.2.1": "one.example"}.get(address)

    names = Names(lookup)
    assert names.get("192.0.2.1") is None
    assert names.get("192.0.2.2") is None
    assert not names.wait(0)
    gate.set()
    assert names.wait(PLENTY_S)
    assert names.get("192.0.2.1") == "one.example"
    assert names.get("192.0.2.2") is None
    assert names.wait(0)


def test_every_address_is_looked_up_once_by_a_bounded_number_of_threads() -> None:
    lock, gate = Lock(), Event()
    asked: list[str] = []
    together: list[int] = []
    before = active_count()

    def lookup(address: str) -> str | None:
        with lock:
            asked.append(address)
            together.append(active_count() - before)
        gate.wait(PLENTY_S)
        return address + ".example"

    names = Names(lookup, threads=3)
    addresses = [f"192.0.2.{number}" for number in range(50)]
    for address in addresses * 2:
        names.get(address)
    gate.set()
    assert names.wait(PLENTY_S)
    assert sorted(asked) == sorted(addresses)
    assert max(together) <= 3
    assert [names.get(address) for address in addresses] == [address + ".example" for address in addresses]


def test_threads_that_ended_are_followed_by_new_ones() -> None:
    names = Names(str.upper, threads=1)
    for address in ("a", "b", "c"):
        names.get(address)
        assert names.wait(PLENTY_S)
        assert names.get(address) == address.upper()


def test_what_was_asked_for_longest_ago_is_forgotten() -> None:
    names = Names(str.upper, remembered=2)
    for address in ("a", "b", "a", "c"):
        names.get(address)
        assert names.wait(PLENTY_S)
    assert names.get("a") == "A"
    assert names.get("c") == "C"
    assert names.get("b") is None


def test_what_waits_for_an_answer_is_bounded() -> None:
    gate = Event()
    seen: list[str] = []

    def lookup(address: str) -> str | None:
        seen.append(address)
        gate.wait(PLENTY_S)
        return address

    names = Names(lookup, remembered=4)
    for number in range(100):
        names.get(str(number))
    gate.set()
    assert names.wait(PLENTY_S)
    assert sorted(seen) == ["0", "1", "2", "3"]


def test_a_lookup_that_fails_leaves_the_address_without_a_name() -> None:
    def lookup(address: str) -> str | None:
        raise RuntimeError(address)

    names = Names(lookup)
    names.get("192.0.2.1")
    assert names.wait(PLENTY_S)
    assert names.get("192.0.2.1") is None


def test_host_of() -> None:
    assert host_of("no address") is None
    try:
        expected = socket.gethostbyaddr("127.0.0.1")[0]
    except OSError:
        expected = None
    assert host_of("127.0.0.1") == expected


def test_the_end_of_the_program_does_not_wait() -> None:
    script = (
        "import threading\n"
        "from fleutan.sources.names import Names\n"
        "Names(lambda address: threading.Event().wait() and None).get('192.0.2.1')\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=PLENTY_S, env={**os.environ})
