# SPDX-License-Identifier: Apache-2.0
"""A crowd of TCP connections on loopback, for measuring against.

``python bench/crowd.py 48000 COMMAND…`` makes that many connections (two sockets each) in six
processes, runs the command beside them, and takes everything down.  Root puts the crowd and the
command into a network namespace of their own.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

PAIRS = 3
CLONE_NEWNET = 0x4000_0000


@contextmanager
def crowd(connections: int) -> Iterator[None]:
    """Holds ``connections`` established connections, both ends of each, in six processes."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    share = -(-connections // PAIRS)
    gates = [_pair(index, min(share, connections - index * share)) for index in range(PAIRS)]
    children = [pid for _, pids in gates for pid in pids]
    try:
        for gate, _ in gates:
            if os.read(gate, 1) != b"!":
                raise SystemExit("the crowd could not be made: RLIMIT_NOFILE or ports are too few")
        yield
    finally:
        for pid in children:
            os.kill(pid, 9)
        for pid in children:
            os.waitpid(pid, 0)


def _pair(index: int, connections: int) -> tuple[int, tuple[int, int]]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    gate, ready = os.pipe()
    server = os.fork()
    if server == 0:
        held = []
        for number in range(connections):
            end = listener.accept()[0]
            if number % 3 == 0:
                end.sendall(b"x" * (number % 1000 + 1))
            held.append(end)
        os.write(ready, b"!")
        _hold()
    client = os.fork()
    if client == 0:
        held = []
        for number in range(connections):
            end = socket.create_connection(listener.getsockname(), source_address=(f"127.1.{index}.1", 0))
            if number % 2:
                end.sendall(b"y" * (number % 500 + 1))
            held.append(end)
        _hold()
    listener.close()
    os.close(ready)
    return gate, (server, client)


def _hold() -> None:
    while True:
        signal.pause()


def own_namespace() -> None:
    """Moves this process into a fresh network namespace with loopback up (root only)."""
    if os.geteuid():
        return
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as ports:
        ports.write("1100 65000")


if __name__ == "__main__":
    own_namespace()
    with crowd(int(sys.argv[1])):
        sys.exit(subprocess.run(sys.argv[2:], check=False).returncode)
