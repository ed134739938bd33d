# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from pathlib import Path

import pytest

from fleutan.faces.cli.lakes import VARIABLE, lake_of


def test_who_names_a_lake_means_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "/named")
    assert lake_of("/here") == Path("/here")
    assert lake_of(None) == Path("/named")


def test_else_it_is_roots_or_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert lake_of(None) == Path("/var/lib/fleutan/lake")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert lake_of(None) == Path("/state/fleutan/lake")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/you")
    assert lake_of(None) == Path("/home/you/.local/state/fleutan/lake")
