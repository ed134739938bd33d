# SPDX-License-Identifier: Apache-2.0
"""One host with a device of four tx queues, and the disciplines that a test wants on it.

Nothing but the test sends there.  Where the kernel has no such discipline the test is skipped
and names it: ``make test-vm`` runs them all on Debian's kernel.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.namespaces.conftest import Host, World

from fleutan.linux import capabilities
from fleutan.linux.namespaces import entered, find

#: Where datagrams go: to nobody, behind a device that takes them.
NOWHERE = "192.0.2.2"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips what this machine cannot do, and says what is missing."""
    lacking = capabilities.missing(("CAP_SYS_ADMIN", "CAP_NET_ADMIN"))
    reason = f"needs {' and '.join(lacking)} (network namespaces of its own)" if lacking else ""
    if not (shutil.which("ip") and shutil.which("tc")):
        reason = reason or "needs ip and tc of iproute2"
    for item in items:
        if reason and item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.skip(reason=reason))


class Sender(Host):
    """A network namespace whose device veth0 has the queueing disciplines that a test gives it."""

    def discipline(self, place: str, kind: str, options: str = "") -> None:
        """Adds one at ``root`` or ``parent 1:1``, with its handle; skips where the kernel has no such kind."""
        words = ["tc", "-n", self.name, "qdisc", "add", "dev", "veth0", *place.split(), kind, *options.split()]
        made = subprocess.run(words, capture_output=True, text=True, check=False)
        if "kind is unknown" in made.stderr:
            pytest.skip(f"needs the queueing discipline {kind} (sch_{kind} in this kernel)")
        assert not made.returncode, made.stderr

    def send(self, count: int, priority: int = 0) -> None:
        """So many datagrams of 1042 bytes on the wire, each from a port of its own."""
        with entered(find(self.name)):
            for _ in range(count):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, priority)
                    one.sendto(bytes(1000), (NOWHERE, 9))


@pytest.fixture
def host() -> Iterator[Sender]:
    with World() as world:
        made = Sender(world.host().name, world)
        # Without IPv6 the kernel has nothing to say on its own, and with a neighbour it need not ask.
        made.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6")
        made.configure(
            "link add veth0 numtxqueues 4 type veth peer name veth1 numtxqueues 4",
            "address add 192.0.2.1/24 dev veth0",
            "link set veth1 up",
            "link set veth0 up",
            f"neighbour add {NOWHERE} lladdr 02:00:00:00:00:02 dev veth0 nud permanent",
        )
        yield made
