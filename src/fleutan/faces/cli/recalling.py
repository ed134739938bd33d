# SPDX-License-Identifier: Apache-2.0
"""Runs ``fleutan flows`` with --at or --during: the same views, of what was recorded."""

from __future__ import annotations

import time
from datetime import UTC

from fleutan.analysis.figures import is_word
from fleutan.faces.cli.asking import tell
from fleutan.faces.cli.flows import Options
from fleutan.faces.cli.lakes import lake_of
from fleutan.faces.cli.plans import plan
from fleutan.live import Question
from fleutan.past import flows
from fleutan.past.engine import Lake
from fleutan.query.times import parse_during, parse_moment
from fleutan.table import Table


def recall(options: Options) -> None:
    """Answers the command line from the lake on standard output."""
    zone, now_ns = UTC if options.utc else None, time.time_ns()
    options.interval = 1.0  # what was recorded is always of an interval: the views have their rates
    planned = plan(options)
    question = planned.question
    filters = (question.filter, *question.also)
    with Lake(lake_of(options.lake)) as lake:
        if options.at:
            table = flows.at(lake, parse_moment(options.at, now_ns, zone), filters, question.fields)
        else:
            window = parse_during(options.during or "", now_ns, zone)
            table = flows.during(lake, window, filters, question.fields)
    tell(planned, [scoped(table, question)])


def scoped(table: Table, question: Question) -> Table:
    """The flows of the protocols and the family that are asked for."""
    if question.protos:
        table = table.take(is_word(table, "proto", *question.protos))
    if question.family:
        table = table.take(is_word(table, "family", question.family))
    return table
