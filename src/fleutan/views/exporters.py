# SPDX-License-Identifier: Apache-2.0
"""Who sends what: exporters with what they sent and what of it is missing."""

from fleutan.views import View

VIEW = View(
    name="exporters",
    columns=(
        *("exporter", "agent", "protocol", "domain", "datagrams", "octets", "flow_records", "packet_samples"),
        *("counter_samples", "discards", "option_records", "templates", "rates", "missing", "late", "repeated"),
        *("restarts", "unread_sets", "rejected"),
    ),
    with_interval=(),
    luxuries=(
        *("agent", "flow_records", "packet_samples", "counter_samples", "discards", "option_records", "templates"),
        *("rates", "late", "repeated", "restarts", "unread_sets", "rejected"),
    ),
    spare=("octets", "templates", "option_records", "agent", "domain", "counter_samples"),
    order=("datagrams",),
)
