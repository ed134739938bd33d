# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from fleutan.config import Agent, parse
from fleutan.config.sections import Drops, Outputs, Packets
from fleutan.programs.agent.texts import texts


def said(text: str) -> dict[str, str]:
    return dict(texts(parse(f"[agent]\n{text}".encode(), Path("/x")).agent))


def test_every_key_is_in_words() -> None:
    told = said(
        """
        collectors = ["192.0.2.1"]
        applications = { a = 5 }
        packets = { source = ["bpf", "psample", "nflog"], nflog_probability = 0.5 }
        drops = { hide = "x" }
        [agent.outputs]
        ipfix = "192.0.2.2"
        netflow9 = "192.0.2.3"
        metrics = 9343
        influx = "http://x"
        elasticsearch = "http://y"
        statsd = "127.0.0.1"
        graphite = "127.0.0.1"
        """
    )
    keys = {key.partition(" ")[0] for key in told}
    for name, made in (("", Agent), ("packets.", Packets), ("drops.", Drops), ("outputs.", Outputs)):
        for field in fields(made):
            is_silent = "section" in field.metadata or field.name.endswith("_token")
            assert is_silent or f"{name}{field.name}" in keys, field.name


TOLD = [
    ("", "collectors", "no collector of sFlow"),
    ("collectors = '[2001:db8::1]:7'", "collectors [2001:db8::1]:7", "collector [2001:db8::1]:7"),
    ("dns_sd = true", "dns_sd", "DNS-SD of the own domain"),
    ("dns_sd = 'x.org'", "dns_sd", "DNS-SD of x.org"),
    ("polling = 0", "polling", "no polling"),
    ("", "sampling", "sampling 1 in 400 where the speed is unknown"),
    (
        "sampling = { default = 0, bps_ratio = 1000000, '10G' = 5000, devices = { 'eth*' = 7 } }",
        "sampling",
        "sampling none where the speed is unknown, bps_ratio 1,000,000, 10G 1 in 5,000, eth* 1 in 7",
    ),
    (
        "applications = { 'app.a' = { sampling = 5, polling = 6 } }",
        "applications",
        "application app.a sampling 1 in 5, polling 6 s",
    ),
    ("prefer = ['10.0.0.0/8', '!fd00::/8']", "prefer", "agent's networks 10.0.0.0/8, !fd00::/8"),
    ("address = '192.0.2.1'", "address", "agent's address 192.0.2.1"),
    ("tcp = false", "tcp", "TCP state off"),
    ("", "gpus", "GPUs on"),
    ("json_port = 36343", "json_port", "JSON at UDP port 36343 of loopback"),
    ("", "packets.source", "packets from auto"),
    ("packets.devices = ['eth*', '!eth9']", "packets.devices", "packets of eth*, !eth9"),
    ("drops.on = false", "drops.on", "dropped packets off"),
    ("outputs.metrics = 9343", "outputs.metrics", "OpenMetrics at 127.0.0.1:9343"),
    ("outputs.statsd = '127.0.0.1'", "outputs.statsd", "StatsD 127.0.0.1:8125"),
    ("outputs.graphite = '127.0.0.1'", "outputs.graphite", "Graphite 127.0.0.1:2003"),
    ("json_fifo = '/run/x'", "json_fifo", "JSON from /run/x"),
    ("user = 'nobody'", "user", "user nobody"),
    ("hostnames = true", "hostnames", "host names of containers on"),
    ("outputs.ipfix = '192.0.2.1'", "outputs.ipfix 192.0.2.1:4739", "IPFIX to 192.0.2.1:4739"),
]


@pytest.mark.parametrize(("text", "key", "expected"), TOLD)
def test_a_setting_in_words(text: str, key: str, expected: str) -> None:
    assert said(text)[key] == expected


def test_what_is_off_has_no_details() -> None:
    told = said("packets.source = 'none'\ndrops.on = false")
    assert not {"packets.devices", "drops.limit"}.intersection(told)
