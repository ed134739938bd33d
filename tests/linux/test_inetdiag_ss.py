# SPDX-License-Identifier: Apache-2.0
"""The columns of recorded and of live dumps against what ss and /proc/net say of the same sockets."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fleutan.linux import inetdiag
from fleutan.records import Records

DATA = Path(__file__).parents[1] / "data"
RECORDED = DATA / "inetdiag"
PROTOCOLS = {"tcp": 6, "udp": 17, "mptcp": 262}
Row = dict[str, Any]


@pytest.fixture(scope="module", params=["recorded", "live"])
def dumps(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with dumps and what ss and /proc/net said at the time."""
    if request.param == "recorded":
        return RECORDED
    if os.geteuid() or not shutil.which("ss"):
        pytest.skip("needs root (CAP_SYS_ADMIN: a network namespace) and ss of iproute2")
    directory = tmp_path_factory.mktemp("live")
    subprocess.run([sys.executable, DATA / "record_inetdiag.py", directory], check=True, timeout=60)
    return directory


def rows_of(records: Records) -> Iterator[Row]:
    """Every row with what is known of it; addresses as text."""
    for row in range(records.rows):
        found = {
            name: values[row].tolist()
            for name, values in records.values.items()
            if name not in records.known or records.known[name][row]
        }
        length = 4 if found["idiag_family"] == 2 else 16
        for name in ("idiag_src", "idiag_dst"):
            found[name] = str(ip_address(np.array(found[name], np.uint32).tobytes()[:length]))
        yield found


def parsed(directory: Path, name: str) -> list[Row]:
    if not (directory / f"{name}.bin").exists():
        pytest.skip(f"needs a kernel that lists {name} sockets")
    records, malformed = inetdiag.parse_counted((directory / f"{name}.bin").read_bytes(), PROTOCOLS[name])
    assert malformed == 0
    assert all(len(values) == records.rows for values in [*records.values.values(), *records.known.values()])
    return list(rows_of(records))


#: TCP_ESTABLISHED (1) and so on.
STATES = "- ESTAB SYN-SENT SYN-RECV FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT UNCONN CLOSE-WAIT LAST-ACK LISTEN CLOSING"
SHUTDOWNS = {"<->": 0, "-->": 1, "<--": 2, "---": 3}


def micro(text: str) -> int:
    return round(float(text) * 1000)


def hexadecimal(text: str) -> int:
    value = int(text, 16)
    return value - (1 << 64) if value >> 63 else value


def octets(text: str) -> int:
    return int(text) // 8


#: Words of ss that are followed by a whole number, and the columns that they show.
WHOLE = """
    uid=idiag_uid ino=idiag_inode v6only=v6only mss=tcpi_snd_mss pmtu=tcpi_pmtu rcvmss=tcpi_rcv_mss advmss=tcpi_advmss
    cwnd=tcpi_snd_cwnd ssthresh=tcpi_snd_ssthresh bytes_sent=tcpi_bytes_sent bytes_retrans=tcpi_bytes_retrans
    bytes_acked=tcpi_bytes_acked bytes_received=tcpi_bytes_received segs_out=tcpi_segs_out segs_in=tcpi_segs_in
    data_segs_out=tcpi_data_segs_out data_segs_in=tcpi_data_segs_in unacked=tcpi_unacked delivered=tcpi_delivered
    rcv_space=tcpi_rcv_space rcv_ssthresh=tcpi_rcv_ssthresh notsent=tcpi_notsent_bytes snd_wnd=tcpi_snd_wnd
    subflows_max=mptcpi_subflows_max
"""
#: Those inside skmem, and the columns that they show.
MEMORY = "r=rmem_alloc rb=rcvbuf t=wmem_alloc tb=sndbuf f=fwd_alloc w=wmem_queued o=optmem bl=backlog d=drops"
#: A pattern in a line of ss, the column it shows, and how its text becomes the column's value.
SAYS: tuple[tuple[str, str, Callable[[str], Any]], ...] = (
    *((rf" {word}:(\d+)", name, int) for word, name in (pair.split("=") for pair in WHOLE.split())),
    *((rf"skmem:\S*[(,]{word}(\d+)", name, int) for word, name in (pair.split("=") for pair in MEMORY.split())),
    (r" sk:([0-9a-f]+)", "idiag_cookie", hexadecimal),
    (r" fwmark:0x([0-9a-f]+)", "mark", hexadecimal),
    (r" ([<-]-[>-]) ", "shutdown", SHUTDOWNS.__getitem__),
    (r" tos:(\w+)", "tos", hexadecimal),
    (r" tclass:(\w+)", "tclass", hexadecimal),
    (r" (bbr|cubic|reno) ", "cong", str.encode),
    (r" tcp-ulp-(\w+)", "ulp", str.encode),
    (r" wscale:(\d+)", "tcpi_snd_wscale", int),
    (r" wscale:\d+,(\d+)", "tcpi_rcv_wscale", int),
    (r" rto:(\S+)", "tcpi_rto", micro),
    (r" rtt:([\d.]+)/", "tcpi_rtt", micro),
    (r" rtt:[\d.]+/(\S+)", "tcpi_rttvar", micro),
    (r" ato:(\S+)", "tcpi_ato", micro),
    (r" minrtt:(\S+)", "tcpi_min_rtt", micro),
    (r" retrans:(\d+)/", "tcpi_retrans", int),
    (r" retrans:\d+/(\d+)", "tcpi_total_retrans", int),
    (r" (app_limited)", "tcpi_delivery_rate_app_limited", lambda _: 1),
    (r" delivery_rate (\d+)bps", "tcpi_delivery_rate", octets),
    (r" token:\w+\(id:\d+\)/(\w+)", "mptcp_token_loc", hexadecimal),
    (r" token:(\w+)\(id:\d+\)/", "mptcp_token_rem", hexadecimal),
    (r" token:(\w+) ", "mptcpi_token", hexadecimal),
    (r" write_seq:(\w+)", "mptcpi_write_seq", hexadecimal),
    (r" snd_una:(\w+)", "mptcpi_snd_una", hexadecimal),
    (r" rcv_nxt:(\w+)", "mptcpi_rcv_nxt", hexadecimal),
    (r" bbr:\(bw:(\d+)bps", "bbr_bw", octets),
    (r" bbr:\(bw:\d+bps,mrtt:([\d.]+)", "bbr_min_rtt", micro),
)
#: What ss leaves out where it is this.
SILENT = {"idiag_uid": 0, "mark": 0, "tcpi_delivery_rate_app_limited": 0, "tcpi_bytes_sent": 0, "tcpi_retrans": 0}


