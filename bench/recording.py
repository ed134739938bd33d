# SPDX-License-Identifier: Apache-2.0
"""What ``fleutan record`` costs: CPU and memory with 10,000 flows and 1,000 new ones a second.

``python bench/recording.py [CONNECTIONS [NEW_A_SECOND [SECONDS]]] [-- OPTIONS OF record…]`` as root.
Two network namespaces joined by veth are made for it; the flows are those of one end.  Each
connection sends 200 bytes and gets an answer every five seconds, a new one does so once and ends.
The figures are those of the recording process, from its first interval's end to the last one's.
"""

from __future__ import annotations

import os

CPU_BAR, RSS_BAR = 5.0, 200
#: The interval of the recording, in seconds.
INTERVAL = 10
_TICKS = os.sysconf("SC_CLK_TCK")
CODE = "from fleutan.faces.cli import main; main()"

_SERVE = """
import resource, selectors, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (16384, 16384))
chosen = selectors.DefaultSelector()
for port in range(5000, 5004):  # of one port the other end would have used up its own in a minute
    listener = socket.create_server((sys.argv[1], port), backlog=4096)
    listener.setblocking(False)
    chosen.register(listener, selectors.EVENT_READ, "listener")
print("ready", flush=True)
while True:
    for key, _ in chosen.select():
        if key.data:
            chosen.register(key.fileobj.accept()[0], selectors.EVENT_READ)
        elif data := key.fileobj.recv(65536):
            key.fileobj.send(data)
        else:
            chosen.unregister(key.fileobj)
            key.fileobj.close()
"""
_SEND = """
import resource, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (16384, 16384))
held = [socket.create_connection((sys.argv[1], 5000)) for _ in range(int(sys.argv[2]))]
print("ready", flush=True)
step, due = 5 / len(held), time.monotonic()
while True:
    for one in held:
        one.send(bytes(200))
        one.recv(200)
        due += step
        if (left := due - time.monotonic()) > 0.01:
            time.sleep(left)
"""
_BRIEF = """
import itertools, socket, sys, time
step, due = 1 / int(sys.argv[2]), time.monotonic()
print("ready", flush=True)
for port in itertools.cycle(range(5000, 5004)):
    with socket.create_connection((sys.argv[1], port)) as one:
        one.send(bytes(200))
        one.recv(200)
    due += step
    if (left := due - time.monotonic()) > 0.01:
        time.sleep(left)
"""
