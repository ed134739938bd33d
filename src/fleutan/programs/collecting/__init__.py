# SPDX-License-Identifier: Apache-2.0
"""Datagrams of exporters go into a lake: received by one thread, decoded by another, written by a third.

``collect`` is the loop over sockets, ``imported`` the one over a file.  Between receiving and
decoding is a ``backlog``; what each stage lost is told by ``stages``.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

import numpy as np

from fleutan.programs.collecting.backlog import Backlog, Waiting
from fleutan.programs.decoding import NO_TEMPLATE, unread_of
from fleutan.programs.signals import Orders
from fleutan.protocols.datagrams import Datagrams
from fleutan.sources import kept
from fleutan.sources.datagrams import Account, Source
from fleutan.sources.exported import Decoded, Exporters, decoded
from fleutan.sources.exporters import Accounts
from fleutan.table import Table

SECOND = 1_000_000_000
#: How often the accounts of exporters are written, in ns.
ACCOUNTS_NS = 60 * SECOND
#: How often everybody looks what time it is, and how soon a signal is seen, in seconds.
TICK, SOON = 1.0, 0.25
#: What of a batch that could not be decoded at all is called.
FAILED = "datagram in a batch that could not be decoded"
#: A file is read no faster than it is written: so many octets may wait for the disk.
AHEAD = 256 << 20


class Lake(Protocol):
    """Where Tables go: ``lake.writer.Writer``."""

    def add(self, table: Table) -> None:
        """Takes rows."""

    def tick(self, now_ns: int) -> None:
        """Says what time it is."""

    def settled(self, octets: int, seconds: float) -> bool:
        """Whether at most so many octets wait to be written, now or within so many seconds."""


class Collector:
    """What is decoded and where it goes; ``header`` octets of each sampled header are kept.

    ``rows`` counts by kind what was given to the lake, ``rateless`` those records and samples
    whose sampling rate nobody told, ``unread`` what was not read, by reason.  ``learn`` is shown
    every batch: names of interfaces are learned of them.
    """

    def __init__(
        self,
        lake: Lake,
        since_ns: int,
        header: int = kept.WHOLE,
        exporters: Exporters | None = None,
        learn: Callable[[Decoded], object] = lambda _: None,
    ) -> None:
        self._lake, self._since_ns, self.header = lake, since_ns, header
        self._learn = learn
        self.exporters, self.accounts = exporters or Exporters(), Accounts()
        self.rows, self.rateless, self._unread = Counter[str](), Counter[str](), Counter[str]()

    def add(self, datagrams: Datagrams) -> None:
        """Decodes a batch and gives it to the lake; what fails is counted, and never ends anything."""
        try:
            found = decoded(datagrams, self.exporters)
            tables = list(kept.tables(found, self.header))
            self.accounts.add(found)
            self._learn(found)
            self._unread += unread_of(found)
        except Exception:  # readers do not raise; if one does, others' datagrams must not be lost for it
            self._unread[FAILED] += datagrams.spans.rows
            return
        for table in tables:
            self._give(table)

    def _give(self, table: Table) -> None:
        self.rows[table.kind] += len(table)
        if table.kind in ("records", "samples"):
            rate = table.columns.get("sampling_rate")
            known = 0 if rate is None else int(np.count_nonzero(rate.mask()))
            self.rateless[table.kind] += len(table) - known
        self._lake.add(table)

    def tick(self, now_ns: int) -> None:
        """Gives the lake the accounts of exporters where a minute is over."""
        if now_ns - self._since_ns >= ACCOUNTS_NS:
            self.close(now_ns)

    def close(self, now_ns: int) -> None:
        """Gives the lake what exporters sent since the last time."""
        table = self.accounts.fresh(self._since_ns)
        if len(table):
            self._lake.add(table)
        self._since_ns = now_ns

    @property
    def unread(self) -> Counter[str]:
        """How often something was not read, by its reason."""
        return +(self._unread + Counter({NO_TEMPLATE: len(self.exporters.netflow.waiting)}))


class Receiving:
    """A thread that moves what comes from a source into a backlog, and looks once a second at the source's account."""

    def __init__(self, source: Source, backlog: Backlog) -> None:
        self._source, self._backlog = source, backlog
        self.accounts: list[Account] = []
        self._thread = threading.Thread(target=self._run, name="receiving", daemon=True)

    def __enter__(self) -> Receiving:
        self.accounts = self._source.accounts()
        self._thread.start()
        return self

    def __exit__(self, *trouble: object) -> None:
        self._source.stop()
        self._thread.join()
        self.accounts = self._source.accounts()

    def _run(self) -> None:
        looked = time.monotonic()
        try:
            for batch in self._source.batches(TICK):
                if batch.spans.rows:
                    self._backlog.put(batch)
                if time.monotonic() - looked >= TICK:
                    self.accounts, looked = self._source.accounts(), time.monotonic()
        except BaseException as error:  # it is raised where the batches are taken
            self._backlog.end(error)
        else:
            self._backlog.end()


def collect(
    source: Source,
    backlog: Backlog,
    collector: Collector,
    lake: Lake,
    orders: Orders,
    looked: Callable[[list[Account], Waiting], object] = lambda _accounts, _waiting: None,
    reload: Callable[[], object] = lambda: None,
) -> list[Account]:
    """Decodes what comes until a signal, and then what still waits; gives the source's last account.

    About once a second ``looked`` is told how things stand, and at once where a signal asks for it:
    ``reload`` is called before.
    """
    with Receiving(source, backlog) as receiving:
        told = time.monotonic()
        while not backlog.ended:
            if (batch := backlog.take(SOON)) is not None:
                collector.add(batch)
            if orders.stopped:
                source.stop()
            if orders.asked or time.monotonic() - told >= TICK:
                told = time.monotonic()
                if orders.asked:
                    orders.reloaded()
                    reload()
                collector.tick(time.time_ns())
                lake.tick(time.time_ns())
                looked(receiving.accounts, backlog.account())
    collector.close(time.time_ns())
    return receiving.accounts


def imported(source: Source, lake: Lake, orders: Orders, header: int = kept.WHOLE) -> Collector:
    """Decodes a file, no faster than it is written; the accounts of exporters go by the file's time."""
    collector: Collector | None = None
    for batch in source.batches():
        if collector is None:
            collector = Collector(lake, int(batch.at_ns.min()) if len(batch.at_ns) else 0, header)
        collector.add(batch)
        collector.tick(int(batch.at_ns.max(initial=0)))
        lake.tick(time.time_ns())
        while not lake.settled(AHEAD, SOON):
            lake.tick(time.time_ns())
        if orders.stopped:
            source.stop()
    collector = collector or Collector(lake, time.time_ns(), header)
    collector.close(time.time_ns())
    return collector
