# SPDX-License-Identifier: Apache-2.0
"""Capabilities are a thread's own, so threads give them up here; users are a process's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fleutan.errors import FleutanError, UsageError
from fleutan.linux import capabilities, privileges
from fleutan.linux.privileges import User, keep, user

KEPT = ("CAP_NET_RAW", "CAP_BPF", "CAP_NET_ADMIN")
NOBODY = User("nobody", 65534, 65534)
SHOWN = """
import json, os
from fleutan.linux.capabilities import effective, permitted
from fleutan.linux.privileges import keep, user
keep(("CAP_NET_RAW", "CAP_BPF"), user("65534"))
print(json.dumps([os.getresuid(), os.getresgid(), os.getgroups(), sorted(effective()), sorted(permitted())]))
"""
needs_root = pytest.mark.skipif(
    bool(capabilities.missing(("CAP_SETPCAP", "CAP_SETUID", *KEPT))), reason="needs CAP_SETPCAP and CAP_SETUID"
)


def apart(work: Any, *given: Any) -> Any:
    with ThreadPoolExecutor(1) as one:
        return one.submit(work, *given).result()


def sets() -> dict[str, str]:
    with open("/proc/thread-self/status") as lines:
        return dict(line.split() for line in lines if line.startswith(("Cap", "NoNew")))


@needs_root
def test_what_is_not_named_is_given_up_in_every_set() -> None:
    before = sets()

    def kept() -> tuple[frozenset[str], frozenset[str], dict[str, str]]:
        return keep((*KEPT, "CAP_NO_SUCH")), capabilities.effective(), sets()

    said, effective, after = apart(kept)
    assert said == effective == set(KEPT)
    assert after["CapPrm:"] == after["CapBnd:"] == after["CapEff:"]
    assert int(after["CapInh:"], 16) == int(after["CapAmb:"], 16) == 0
    assert after["NoNewPrivs:"] == "1"
    assert sets() == before


@needs_root
def test_what_was_given_up_does_not_come_back() -> None:
    assert apart(lambda: (keep(KEPT[:1]), keep(KEPT))[1]) == {KEPT[0]}


@needs_root
def test_another_user_has_what_is_kept() -> None:
    ran = subprocess.run([sys.executable, "-c", SHOWN], check=True, capture_output=True, text=True)
    uids, gids, groups, effective, permitted = json.loads(ran.stdout)
    assert set(uids) == {65534}
    assert set(gids) == set(groups) == {user("65534").gid}
    assert effective == permitted == ["CAP_BPF", "CAP_NET_RAW"]


@needs_root
def test_who_may_not_change_the_user_is_told() -> None:
    def refused(_: User) -> None:
        raise PermissionError(1, "Operation not permitted")

    with pytest.raises(FleutanError, match="cannot become user nobody: operation not permitted; it takes root"):
        apart(keep, KEPT, NOBODY, refused)


def test_who_is_that_user_already_changes_nothing() -> None:
    def never(_: User) -> None:
        raise AssertionError

    me = User("me", os.getuid(), os.getgid())
    assert apart(keep, (), me, never) == frozenset()


def test_users_are_known_by_name_and_number() -> None:
    root = user("root")
    assert (root.name, root.uid, root.gid) == ("root", 0, 0)
    assert user("0") == root
    assert 0 in root.groups
    assert user("4123456789") == User("4123456789", 4123456789, 4123456789)
    for unknown in ("no-such-user", "9" * 12, "4294967295"):
        with pytest.raises(UsageError, match=f"there is no user {unknown} on this host"):
            user(unknown)


def test_what_cannot_be_set_is_an_error() -> None:
    with pytest.raises(FleutanError, match="privileges cannot be given up: "):
        privileges._set(_Refusing(), frozenset())  # type: ignore[arg-type]


class _Refusing:
    def capset(self, *_: object) -> int:
        return -1
