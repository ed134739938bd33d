# SPDX-License-Identifier: Apache-2.0
"""A network namespace of its own, with a device, that the test's thread is in."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest
from tests.bpf import MISSING

from fleutan.linux import capabilities, namespaces

_NEEDED = ("CAP_SYS_ADMIN", "CAP_NET_ADMIN")


class Inside:
    """The namespace that the thread is in, whose device ``veth0`` has this index, and is up."""

    def __init__(self, namespace: namespaces.Namespace) -> None:
        self.namespace = namespace
        self.run("ip link add veth0 type veth peer name veth1")
        for name in ("lo", "veth0", "veth1"):
            self.run(f"ip link set {name} up")

    def run(self, command: str) -> str:
        return subprocess.run(command.split(), check=True, capture_output=True, text=True).stdout

    def index(self, name: str = "veth0") -> int:
        return namespaces_index(name)


def namespaces_index(name: str) -> int:
    found = {device: index for index, device in namespaces.interface_names().items()}
    return found[name]


@pytest.fixture
def inside() -> Iterator[Inside]:
    if MISSING or capabilities.missing(_NEEDED):
        pytest.skip(MISSING or f"needs {' and '.join(capabilities.missing(_NEEDED))}")
    name = f"fln{os.getpid()}-tap"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        namespace = namespaces.find(name)
        with namespaces.entered(namespace):
            yield Inside(namespace)
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
