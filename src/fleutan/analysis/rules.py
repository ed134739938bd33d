# SPDX-License-Identifier: Apache-2.0
"""The rules by which ``limits`` finds what holds a flow up: a table, in the order in which they are tried.

Every threshold stands in a second table.  Which flows are asked about, and how an answer becomes
a column, is not known here.  ``docs/explanation/limits.md`` says each rule in words; a test keeps
both in step.

The figures are those of ``struct tcp_info``; ``busy``, ``rwnd_limited`` and ``sndbuf_limited`` are
kept by ``tcp_chrono_*`` (net/ipv4/tcp_output.c) and are what RFC 4898 calls SndLimTime.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from fleutan.analysis.figures import Figures, Mask


class Threshold(NamedTuple):
    """A figure that a rule compares with; who runs fleutan may set another."""

    name: str
    default: float
    help: str


THRESHOLDS = (
    Threshold("timeouts", 1, "retransmission timeouts in a row that make a flow stalled"),
    Threshold("unread_share", 0.5, "share of the own receive window that unread data may take"),
    Threshold("idle_ms", 1000, "silence after which a flow with nothing to send is idle"),
    Threshold("receiver_ratio", 10, "bytes received per byte sent that make a flow a receiving one"),
    Threshold("full_share", 0.8, "share of a window, or of the rate that it allows, that counts as all of it"),
    Threshold("busy_share", 0.5, "share of the interval with data to send below which the process is the limit"),
    Threshold("always_share", 0.9, "share of the interval with data to send that counts as always"),
    Threshold("busy_us", 100_000, "time with data to send before its shares say anything"),
    Threshold("held_share", 0.3, "share of the time with data to send that a window or buffer may hold up"),
    Threshold("loss_share", 0.01, "share of bytes that may be retransmitted"),
    Threshold("loss_segments", 10, "segments retransmitted before that share says anything"),
    Threshold("spurious_share", 0.5, "share of retransmissions found needless that means reordering"),
    Threshold("marked_share", 0.01, "share of segments marked by ECN that means congestion"),
    Threshold("queue_ratio", 2, "round-trip time as a multiple of the least that means a queue"),
    Threshold("queue_us", 5_000, "and by how much it must exceed the least"),
)


#: Every threshold by name.
At = Mapping[str, float]


class Rule(NamedTuple):
    """Where ``when`` holds, and all that it ``needs`` is known, the verdict is ``limit``.

    ``limit`` None: nothing can be said at this end.  ``evidence`` names figures in braces;
    one that is unknown there reads ``?``.
    """

    name: str
    limit: str | None
    needs: tuple[str, ...]
    when: Callable[[Figures, At], Mask]
    evidence: str
    hint: str


def _nothing_to_send(f: Figures) -> Mask:
    return (f["unacked"] <= 0) & (f["notsent"] <= 0)


def _receives(f: Figures, at: At) -> Mask:
    return (
        (f["bytes_received"] > 0)
        & (f["bytes_received"] >= at["receiver_ratio"] * f["bytes_sent"])
        & _nothing_to_send(f)
    )


def _held_up(f: Figures, at: At, share: str, other: str) -> Mask:
    return (f["busy"] >= at["busy_us"]) & (f[share] >= at["held_share"]) & (f[share] >= f[other])


def _lossy(f: Figures, at: At) -> Mask:
    return (f["retrans_share"] >= at["loss_share"]) & (f["retrans"] >= at["loss_segments"])


def _window_full(f: Figures, at: At) -> Mask:
    return (f["notsent"] > 0) & (f["in_flight"] >= at["full_share"] * f["cwnd"])


_SENDING = ("unacked", "notsent")
_WINDOW = ("in_flight", "cwnd", "notsent")
_NOTHING = "nothing to do: neither side has anything to say"
_TOO_LITTLE = "the process gives too little to send: see what it waits for (CPU, disk, requests of the peer)"
_RAISE_SNDBUF = "raise the send buffer here: net.ipv4.tcp_wmem, and no SO_SNDBUF in the process"
_LOSES = "the path loses packets: see the drops of its devices, policers, and the quality of radio links"
_THE_REST = "what is left is the path and its congestion control: see rtt, retrans and the qdisc of the device"
_FULL = "{in_flight} of {cwnd} segments in flight and {notsent} waiting"

RULES = (
    Rule(
        "timeout",
        "loss",
        ("backoff",),
        lambda f, at: f.says("timer", "on") & (f["backoff"] >= at["timeouts"]),
        "{backoff} timeouts in a row without an answer; the next after {rto}",
        "the peer or the path is silent: check that the peer is up, its route and the firewalls between",
    ),
    Rule(
        "closed",
        "rwnd",
        (*_SENDING, "snd_wnd", "mss"),
        lambda f, _: (f["unacked"] <= 0) & (f["notsent"] > 0) & (f["snd_wnd"] < f["mss"]),
        "the peer's window is down to {snd_wnd} and {notsent} are waiting",
        "the process at the peer does not read: look for it there",
    ),
    Rule(
        "unread",
        "app",
        ("rqueue", "rcv_wnd"),
        lambda f, at: f["unread_share"] >= at["unread_share"],
        "{rqueue} wait for this process to read; the window is down to {rcv_wnd}",
        "this process reads too slowly: see its CPU time, and what it hands the data to",
    ),
    Rule(
        "silent",
        "idle",
        (*_SENDING, "bytes_sent", "bytes_received", "interval"),
        lambda f, _: _nothing_to_send(f) & (f["bytes_sent"] == 0) & (f["bytes_received"] == 0),
        "nothing sent or received in {interval}",
        _NOTHING,
    ),
    Rule(
        "idle",
        "idle",
        (*_SENDING, "quiet"),
        lambda f, at: _nothing_to_send(f) & (f["quiet"] >= at["idle_ms"]),
        "nothing sent or received for {quiet}",
        _NOTHING,
    ),
    Rule(
        "own-window",
        "rwnd",
        (*_SENDING, "bytes_received", "bytes_sent", "rate_received", "own_window_rate"),
        lambda f, at: _receives(f, at) & (f["rate_received"] >= at["full_share"] * f["own_window_rate"]),
        "receives {rate_received}; the own window of {rcv_wnd} allows {own_window_rate}",
        "raise the receive buffer here: net.ipv4.tcp_rmem, and no SO_RCVBUF in the process",
    ),
    Rule(
        "receives",
        None,
        (*_SENDING, "bytes_received", "bytes_sent"),
        _receives,
        "{bytes_received} received and {bytes_sent} sent: what limits it shows at the sender",
        "run fleutan at the peer, which sends",
    ),
    Rule(
        "pacing",
        "pacing",
        ("notsent", "pacing_rate", "max_pacing_rate"),
        lambda f, at: (
            (f["pacing_rate"] >= at["full_share"] * f["max_pacing_rate"])
            & ((f["notsent"] > 0) | (f["rate_acked"] >= at["full_share"] * f["max_pacing_rate"]))
        ),
        "paced to {pacing_rate} of the {max_pacing_rate} that the process allows itself; {notsent} are waiting",
        "the process sets SO_MAX_PACING_RATE: raise it there",
    ),
    Rule(
        "seldom",
        "app",
        ("busy_share",),
        lambda f, at: f["busy_share"] < at["busy_share"],
        "had data to send in {busy_share} of {interval}",
        _TOO_LITTLE,
    ),
    Rule(
        "pause",
        "app",
        _SENDING,
        lambda f, _: _nothing_to_send(f) & np.isnan(f["interval"]),
        "nothing in flight and nothing waiting; last sent {last_data_sent} ago",
        "the process has nothing to send just now: see what it waits for (CPU, disk, requests of the peer)",
    ),
    Rule(
        "rwnd",
        "rwnd",
        ("busy", "rwnd_share", "sndbuf_share"),
        lambda f, at: _held_up(f, at, "rwnd_share", "sndbuf_share"),
        "{rwnd_share} of {busy} with data to send held up by the peer's window, now {snd_wnd}",
        "the peer reads too slowly, or its buffer is too small: see rqueue, net.ipv4.tcp_rmem and SO_RCVBUF there",
    ),
    Rule(
        "window",
        "rwnd",
        ("notsent", "unacked_bytes", "snd_wnd", "cwnd_bytes"),
        lambda f, at: (
            (f["notsent"] > 0)
            & (f["unacked_bytes"] >= at["full_share"] * f["snd_wnd"])
            & (f["snd_wnd"] < f["cwnd_bytes"])
        ),
        "{unacked_bytes} in flight fill the peer's window of {snd_wnd}, and {notsent} are waiting",
        "the peer's receive buffer is too small for this path: see net.ipv4.tcp_rmem and SO_RCVBUF there",
    ),
    Rule(
        "sndbuf",
        "sndbuf",
        ("busy", "sndbuf_share", "rwnd_share"),
        lambda f, at: _held_up(f, at, "sndbuf_share", "rwnd_share"),
        "{sndbuf_share} of {busy} with data to send held up by the own send buffer of {sndbuf}",
        _RAISE_SNDBUF,
    ),
    Rule(
        "buffer",
        "sndbuf",
        (*_WINDOW, "mss", "wmem_queued", "sndbuf"),
        lambda f, at: (
            (f["wmem_queued"] >= at["full_share"] * f["sndbuf"])
            & (f["notsent"] < f["mss"])
            & (f["in_flight"] > 0)
            & (f["in_flight"] < f["cwnd"])
        ),
        "all of the own send buffer of {sndbuf} is in flight, only {in_flight} of {cwnd} segments",
        _RAISE_SNDBUF,
    ),
    Rule(
        "reordering",
        "loss",
        ("retrans_share", "retrans", "spurious_share"),
        lambda f, at: _lossy(f, at) & (f["spurious_share"] >= at["spurious_share"]),
        "{retrans_share} retransmitted, but the peer had {spurious_share} of that already",
        "packets are reordered rather than lost: look for balancing per packet (bonding, several paths) on the way",
    ),
    Rule(
        "recovery",
        "loss",
        ("unacked", "lost", "retrans_out"),
        lambda f, _: f.says("ca_state", "recovery", "loss") & (f["lost"] + f["retrans_out"] > 0),
        "recovers now: {lost} lost and {retrans_out} retransmitted of {unacked} segments in flight",
        _LOSES,
    ),
    Rule(
        "loss",
        "loss",
        ("retrans_share", "retrans"),
        _lossy,
        "{retrans_share} of {bytes_sent} retransmitted ({retrans} segments)",
        _LOSES,
    ),
    Rule(
        "app",
        "app",
        ("app_limited", "notsent", "mss", "in_flight"),
        lambda f, _: (f["app_limited"] == 1) & (f["notsent"] < f["mss"]),
        "nothing is waiting, {in_flight} of {cwnd} segments in flight; the latest rate was the process's",
        _TOO_LITTLE,
    ),
    Rule(
        "marked",
        "cwnd",
        (*_WINDOW, "marked_share"),
        lambda f, at: _window_full(f, at) & (f["marked_share"] >= at["marked_share"]),
        _FULL + "; the path marked {marked_share} of the segments (ECN)",
        "a link on the path is congested and says so: this is the flow's share of it",
    ),
    Rule(
        "queue",
        "cwnd",
        (*_WINDOW, "rtt", "min_rtt"),
        lambda f, at: (
            _window_full(f, at)
            & (f["rtt"] >= at["queue_ratio"] * f["min_rtt"])
            & (f["rtt"] - f["min_rtt"] >= at["queue_us"])
        ),
        _FULL + "; rtt {rtt} where the least was {min_rtt}",
        "a link on the path is full and its queue long: this is the flow's share of it; BBR keeps the queue shorter",
    ),
    Rule(
        "slow-start",
        "cwnd",
        _WINDOW,
        lambda f, at: (
            _window_full(f, at) & ~f.says("cong", "bbr") & (np.isnan(f["ssthresh"]) | (f["cwnd"] < f["ssthresh"]))
        ),
        _FULL + ": in slow start, {cwnd_rate} so far",
        "the window still grows: keep connections open, and net.ipv4.tcp_slow_start_after_idle=0",
    ),
    Rule(
        "bbr",
        "cwnd",
        ("notsent", "bbr_bw"),
        lambda f, _: (f["notsent"] > 0) & (f["bbr_bw"] > 0),
        "{notsent} are waiting while BBR paces to {bbr_bw}, its estimate of the path",
        "the path carries no more, as far as BBR can tell",
    ),
    Rule(
        "cwnd",
        "cwnd",
        _WINDOW,
        _window_full,
        _FULL + ": at most {cwnd_rate} at rtt {rtt}",
        "the congestion window follows loss and distance: another congestion control (bbr), or a nearer peer",
    ),
    Rule(
        "always",
        "cwnd",
        ("busy_share", "notsent"),
        lambda f, at: (f["busy_share"] >= at["always_share"]) & (f["notsent"] > 0),
        "had data to send in {busy_share} of {interval}, held up by neither window nor buffer",
        _THE_REST,
    ),
    Rule(
        "waiting",
        "cwnd",
        _WINDOW,
        lambda f, _: f["notsent"] > 0,
        "{notsent} are waiting with {in_flight} of {cwnd} segments in flight",
        _THE_REST,
    ),
    Rule(
        "sent",
        "app",
        _WINDOW,
        lambda f, _: f["notsent"] == 0,
        "all that was written is in flight: {in_flight} of {cwnd} segments",
        _TOO_LITTLE,
    ),
)
