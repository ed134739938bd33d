# SPDX-License-Identifier: Apache-2.0
"""Outputs besides sFlow are opened, by the names of settings; ``outputs/`` knows what each of them does."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from fleutan.config import Agent
from fleutan.config.agents import Place
from fleutan.programs.agent import Outlet
from fleutan.programs.agent.opening import REFRESH, Opening
from fleutan.programs.agent.outputs.elasticsearch import Elasticsearch
from fleutan.programs.agent.outputs.flowrecords import Exporter, FlowRecords
from fleutan.programs.agent.outputs.influx import Influx
from fleutan.programs.agent.outputs.metrics import Metrics
from fleutan.programs.agent.outputs.posting import token
from fleutan.programs.agent.outputs.statsd import Graphite, StatsD
from fleutan.protocols.netflow.encoding import Sender
from fleutan.sources.collectors import Collector

#: Of a data source that has not told its counters for so many intervals there are no metrics.
KEEP = 3
Exporters = dict[tuple[int, int], Exporter]


def outlets(opening: Opening) -> Iterator[Outlet]:
    """The outputs of counters that settings name, as far as they can be."""
    for name in OUTPUTS:
        if getattr(opening.settings.outputs, name) is not None:
            found = opening.tried(name, partial(_opened, opening, name))
            if found is not None:
                yield found


def _opened(opening: Opening, name: str) -> Outlet:
    settings = opening.settings
    return opening.held.enter_context(OUTPUTS[name](getattr(settings.outputs, name), settings))


def flow_records(opening: Opening, exporters: Exporters) -> Iterator[FlowRecords]:
    """The outputs of flow records; ``exporters``, by version and domain, are what each goes on with."""
    settings = opening.settings
    domain = settings.sub_agent_id
    for version, collectors in ((10, settings.outputs.ipfix), (9, settings.outputs.netflow9)):
        if collectors:
            exporter = exporters.setdefault((version, domain), Exporter(Sender(version, domain)))
            made = FlowRecords(version, collectors, exporter=exporter, mtu=settings.datagram_bytes)
            yield opening.held.enter_context(made)


def _metrics(place: Place, settings: Agent) -> Metrics:
    return Metrics(place, KEEP * (settings.polling or 1) + REFRESH)


def _influx(url: str, settings: Agent) -> Influx:
    file = settings.outputs.influx_token
    return Influx(url, socket.gethostname(), token(file) if file else None)


def _elasticsearch(url: str, settings: Agent) -> Elasticsearch:
    file = settings.outputs.elasticsearch_token
    return Elasticsearch(url, socket.gethostname(), token(file) if file else None)


def _statsd(server: Collector, _: Agent) -> StatsD:
    return StatsD(server, socket.gethostname())


def _graphite(server: Collector, _: Agent) -> Graphite:
    return Graphite(server.host, server.port, socket.gethostname())


#: How outputs of counters are made, by the name of the setting that says where they go.
OUTPUTS: Mapping[str, Callable[[Any, Agent], AbstractContextManager[Outlet]]] = {
    "metrics": _metrics,
    "influx": _influx,
    "elasticsearch": _elasticsearch,
    "statsd": _statsd,
    "graphite": _graphite,
}
