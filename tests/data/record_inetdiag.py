# SPDX-License-Identifier: Apache-2.0
"""Records sock_diag dumps of sockets of many kinds, and what ss and /proc/net say of the same.

``python tests/data/record_inetdiag.py DIRECTORY`` (root) makes the sockets in a fresh network
namespace, writes NAME.bin (the netlink messages), NAME.ss and the files of /proc/net, and
leaves nothing behind.  Addresses are loopback's and those for documentation.
"""

from __future__ import annotations

import ctypes
import os
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from fleutan.errors import NotSupported
from fleutan.linux import sockdiag

CLONE_NEWNET = 0x4000_0000
IPPROTO_MPTCP = 262
IPV4, IPV6, ABSENT = "192.0.2.1", "2001:db8::1", "198.51.100.7"
NOBODY = 65534
#: Dump -> how ss is asked for the same sockets.
PROTOCOLS = {"tcp": "-t", "udp": "-u", "mptcp": "-M"}
#: Dump -> the files of /proc/net about the same sockets.
PROC = {"tcp": ("tcp", "tcp6"), "udp": ("udp", "udp6"), "mptcp": ()}
#: What ss shows that goes on changing in sockets at rest.
RESTLESS = re.compile(r"\b(lastsnd|lastrcv|lastack|timer|busy|rwnd_limited|sndbuf_limited):\S+")


def own_namespace() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    for words in (
        "link set lo up",
        f"address add {IPV4}/32 dev lo",
        f"address add {IPV6}/128 dev lo nodad",
        f"route add {ABSENT}/32 dev lo",
    ):
        subprocess.run(["ip", *words.split()], check=True)


class Crowd(ExitStack):
    """Sockets that are held until the end."""

    def listener(
        self, family: int, host: str, protocol: int = socket.IPPROTO_TCP, v6only: bool = False
    ) -> socket.socket:
        made = self.enter_context(socket.socket(family, socket.SOCK_STREAM, protocol))
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
        made.bind((host, 0))
        made.listen(7)
        return made

    def client(self, family: int, congestion: str = "", protocol: int = socket.IPPROTO_TCP) -> socket.socket:
        made = self.enter_context(socket.socket(family, socket.SOCK_STREAM, protocol))
        if congestion:
            with suppress(FileNotFoundError):  # a kernel without it: the default will do
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, congestion.encode())
        return made

    def pair(
        self, listener: socket.socket, family: int, host: str, congestion: str = "", protocol: int = socket.IPPROTO_TCP
    ) -> tuple[socket.socket, socket.socket]:
        near = self.client(family, congestion, protocol)
        near.connect((host, listener.getsockname()[1]))
        return near, self.enter_context(listener.accept()[0])


def streams(crowd: Crowd) -> None:
    four = crowd.listener(socket.AF_INET, IPV4)
    six = crowd.listener(socket.AF_INET6, IPV6, v6only=True)
    both = crowd.listener(socket.AF_INET6, "::")
    near, _ = crowd.pair(four, socket.AF_INET, IPV4, "cubic")
    near.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x10)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 0x2A)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    near.sendall(b"x" * 12345)
    near, far = crowd.pair(six, socket.AF_INET6, IPV6, "reno")
    near.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0x20)
    far.sendall(b"y" * 100)
    near.recv(100)
    crowd.pair(both, socket.AF_INET, "127.0.0.1", "bbr")[0].sendall(b"mapped")
    crowd.pair(both, socket.AF_INET6, "::1", "bbr")
    near, _ = crowd.pair(four, socket.AF_INET, IPV4, "bbr")
    near.shutdown(socket.SHUT_WR)
    for listener, family, host in ((four, socket.AF_INET, IPV4), (six, socket.AF_INET6, IPV6)):
        near, far = crowd.pair(listener, family, host)
        near.close()
        while far.recv(1):
            pass
        far.close()
    stuck, _ = crowd.pair(four, socket.AF_INET, IPV4, "reno")
    stuck.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            stuck.send(bytes(1 << 16))
    unanswered = crowd.client(socket.AF_INET, "cubic")
    unanswered.setblocking(False)
    unanswered.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    unanswered.connect_ex((ABSENT, 9))
    waiting = crowd.client(socket.AF_INET, "reno")
    waiting.connect(four.getsockname())  # stays in the listener's queue
    handshake(four.getsockname()[1])


