# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fleutan.exports.elasticsearch import INDEX, document, documents
from fleutan.observed import Counters, Source

AT = 1_700_000_000_123_456_789


def read(octets: bytes) -> list[Any]:
    assert octets.endswith(b"\n")
    return [json.loads(line) for line in octets.decode().split("\n")[:-1]]


def test_a_source_is_a_document() -> None:
    structures: dict[str, Any] = {"if_counters": {"ifInOctets": 5, "ifType": None}, "port_name": {"name": "eth0"}}
    labels = {"dev": "eth0", "alias": "uplink", "netns": "blue", "host": "other", "a.b": "c"}
    (lines,) = documents([Counters(Source(0, 3), structures, labels)], AT, "here")
    assert read(lines) == [
        {"create": {"_index": INDEX, "_id": f"here-0:3-{AT}"}},
        {
            "@timestamp": "2023-11-14T22:13:20.123456Z",
            "host": {"name": "here"},
            "event": {"kind": "metric", "module": "fleutan", "dataset": "fleutan.interface"},
            "interface": {"name": "eth0", "alias": "uplink", "id": "3"},
            "labels": {"netns": "blue", "a_b": "c"},
            "fleutan": {"source": "0:3", "if_counters": {"ifInOctets": 5}, "port_name": {"name": "eth0"}},
        },
    ]


def test_what_runs_on_a_host_has_names_of_its_own() -> None:
    def of(**labels: str) -> dict[str, Any]:
        made = document(Counters(Source(3, 7), {}, labels), AT, "here")
        return {name: value for name, value in made.items() if name not in ("@timestamp", "host", "event", "fleutan")}

    assert of(unit="ssh.service") == of(app="ssh.service") == {"service": {"name": "ssh.service"}}
    assert of(app="shop", unit="u") == {"service": {"name": "shop"}}
    assert of(container="c", pod="p", namespace="n") == {
        "container": {"name": "c"},
        "kubernetes": {"pod": {"name": "p"}, "namespace": "n"},
    }
    assert of(unit="") == {"service": {}}


def test_values_are_json() -> None:
    structures: dict[str, Any] = {
        "weather": {
            "a": float("nan"),
            "b": 1 << 63,
            "c": "",
            "d": b"",
            "e": None,
            "f": True,
            "g": 1.5,
            "h": bytes(6),
            "i": [],
            "j": object(),
        },
        "host_cpu": {"load_one": 0, "uptime": 7},
        "sfp": {"lanes": [(1, 6000, None), {"index": 2, "tx_power": 5}]},
        "host_adapters": {"adapters": [(3, [bytes(6)])]},
        "empty": {"a": None},
    }
    made = document(Counters(Source(2, 1), structures), AT, "here")["fleutan"]
    assert made == {
        "source": "2:1",
        "weather": {"f": True, "g": 1.5, "h": "00:00:00:00:00:00"},
        "host_cpu": {"load_one": 0.0, "uptime": 7},
        "sfp": {"lanes": [{"index": 1, "tx_bias_current": 6000}, {"index": 2, "tx_power": 5}]},
        "host_adapters": {"adapters": [{"ifIndex": 3, "mac_address": ["00:00:00:00:00:00"]}]},
    }
    assert json.dumps(made["host_cpu"]) == '{"load_one": 0.0, "uptime": 7}'


@given(
    st.dictionaries(st.text(), st.text(), max_size=4),
    st.dictionaries(st.text(), st.one_of(st.none(), st.integers(), st.floats(), st.text(), st.binary())),
)
def test_whatever_is_observed_are_two_lines(labels: dict[str, str], fields: dict[str, Any]) -> None:
    (lines,) = documents([Counters(Source(3, 7), {"weather": fields}, labels)], AT, "here\ud800\n")
    action, made = read(lines)
    assert action["create"]["_id"].startswith("here?")
    assert made["fleutan"]["source"] == "3:7"
