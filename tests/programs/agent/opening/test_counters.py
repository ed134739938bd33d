# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from tests.programs.agent.opening.settings import opening

from fleutan.config.agents import Sampling
from fleutan.programs.agent.opening.counters import applications, entities, host, numbers
from fleutan.sources.counters.devices import Devices


def test_a_host_has_its_gpus_if_they_are_asked_for() -> None:
    with opening({}) as made:
        assert type(host(made, Devices(), None)).__name__ == "HostCounters"
    with opening({"gpus": True}) as made:
        found = host(made, Devices(), None)
        assert type(found).__name__ == "Accelerated"
        assert [*found.sources()]
        assert made.notes() == [], "that there are none is no problem"


def test_units_and_containers_are_data_sources_whose_numbers_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opening({}) as made:
        assert entities(made, None) is None
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}:/elsewhere")
    assert numbers() == str(tmp_path / "agent.json")
    for kind in ("systemd", "scopes", "containers"):
        with opening({kind: True}) as made:
            found = entities(made, bytes(16))
            assert found is not None
            assert made.notes()[: len(found.notes())] == found.notes()
    assert numbers({"STATE_DIRECTORY": str(tmp_path / "none")}) is None


def test_applications_write_into_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with opening({"json_fifo": pipe, "sampling": Sampling(1)}) as made:
        found = applications(made)
        assert found is not None
        assert made.notes() == found.notes()
        found.samples(0.0)
        with pipe.open("wb", buffering=0) as file:
            file.write(
                b'{"flow_sample":{"app_name":"shop","sampling_rate":1,"app_operation":{"operation":"a","status":0}}}\n'
            )
            (sample,) = found.samples(1.0)
        assert b"shop" in sample


def test_without_a_place_to_listen_at_there_are_no_applications() -> None:
    with opening({}) as made:
        assert applications(made) is None
        assert made.lacks == {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        with opening({"json_port": taken.getsockname()[1]}) as made:
            assert applications(made) is None
            assert [*made.lacks] == ["applications"]
