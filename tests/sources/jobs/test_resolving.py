# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from threading import Event, get_ident

import pytest

from fleutan.errors import FleutanError
from fleutan.sources.jobs.resolving import THREADS, addresses_of, resolved

BOOK = {"a": ["192.0.2.1", "2001:db8::1", "192.0.2.1"], "b": ["192.0.2.2"]}


def look_up(name: str) -> list[str]:
    if name not in BOOK:
        raise OSError("Name or service not known")
    return BOOK[name]


def test_all_addresses_of_every_name_each_once() -> None:
    assert resolved(["a", "b", "a"], 10, look_up) == {"a": ("192.0.2.1", "2001:db8::1"), "b": ("192.0.2.2",)}
    assert resolved([], 10, look_up) == {}


def unreadable(name: str) -> list[str]:
    raise UnicodeError(name)


@pytest.mark.parametrize("resolve", [look_up, unreadable, lambda _: []])
def test_a_name_without_address_is_said(resolve: object) -> None:
    with pytest.raises(FleutanError, match="node c has no address"):
        resolved(["c"], 10, resolve)  # type: ignore[arg-type]


def test_names_are_looked_up_side_by_side_by_a_bounded_number_of_threads() -> None:
    threads: set[int] = set()
    names = [str(number) for number in range(200)]

    def slow(name: str) -> list[str]:
        threads.add(get_ident())
        return [name]

    assert list(resolved(names, 10, slow)) == names
    assert len(threads) <= THREADS


def test_a_resolver_that_does_not_answer_is_not_waited_for() -> None:
    held = Event()

    def never(_: str) -> list[str]:
        held.wait(60)
        return []

    try:
        with pytest.raises(FleutanError, match=r"not found within 0.05 s"):
            resolved(["a", "b"], 0.05, never)
    finally:
        held.set()


def test_the_resolver_of_the_host_knows_addresses() -> None:
    assert addresses_of("127.0.0.1") == ["127.0.0.1"]
    assert addresses_of("::1") == ["::1"]
