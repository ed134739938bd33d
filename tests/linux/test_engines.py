# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.errors import FleutanError
from fleutan.linux.engines import Container, containers, inspected, listed

ID = "8dfafdbc3a40fd16bc1e53be0d9f1e36d3f8c1a9c2be1a7a1c0e9a1f3c1d2e3f"
#: As Docker's Engine API documents it (ContainerList), cut to a few of its fields.
LIST = [
    {
        "Id": ID,
        "Names": ["/web/alias", "/boring_feynman"],
        "Image": "ubuntu:latest",
        "ImageID": "d74508fb6632491cea586a1fd7d748dfc5274cd6fdfedee309ecdcbc2bf5cb82",
        "Command": "echo 1",
        "Created": 1367854155,
        "State": "running",
        "Status": "Up 2 hours",
        "Ports": [{"PrivatePort": 2222, "PublicPort": 3333, "Type": "tcp"}],
        "Labels": {"io.kubernetes.pod.name": "web-0", "io.kubernetes.pod.namespace": "shop"},
        "HostConfig": {"NetworkMode": "default"},
    }
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["Id", "Names", "Labels", "Image"]) | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


def test_containers_that_run() -> None:
    def get(path: str, target: str) -> bytes:
        assert (path, target) == ("/s", "/containers/json")
        return json.dumps(LIST).encode()

    assert containers("/s", get) == [Container(ID, "boring_feynman", "ubuntu:latest", None, "web-0", "shop")]


def test_a_host_name() -> None:
    told = {"Id": ID, "Name": "/boring_feynman", "Config": {"Hostname": "ba033ac44011"}, "State": {"Pid": 3}}
    assert inspected("/s", ID, lambda *_: json.dumps(told).encode()) == "ba033ac44011"
    assert inspected("/s", ID, lambda *_: b"[]") is None


def test_only_an_alias_is_better_than_nothing() -> None:
    assert listed(json.dumps([{"Id": ID, "Names": ["/a/b"]}]).encode())[0].name == "a/b"
    assert listed(json.dumps([{"Id": ID, "Names": ["/"]}]).encode())[0].name is None


@pytest.mark.parametrize("octets", [b"", b'{"message": "no"}', b"[" * 99_999, b'"x"', b"[{]"])
def test_what_is_no_list_is_an_error(octets: bytes) -> None:
    with pytest.raises(FleutanError, match="/s: its answer is no"):
        listed(octets, "/s")


@given(st.lists(JSON, max_size=4) | st.lists(JSON.map(lambda told: {"Id": ID, "Names": told, "Labels": told})))
def test_what_is_broken_is_passed_over(told: list[Any]) -> None:
    for one in listed(json.dumps(told).encode()):
        assert one.id == ID
        assert all(word is None or word.isprintable() for word in one)
