# SPDX-License-Identifier: Apache-2.0
"""Hosts to be looked at: network namespaces joined by veth, with processes that do what a test says.

All names begin with ``fln`` and the number of this process, and all are removed at the end.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from tests import bpf

import fleutan
from fleutan.linux import capabilities
from fleutan.table import Table

Row = dict[str, Any]
ACTOR = Path(__file__).with_name("actor.py")
DEADLINE = 15.0
#: Processes of the tests are not measured: some may not write where the figures go.
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
#: The command line, as Python runs it.
CODE = "from fleutan.faces.cli import main; main()"
_NUMBERS = itertools.count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips what this machine cannot do, and says what is missing."""
    reasons = []
    if capabilities.missing(("CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_PTRACE")):
        reasons.append("needs root (CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW: network namespaces of its own)")
    if not (shutil.which("ip") and shutil.which("ss") and shutil.which("setpriv")):
        reasons.append("needs ip and ss of iproute2, and setpriv of util-linux")
    for item in items:
        if reasons and item.path.parent == ACTOR.parent:
            item.add_marker(pytest.mark.skip(reason=reasons[0]))


def until(holds: Callable[[], Any], what: str, seconds: float = DEADLINE) -> Any:
    """What ``holds`` gives as soon as that is true."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
    return found


class Actor:
    """A process of a host."""

    def __init__(self, command: Sequence[str]) -> None:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen([*command, sys.executable, str(ACTOR)], env=PLAIN, **pipes)
        self.pid = int(self.ask("os.getpid()"))

    def do(self, code: str) -> None:
        self._tell("do", code)

    def ask(self, code: str) -> Any:
        return self._tell("ask", code)

    def _tell(self, kind: str, code: str) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([kind, code]) + "\n")
        self._process.stdin.flush()
        said, answer = json.loads(self._process.stdout.readline())
        assert said == "done", answer
        return answer

    def end(self) -> None:
        """Ends the process at once, and its children with it."""
        self._process.kill()
        self._process.communicate()


class Host:
    """A network namespace."""

    def __init__(self, name: str, held: ExitStack) -> None:
        self.name = name
        self._held = held

    def run(self, *command: str) -> str:
        """What a command says inside."""
        words = ["ip", "netns", "exec", self.name, *command]
        done = subprocess.run(words, check=True, capture_output=True, text=True, env=PLAIN)
        return done.stdout

    def fleutan(self, *words: str, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """The command line, run inside."""
        command = self.command(*words, before=before)
        return subprocess.run(command, check=False, capture_output=True, text=True, env=PLAIN)

    def command(self, *words: str, before: Sequence[str] = ()) -> list[str]:
        """What runs the command line inside."""
        return ["ip", "netns", "exec", self.name, *before, sys.executable, "-c", CODE, *words]

    def configure(self, *lines: str) -> None:
        """Lines for ``ip -batch``."""
        said = "\n".join(lines)
        subprocess.run(["ip", "-netns", self.name, "-batch", "-"], input=said, check=True, text=True)

    def actor(self) -> Actor:
        made = Actor(["ip", "netns", "exec", self.name])
        self._held.callback(made.end)
        return made

    def flows(self, filter_: str = "", **more: Any) -> Table:
        return fleutan.flows(filter_, **{"netns": self.name, "states": "all", **more})

    def rows(self, filter_: str = "", **more: Any) -> dict[int, Row]:
        """The flows by cookie."""
        return {row["cookie"]: row for row in self.flows(filter_, **more).rows()}

    def ss(self, *protocols: str) -> dict[int, Row]:
        """What ss says, under our keys, by cookie."""
        lines = self.run("ss", "-anipeOmH", "--tos", *protocols).splitlines()
        return {row["cookie"]: row for row in map(said_by_ss, lines)}

    def proc(self, name: str) -> list[tuple[Any, ...]]:
        """/proc/net/NAME: both ends, state, queues, uid and inode of every socket."""
        return sorted(map(said_by_proc, self.run("cat", f"/proc/net/{name}").splitlines()[1:]))


class Running:
    """A command line that runs inside a host, which may end it early; it ends with the test."""

    def __init__(self, host: Host, *words: str) -> None:
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(host.command(*words), env=PLAIN, **pipes)
        _RUNNING.append(self.process)

    def document(self) -> Row:
        """The next JSON document; the time that it is about is over, and that of the one after it begins."""
        assert self.process.stdout
        text = ""
        for line in self.process.stdout:
            text += line
            if line == "]}\n":
                found: Row = json.loads(text)
                return found
        raise AssertionError(self.process.communicate()[1])

    def ended(self) -> tuple[int, str, str]:
        """Exit status, and what it still wrote to standard output and to standard error."""
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


_RUNNING: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def nothing_goes_on() -> Iterator[None]:
    """Ends what a test that failed left behind."""
    yield
    while _RUNNING:
        with _RUNNING.pop() as process:
            process.kill()


class World(ExitStack):
    """Makes hosts, and removes them."""

    def host(self) -> Host:
        name = f"fln{os.getpid()}-{next(_NUMBERS)}"
        subprocess.run(["ip", "netns", "add", name], check=True)
        self.callback(subprocess.run, ["ip", "netns", "delete", name], check=False, capture_output=True)
        made = Host(name, self)
        made.configure("link set lo up")
        return made

    def pair(self, *shaping: str, queues: int = 1) -> tuple[Host, Host]:
        """Two hosts, 192.0.2.1 and .2, 2001:db8::1 and ::2, with so many queues; the first sends as ``tc`` says."""
        hosts = self.host(), self.host()
        many = f"numtxqueues {queues} numrxqueues {queues}"
        hosts[0].configure(f"link add veth0 {many} type veth peer name veth0 {many} netns {hosts[1].name}")
        for number, host in enumerate(hosts, 1):
            host.configure(
                f"address add 192.0.2.{number}/24 dev veth0",
                f"address add 2001:db8::{number}/64 dev veth0 nodad",
                "link set veth0 up",
            )
        if shaping:
            hosts[0].run("tc", "qdisc", "add", "dev", "veth0", "root", *shaping)
        return hosts

    def queued(self) -> tuple[Host, Host]:
        """A pair with four queues each, and a queueing discipline for every one."""
        hosts = self.pair(queues=4)
        for host in hosts:
            host.run("tc", "qdisc", "replace", "dev", "veth0", "root", "handle", "1:", "mq")
        return hosts

    def routed(self, *shaping: str) -> tuple[Host, Host]:
        """Two hosts, 192.0.2.1 and .129, and a router between them that sends to the second as ``tc`` says.

        What the router drops is lost; what a host's own device drops, its TCP would know of.
        """
        near, router, far = self.host(), self.host(), self.host()
        for number, (host, own) in enumerate(((near, 1), (far, 129))):
            host.configure(
                f"link add veth0 type veth peer name veth{number} netns {router.name}",
                f"address add 192.0.2.{own}/25 dev veth0",
                "link set veth0 up",
                f"route add default via 192.0.2.{own + 1}",
            )
            router.configure(f"address add 192.0.2.{own + 1}/25 dev veth{number}", f"link set veth{number} up")
        router.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
        router.run("tc", "qdisc", "add", "dev", "veth1", "root", *shaping)
        return near, far


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with World() as made:
        yield made


@pytest.fixture
def short_world() -> Iterator[World]:
    """For hosts that are there for one test only."""
    with World() as made:
        yield made


@pytest.fixture(params=["netlink", "bpf"])
def source(request: pytest.FixtureRequest) -> str:
    """Each way of reading."""
    if request.param == "bpf" and bpf.MISSING:
        pytest.skip(bpf.MISSING)
    return str(request.param)


@pytest.fixture(scope="session")
def needs_bpf() -> None:
    if bpf.MISSING:
        pytest.skip(bpf.MISSING)


@pytest.fixture(scope="session")
def wait() -> Callable[..., Any]:
    """Waits for a condition: ``wait(holds, what)``."""
    return until


# -- what others say

SS_STATES = {
    "ESTAB": "established",
    "SYN-SENT": "syn-sent",
    "SYN-RECV": "syn-recv",
    "FIN-WAIT-1": "fin-wait-1",
    "FIN-WAIT-2": "fin-wait-2",
    "TIME-WAIT": "time-wait",
    "UNCONN": "close",
    "CLOSE-WAIT": "close-wait",
    "LAST-ACK": "last-ack",
    "LISTEN": "listen",
    "CLOSING": "closing",
}
NUMBERED_STATES = (*("", "established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2", "time-wait"),
                   *("close", "close-wait", "last-ack", "listen", "closing"))  # fmt: skip


def micro(text: str) -> int:
    return round(float(text) * 1000)


def milli(text: str) -> int:
    return int(text) * 1000


def hexadecimal(text: str) -> int:
    return int(text, 16)


#: Words of ss that are followed by a whole number, and our keys.
_WHOLE = """
    uid=uid ino=inode mss=mss pmtu=pmtu rcvmss=rcv_mss advmss=advmss cwnd=cwnd ssthresh=ssthresh
    bytes_sent=bytes_sent bytes_retrans=bytes_retrans bytes_acked=bytes_acked bytes_received=bytes_received
    segs_out=segs_out segs_in=segs_in data_segs_out=data_segs_out data_segs_in=data_segs_in unacked=unacked
    delivered=delivered rcv_space=rcv_space rcv_ssthresh=rcv_ssthresh notsent=notsent snd_wnd=snd_wnd
    rcv_wnd=rcv_wnd lost=lost sacked=sacked rcv_ooopack=rcv_ooopack dsack_dups=dsack_dups reordering=reordering
    reord_seen=reord_seen lastsnd=last_data_sent_ms lastrcv=last_data_recv_ms lastack=last_ack_recv_ms