def said(line: str) -> Row:
    """What a line of ss says, by our names."""
    state, rqueue, wqueue, near, far = line.split(maxsplit=5)[:5]
    found: Row = {"idiag_state": STATES.split().index(state), "idiag_rqueue": int(rqueue), "idiag_wqueue": int(wqueue)}
    for side, end in (("s", near), ("d", far)):
        host, _, port = end.rpartition(":")
        host = host.partition("%")[0].strip("[]")
        found[f"idiag_{'src' if side == 's' else 'dst'}"] = str(ip_address("::" if host == "*" else host))
        found[f"idiag_{side}port"] = 0 if port == "*" else int(port)
    for pattern, name, value in SAYS:
        if match := re.search(pattern, line + " "):
            found[name] = value(match[1])
    return found


@pytest.mark.parametrize("name", PROTOCOLS)
def test_ss_says_the_same(dumps: Path, name: str) -> None:
    ours = {row["idiag_cookie"]: row for row in parsed(dumps, name)}
    lines = (dumps / f"{name}.ss").read_text().splitlines()
    theirs = {row["idiag_cookie"]: row for row in map(said, lines)}
    assert ours.keys() == theirs.keys()
    for cookie, row in theirs.items():
        mine = ours[cookie]
        assert {part: mine.get(part) for part in row} == row
        assert {
            part: value for part, value in SILENT.items() if part in mine and part not in row
        }.items() <= mine.items()


def test_every_pattern_was_compared() -> None:
    lines = [line + " " for name in PROTOCOLS for line in (RECORDED / f"{name}.ss").read_text().splitlines()]
    unseen = [name for pattern, name, _ in SAYS if not any(re.search(pattern, line) for line in lines)]
    assert unseen == ["tcpi_snd_ssthresh"]


@pytest.mark.parametrize("name", ["tcp", "udp"])
def test_proc_says_the_same(dumps: Path, name: str) -> None:
    theirs = [row for file in (f"{name}.proc", f"{name}6.proc") for row in proc_rows(dumps / file)]
    ours = []
    for row in parsed(dumps, name):
        listens = row["idiag_state"] == 10  # /proc does not show a listener's limit
        ours.append(
            (
                (row["idiag_src"], row["idiag_sport"], row["idiag_dst"], row["idiag_dport"], row["idiag_state"]),
                (0 if listens else row["idiag_wqueue"], row["idiag_rqueue"]),
                (row.get("idiag_uid", 0), row["idiag_inode"]),
            )
        )
    assert sorted(ours) == sorted(theirs)


def proc_rows(path: Path) -> Iterator[tuple[Any, ...]]:
    def end(text: str) -> tuple[str, int]:
        host, port = text.split(":")
        words = struct.unpack(f">{len(host) // 8}I", bytes.fromhex(host))  # printed as numbers of this machine
        return str(ip_address(struct.pack(f"={len(words)}I", *words))), int(port, 16)

    for line in path.read_text().splitlines()[1:]:
        _, near, far, state, queues, _, _, uid, _, inode = line.split()[:10]
        wqueue, rqueue = (int(part, 16) for part in queues.split(":"))
        yield (*end(near), *end(far), int(state, 16)), (wqueue, rqueue), (int(uid), int(inode))