def handshake(port: int) -> None:
    """A SYN whose sender never answers: a connection that stays half open."""
    source, target = socket.inet_aton(ABSENT), socket.inet_aton(IPV4)
    tcp = struct.pack(">HHIIBBHHH", 4321, port, 1, 0, 5 << 4, 2, 65535, 0, 0)
    summed = source + target + struct.pack(">HH", socket.IPPROTO_TCP, len(tcp)) + tcp
    total = sum(struct.unpack(f">{len(summed) // 2}H", summed))
    total = (total & 0xFFFF) + (total >> 16)
    tcp = tcp[:16] + struct.pack(">H", ~(total + (total >> 16)) & 0xFFFF) + tcp[18:]
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40, 1, 0, 64, socket.IPPROTO_TCP, 0, source, target)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(header + tcp, (IPV4, 0))


def datagrams(crowd: Crowd) -> None:
    def bound(family: int, host: str, v6only: bool = False) -> socket.socket:
        made = crowd.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
        made.bind((host, 0))
        return made

    four, six = bound(socket.AF_INET, IPV4), bound(socket.AF_INET6, "::", v6only=True)
    bound(socket.AF_INET, "0.0.0.0")  # noqa: S104 in a namespace of its own
    for server, family, host in ((four, socket.AF_INET, IPV4), (six, socket.AF_INET6, IPV6)):
        near = crowd.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        near.connect((host, server.getsockname()[1]))
        near.send(b"unread")
    mapped = crowd.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
    mapped.connect((f"::ffff:{IPV4}", four.getsockname()[1]))


def multipath(crowd: Crowd) -> None:
    with open("/proc/sys/net/mptcp/enabled", "w") as enabled:
        enabled.write("1")
    listener = crowd.listener(socket.AF_INET, IPV4, IPPROTO_MPTCP)
    near, far = crowd.pair(listener, socket.AF_INET, IPV4, protocol=IPPROTO_MPTCP)
    near.sendall(b"z" * 1000)
    far.recv(1000)
    near.sendall(b"unread")


@contextmanager
def crowd() -> Iterator[None]:
    with Crowd() as made:
        streams(made)
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
        datagrams(made)
        os.seteuid(0)
        os.setegid(0)
        if os.path.exists("/proc/sys/net/mptcp/enabled"):
            multipath(made)
        yield


def trimmed(text: str) -> str:
    return re.sub(" +$", "", text, flags=re.MULTILINE)


def ss(name: str) -> str:
    words = ["ss", "-anieOmH", "--tos", PROTOCOLS[name]]
    return trimmed(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def record(directory: Path, name: str) -> None:
    """Reads until ss says the same before and after, so that all saw the same."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        before = ss(name)
        data = sockdiag.dump(sockdiag.PROTOCOLS[name]).data
        lists = {file: Path("/proc/thread-self/net", file).read_text() for file in PROC[name]}
        after = ss(name)
        if RESTLESS.sub("", before) == RESTLESS.sub("", after):
            break
    else:
        raise SystemExit(f"the {name} sockets did not come to rest")
    (directory / f"{name}.bin").write_bytes(data)
    (directory / f"{name}.ss").write_text(after)
    for file, text in lists.items():
        (directory / f"{file}.proc").write_text(trimmed(text))


def main(directory: Path) -> None:
    own_namespace()
    directory.mkdir(exist_ok=True)
    with crowd():
        for name in PROTOCOLS:
            with suppress(NotSupported):
                record(directory, name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
