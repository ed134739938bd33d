# SPDX-License-Identifier: Apache-2.0
"""What each datagram of a batch held, for who looks for gaps, restarts and what could not be read.

Sequence numbers count flows in versions 5 and 7, datagrams in 9 (RFC 3954, 5.1), and data records
of both kinds modulo 2**32 in IPFIX (RFC 7011, 3.1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.netflow.decoding import Batch
from fleutan.protocols.netflow.wire.headers import IPFIX
from fleutan.records import Known, Records

Ints = NDArray[np.int64]


def accounts(batch: Batch) -> Records:
    """A row for each datagram of the batch.

    ``flows options templates`` count its data records, option records and templates, ``unread`` its
    sets without a template; ``rejected`` is the number in ``rejects.REASONS`` of what was rejected
    of it first, unknown where nothing was.  From the header, unknown where that was rejected:
    ``protocol domain sequence exported uptime_ms``, and ``advance``, by how much the next sequence
    number is larger (IPFIX: unknown where a set could not be read).
    """
    values: dict[str, Ints] = {}
    known: dict[str, Known] = {}
    _count(batch, values)
    rejected = batch.noted.first(batch.datagrams)
    values["rejected"], known["rejected"] = np.maximum(rejected, 0), rejected >= 0
    heads = batch.since.heads
    there = heads.datagram >= 0
    for name, column, mask in (
        ("protocol", heads.version, there),
        ("domain", heads.domain, there & np.isin(heads.version, (5, 9, IPFIX))),
        ("sequence", heads.sequence, there & (heads.version > 1)),
        ("exported", heads.exported_ns, there),
        ("uptime_ms", heads.uptime_ms, there & (heads.version != IPFIX)),
    ):
        values[name], known[name] = _spread(batch, column, mask)
    known["advance"] = known["sequence"] & ~((values["protocol"] == IPFIX) & (values["unread"] > 0))
    records = values["flows"] + values["options"]
    values["advance"] = np.where(known["advance"], np.where(values["protocol"] == 9, 1, records), 0)
    return Records(batch.datagrams, values, known)


def _count(batch: Batch, values: dict[str, Ints]) -> None:
    here = batch.since.datagram >= 0
    for name, counts in (
        ("flows", np.where(batch.options, 0, batch.counts)),
        ("options", np.where(batch.options, batch.counts, 0)),
        ("templates", batch.templates),
        ("unread", batch.unread.astype(np.int64)),
    ):
        values[name] = np.zeros(batch.datagrams, np.int64)
        np.add.at(values[name], batch.since.datagram[here], counts[here])


def _spread(batch: Batch, column: Ints, mask: Known) -> tuple[Ints, Known]:
    whole, known = np.zeros(batch.datagrams, np.int64), np.zeros(batch.datagrams, np.bool_)
    rows = batch.since.heads.datagram[mask]
    whole[rows], known[rows] = column[mask], True
    return whole, known
