# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
from pathlib import Path

from tests.faces.cli.test_collecting import free_port
from tests.programs.agent.opening.settings import opening

from fleutan.config.agents import Place
from fleutan.programs.agent.opening.outlets import Exporters, flow_records, outlets
from fleutan.sources.collectors import Collector


def test_counters_go_to_each_place_that_is_said(tmp_path: Path) -> None:
    """Nobody answers there, which ends nothing; a token that cannot be read is named."""
    nowhere = f"http://127.0.0.1:{free_port()}/"
    secret = tmp_path / "token"
    secret.write_text("s3cret\n")
    said: dict[str, object] = {"outputs.metrics": Place("127.0.0.1", 0)}
    said |= {"outputs.influx": nowhere, "outputs.influx_token": secret}
    said |= {"outputs.elasticsearch": nowhere, "outputs.elasticsearch_token": secret}
    said |= {f"outputs.{name}": Collector("127.0.0.1", free_port()) for name in ("statsd", "graphite")}
    names = ["Metrics", "Influx", "Elasticsearch", "StatsD", "Graphite"]
    with opening(said) as made:
        assert [type(one).__name__ for one in outlets(made)] == names
        assert made.lacks == {}
    said |= {f"outputs.{name}_token": tmp_path / "none" for name in ("influx", "elasticsearch")}
    with opening(said) as made:
        assert [type(one).__name__ for one in outlets(made)] == ["Metrics", "StatsD", "Graphite"]
        assert [*made.lacks] == ["influx", "elasticsearch"]
    del said["outputs.influx_token"], said["outputs.elasticsearch_token"]
    with opening(said) as made:
        assert [type(one).__name__ for one in outlets(made)] == names


def test_where_nothing_is_said_there_is_none() -> None:
    exporters: Exporters = {}
    with opening({}) as made:
        assert ([*outlets(made)], [*flow_records(made, exporters)], exporters) == ([], [], {})


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        with opening({"outputs.metrics": Place("127.0.0.1", one.getsockname()[1])}) as made:
            assert [*outlets(made)] == []
            assert [*made.lacks] == ["metrics"]


def test_packets_go_out_as_flow_records_whose_numbers_go_on() -> None:
    said = {"sub_agent_id": 7, "datagram_bytes": 900, "outputs.ipfix": (Collector("127.0.0.1", free_port()),)}
    said["outputs.netflow9"] = (Collector("::1", 2055),)
    exporters: Exporters = {}
    for _ in range(2):
        with opening(said) as made:
            found = [*flow_records(made, exporters)]
            assert [one.form for one in found] == ["IPFIX", "NetFlow 9"]
            assert [one.accounts()[0].title for one in found][1] == "[::1]:2055"
            exporters[10, 7].sender.sequence += 1
    assert {key: one.sender.sequence for key, one in exporters.items()} == {(10, 7): 2, (9, 7): 0}
    assert [(one.sender.version, one.sender.domain) for one in exporters.values()] == [(10, 7), (9, 7)]
