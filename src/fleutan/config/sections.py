# SPDX-License-Identifier: Apache-2.0
"""Every key of a configuration file: its default, what its value is, and what it means.

``docs/reference/configuration.md`` is made of these tables.  How a file is found and read is the
business of the package itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from fleutan.config.values import (
    ADDRESS,
    COMMAND,
    OCTETS,
    PATH,
    PORT,
    RETENTION,
    TEXT,
    TRUTH,
    Value,
    choice,
    number,
    several,
    whole,
)
from fleutan.lake.retention import DEFAULTS, Keep

#: Megabytes and gigabytes as they are written.
MB, GB = 10**6, 10**9
#: A day in seconds.
DAY = 86_400
#: How jobs can be looked up.
LOOKUPS = ("none", "oar", "slurm", "command", "file")


def entry(default: Any, value: Value, meaning: str, typed: str = "") -> Any:
    """A field of a section; ``typed`` is how it is written in TOML: the default, or an example where there is none."""
    return field(default_factory=lambda: default, metadata={"entry": Entry(value, meaning, typed)})


class Entry(NamedTuple):
    """What a key's value is, what it means, and how it is typed where that is not plain of its default."""

    value: Value
    meaning: str
    typed: str


def section(made: type) -> Any:
    """A field that is a table of its own, all defaults."""
    return field(default_factory=made, metadata={"section": made})


@dataclass(frozen=True)
class Lake:
    """Where rows are kept, when they are written, and for how long they stay."""

    path: Path | None = entry(
        None, PATH, "The lake's directory. Without it: /var/lib/fleutan/lake of root, else the user's own.", "'lake'"
    )
    flush_seconds: float = entry(5.0, number("seconds from 0.1 to 60", 0.1, 60), "Rows are on disk after so long.")
    seal_seconds: float = entry(
        300.0, number("seconds from 1 to 3600", 1, 3600), "Few rows become a file after so long."
    )
    waiting_bytes: int = entry(
        512 << 20, OCTETS, "Rows that may wait for the disk; the oldest beyond are lost.", "'512 MiB'"
    )
    compaction: bool = entry(True, TRUTH, "Whether small files are made into hourly ones, and old ones taken away.")
    retention: Mapping[str, Keep] = entry(
        DEFAULTS, RETENTION, "How long rows of each kind stay, and how many bytes of them.", "see below"
    )


@dataclass(frozen=True)
class Record:
    """What is recorded of this host."""

    interval: float = entry(10.0, number("seconds from 0.1 to 86400", 0.1, DAY), "How long an interval is.")
    netns: str = entry("all", TEXT, "A network namespace by name or process id, or all of them.")
    source: str = entry("auto", choice("auto", "netlink", "bpf"), "How sockets are read.")
    paths: float | None = entry(
        None, number("minutes from 0.1", 0.1, DAY), "Paths to new peers are traced so often.", "30"
    )
    packets: int | None = entry(
        None, whole("octets from 1 to 4096", 1, 4096), "The first octets that are kept of some packets.", "128"
    )
    one_in: int = entry(1000, whole("a number from 1", 1, 1 << 32), "Of one in so many packets, drawn by lot.")


@dataclass(frozen=True)
class Collect:
    """What the collector listens to."""

    ports: tuple[int, ...] = entry((6343, 2055, 4739), several(PORT, "a list of UDP ports", 1), "UDP ports.")
    addresses: tuple[str, ...] = entry(
        (), several(ADDRESS, "a list of IP addresses"), "Where it listens: '::' is everywhere; none: loopback only."
    )
    sockets: int = entry(1, whole("a number from 1 to 64", 1, 64), "Sockets that share each port.")
    headers: int = entry(128, whole("octets up to 65536", 0, 1 << 16), "Octets that are kept of each sampled header.")
    queue_bytes: int = entry(
        128 * MB, OCTETS, "Datagrams that may wait to be decoded; those beyond are lost.", "'128 MB'"
    )


@dataclass(frozen=True)
class Limits:
    """What one question over HTTP may cost."""

    seconds: float = entry(60.0, number("seconds from 0.1", 0.1, DAY), "An answer that takes longer is given up.")
    rows: int = entry(1_000_000, whole("a number from 1", 1), "An answer ends after so many rows, and says so.")
    memory: int = entry(512 * MB, OCTETS, "Memory of one question.", "'512 MB'")
    concurrent: int = entry(4, whole("a number from 1 to 1024", 1, 1024), "Questions at a time; others wait.")


@dataclass(frozen=True)
class Serve:
    """How questions are answered over HTTP."""

    host: str = entry("127.0.0.1", ADDRESS, "Where it listens.")
    port: int = entry(44444, PORT, "The TCP port.")
    tokens: Path | None = entry(None, PATH, "A file of tokens, one a line; who asks has to have one.", "'tokens'")
    certificate: Path | None = entry(None, PATH, "TLS: the certificate and its chain, PEM.", "'fullchain.pem'")
    key: Path | None = entry(None, PATH, "TLS: its private key, PEM.", "'privkey.pem'")
    collect: bool = entry(False, TRUTH, "Whether the same process collects, as [collect] says.")
    record: bool = entry(False, TRUTH, "Whether the same process records, as [record] says.")
    limits: Limits = section(Limits)


@dataclass(frozen=True)
class Jobs:
    """How a batch system's jobs become nodes and a span of time."""

    source: str = entry("none", choice(*LOOKUPS), "Who is asked.")
    url: str | None = entry(None, TEXT, "oar: where the REST API begins.", "'https://oar.example.org/oarapi'")
    grid_url: str | None = entry(
        None, TEXT, "oar: the same of OAR's grid, for grid jobs.", "'https://oar.example.org/oargridapi'"
    )
    command: tuple[str, ...] = entry(
        (), COMMAND, "command: what is run; {id} becomes the job's id.", "['job-nodes', '{id}']"
    )
    grid_command: tuple[str, ...] = entry((), COMMAND, "command: the same for grid jobs.", "['grid-nodes', '{id}']")
    file: Path | None = entry(None, PATH, "file: jobs in TOML or JSON.", "'jobs.toml'")
    seconds: float = entry(10.0, number("seconds from 0.1 to 600", 0.1, 600), "How long it may take.")


@dataclass(frozen=True)
class Config:
    """Everything that a file may say; ``file`` is the one that was read, if any."""

    lake: Lake = section(Lake)
    record: Record = section(Record)
    collect: Collect = section(Collect)
    serve: Serve = section(Serve)
    jobs: Jobs = section(Jobs)
    file: Path | None = None