"""
_MEMORY = "r=rmem rb=rcvbuf t=wmem tb=sndbuf f=fwd_alloc w=wmem_queued o=optmem bl=backlog d=drops"
SAYS: tuple[tuple[str, str, Callable[[str], Any]], ...] = (
    *((rf" {word}:(\d+)", key, int) for word, key in (pair.split("=") for pair in _WHOLE.split())),
    *((rf" skmem:\S*[(,]{word}(\d+)", key, int) for word, key in (pair.split("=") for pair in _MEMORY.split())),
    (r" sk:([0-9a-f]+)", "cookie", hexadecimal),
    (r" fwmark:0x([0-9a-f]+)", "mark", hexadecimal),
    (r" tos:(\w+)", "tos", hexadecimal),
    (r" tclass:(\w+)", "tclass", hexadecimal),
    (r" v6only:(\d)", "v6only", lambda text: text == "1"),
    (r" timer:\((\w+),", "timer", str),
    (r" timer:\(\w+,[^,]*,(\d+)\)", "backoff", int),
    (r" (bbr|cubic|reno) ", "cong", str),
    (r" tcp-ulp-(\w+)", "ulp", str),
    (r" wscale:(\d+)", "snd_wscale", int),
    (r" wscale:\d+,(\d+)", "rcv_wscale", int),
    (r" rto:(\S+)", "rto_us", micro),
    (r" rtt:([\d.]+)/", "rtt_us", micro),
    (r" rtt:[\d.]+/(\S+)", "rtt_var_us", micro),
    (r" ato:(\S+)", "ato_us", micro),
    (r" minrtt:(\S+)", "min_rtt_us", micro),
    (r" rcv_rtt:(\S+)", "rcv_rtt_us", micro),
    (r" retrans:(\d+)/", "retrans_out", int),
    (r" retrans:\d+/(\d+)", "retrans", int),
    (r" delivery_rate (\d+)bps", "delivery_rate_bps", int),
    (r" pacing_rate (\d+)bps", "pacing_rate_bps", int),
    (r" pacing_rate \d+bps/(\d+)bps", "max_pacing_rate_bps", int),
    (r" busy:(\d+)ms", "busy_us", milli),
    (r" rwnd_limited:(\d+)ms", "rwnd_limited_us", milli),
    (r" sndbuf_limited:(\d+)ms", "sndbuf_limited_us", milli),
    (r" (app_limited) ", "app_limited", bool),
    (r" token:(\w+) ", "mptcp_token", hexadecimal),
    (r" bbr:\(bw:(\d+)bps", "bbr_bw_bps", int),
    (r" bbr:\(bw:\d+bps,mrtt:([\d.]+)", "bbr_min_rtt_us", micro),
)
#: What ss prints in whole milliseconds.
COARSE = {"busy_us", "rwnd_limited_us", "sndbuf_limited_us"}
#: What ss leaves out where it is nothing.
SILENT = frozenset(
    {"uid", "mark", "unacked", "lost", "sacked", "retrans", "retrans_out", "notsent", "rcv_rtt_us", "app_limited"}
    | {"bytes_sent", "bytes_retrans", "bytes_acked", "bytes_received", "timer", "backoff", "busy_us", "ulp"}
)


def text_of(host: str) -> str:
    """An address as we write it."""
    if host == "*":
        return "::"
    address = ip_address(host.strip("[]"))
    return str(getattr(address, "ipv4_mapped", None) or address)


def said_by_ss(line: str) -> Row:
    state, rqueue, wqueue, near, far = line.split(maxsplit=5)[:5]
    found: Row = {"state": SS_STATES[state], "rqueue": int(rqueue), "wqueue": int(wqueue)}
    for end, (host_key, port_key) in ((near, ("src", "sport")), (far, ("dst", "dport"))):
        host, _, port = end.rpartition(":")
        found[host_key] = text_of(host.partition("%")[0])
        found[port_key] = 0 if port == "*" else int(port)
        if "%" in host and host_key == "src":
            found["dev"] = host.partition("%")[2].strip("]")
    for pattern, key, value in SAYS:
        if match := re.search(pattern, f"{line} "):
            found[key] = value(match[1])
    if pids := {int(pid) for pid in re.findall(r"pid=(\d+)", line)}:
        found["pids"] = tuple(sorted(pids))
    return found


def said_by_proc(line: str) -> tuple[Any, ...]:
    def end(text: str) -> tuple[str, int]:
        host, port = text.split(":")
        words = [int(host[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(host), 8)]
        return text_of(str(ip_address(b"".join(words)))), int(port, 16)

    _, near, far, state, queues, _, _, uid, _, inode = line.split()[:10]
    wqueue, rqueue = (int(part, 16) for part in queues.split(":"))
    return (*end(near), *end(far), NUMBERED_STATES[int(state, 16)], wqueue, rqueue, int(uid), int(inode))
