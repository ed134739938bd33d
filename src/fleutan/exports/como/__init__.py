# SPDX-License-Identifier: Apache-2.0
"""Answers of modules in the forms of CoMo and Metroflux: text, gnuplot scripts, HTML, capture files.

``FORMATS`` lists what there is; a form takes Tables as they come and gives bytes.  JSON, CSV and
Parquet, which take any table, are no business of this room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from fleutan.errors import UsageError
from fleutan.exports.como import captures, packets, shares, tops, traffic, tuples
from fleutan.exports.como.options import Options
from fleutan.table import Table

Form = Callable[[Iterable[Table], Options], Iterator[bytes]]

_FILES: Mapping[str, Form] = {"pcap": captures.pcap, "pcapng": captures.pcapng}
_STREAMS: Mapping[str, Form] = {
    "pcap": lambda tables, options: captures.pcap(captures.whole(tables), options),
    "pcapng": lambda tables, options: captures.pcapng(captures.whole(tables), options),
}

#: The forms of each module; the first is the one that is taken where none is asked for.
FORMATS: Mapping[str, Mapping[str, Form]] = {
    "traffic": {
        "pretty": traffic.pretty,
        "plain": traffic.plain,
        "gnuplot": traffic.gnuplot,
        "mbps": traffic.mbps,
    },
    "tuple": {"pretty": tuples.pretty, "plain": tuples.plain, "html": tuples.page},
    "topaddr": {
        "pretty": tops.addresses_pretty,
        "plain": tops.addresses_plain,
        "html": tops.addresses_html,
        "sidebox": tops.addresses_sidebox,
    },
    "topports": {
        "pretty": tops.ports_pretty,
        "plain": tops.ports_plain,
        "html": tops.ports_html,
        "sidebox": tops.ports_sidebox,
    },
    "flowcount": {"gnuplot": traffic.flow_points, "pretty": traffic.flow_lines},
    "protocol": {
        "plain": shares.protocols_plain,
        "pretty": shares.protocols_pretty,
        "gnuplot": shares.protocols_gnuplot,
        "html": shares.protocols_html,
    },
    "ethtypes": {
        "plain": shares.ethertypes_plain,
        "pretty": shares.ethertypes_pretty,
        "gnuplot": shares.ethertypes_gnuplot,
        "html": shares.ethertypes_html,
    },
    "trace": {"pretty": packets.pretty, **_FILES},
    "flow-reassembly": {"plain": tuples.plain, "pretty": tuples.pretty, **_STREAMS},
}
_MEDIA = {
    **dict.fromkeys(("html", "sidebox"), "text/html; charset=utf-8"),
    "pcap": "application/vnd.tcpdump.pcap",
    "pcapng": "application/x-pcapng",
}


def default_format(module: str) -> str:
    """The form of a module where none is asked for.  Raises UsageError for a module that has none."""
    return next(iter(_forms(module)))


def media_type(format_: str) -> str:
    """What HTTP calls the form's content."""
    return _MEDIA.get(format_, "text/plain; charset=utf-8")


def written(module: str, format_: str, tables: Iterable[Table], options: Options) -> Iterator[bytes]:
    """The answer's bytes, piece by piece, as its Tables come.

    Columns are those of the module's answers; times are ns UTC.  Raises UsageError at once for a
    module or a form that there is not.
    """
    forms = _forms(module)
    if format_ not in forms:
        raise UsageError(f"{module} has no format {format_[:40]!r}; it has {', '.join(forms)}")
    return forms[format_](tables, options)


def _forms(module: str) -> Mapping[str, Form]:
    if module not in FORMATS:
        raise UsageError(f"no such form of {module[:40]!r}; {', '.join(FORMATS)} have some")
    return FORMATS[module]
