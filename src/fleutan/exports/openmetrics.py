# SPDX-License-Identifier: Apache-2.0
"""Metrics as text that is scraped: OpenMetrics 1.0, and the older form of Prometheus (0.0.4).

What the metrics are is known in ``metrics``; who is answered, in ``programs.agent.outputs.metrics``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from fleutan.exports.metrics import COUNTER, GAUGE, INFO, PREFIX, Labels, Metric, unit

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PLAIN = "text/plain; version=0.0.4; charset=utf-8"
#: Series of one name; what is beyond is left out and counted.
SERIES = 1_000
#: Characters of a label's value, beyond which it is cut.
LONGEST = 256
DROPPED = f"{PREFIX}_metrics_dropped_series"
EVENTS = f"{PREFIX}_agent_events"
_ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_ESCAPED_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})
_NAMELESS = re.compile(r"[^a-zA-Z0-9_]|^(?=[0-9])|^$")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_PARAMETER = re.compile(r"\s*;\s*")


class _Family(NamedTuple):
    kind: str
    help: str
    series: dict[Labels, int | float]


def chosen(accept: str) -> str:
    """The content type that who sends this Accept header likes best (RFC 9110, 12.5.1)."""
    likes = {OPENMETRICS: 0.0, PLAIN: 0.0}
    for one in accept.split(",")[:64]:
        name, *parameters = _PARAMETER.split(one.strip().lower())
        liked = _quality(parameters)
        if name == "application/openmetrics-text" and not {"version=0.0.1"}.intersection(parameters):
            likes[OPENMETRICS] = max(likes[OPENMETRICS], liked)
        elif name in ("text/plain", "text/*", "*/*"):
            likes[PLAIN] = max(likes[PLAIN], liked)
    return OPENMETRICS if likes[OPENMETRICS] > 0 and likes[OPENMETRICS] >= likes[PLAIN] else PLAIN


def _quality(parameters: Iterable[str]) -> float:
    for one in parameters:
        if re.fullmatch(r"q=(0(\.\d{0,3})?|1(\.0{0,3})?)", one):
            return float(one[2:])
    return 1.0


def text(metrics: Iterable[Metric], content_type: str, events: Mapping[str, int], most: int = SERIES) -> bytes:
    """The metrics, each name's series together.

    ``events`` are counts of the agent's own, by what they count; of a name there are at most ``most`` series.
    """
    families: dict[str, _Family] = {}
    dropped = 0
    for one in metrics:
        family = families.setdefault(one.name, _Family(one.family.kind, one.family.help, {}))
        labels = _labels(one.labels)
        if labels in family.series or len(family.series) >= most:
            dropped += 1
            continue
        family.series[labels] = one.value
    told = {_labels((("event", name),)): count for name, count in [*events.items()][:most]}
    families[EVENTS] = _Family(COUNTER, "What the agent did.", {**told})
    families[DROPPED] = _Family(GAUGE, "Series that are left out: there are too many of their name.", {(): dropped})
    is_open = content_type == OPENMETRICS
    lines = (line for name, family in families.items() for line in _lines(name, family, is_open))
    return "".join((*lines, "# EOF\n" if is_open else "")).encode("utf-8", "replace")


def _labels(labels: Labels) -> Labels:
    """Labels with names as they may be, and values that can be written, of a length that can be borne."""
    return tuple({_NAMELESS.sub("_", name): _plain(value) for name, value in labels}.items())


def _plain(value: str) -> str:
    """Without what no text has (surrogates), and what readers may stumble over (control characters)."""
    return _CONTROL.sub("\ufffd", value[:LONGEST]).encode("utf-8", "replace").decode()


def _lines(name: str, family: _Family, is_open: bool) -> Iterator[str]:
    if not family.series:
        return
    ending = {COUNTER: "_total", INFO: "_info"}.get(family.kind, "")
    if is_open:
        yield f"# TYPE {name} {family.kind}\n"
        if measured := unit(name):
            yield f"# UNIT {name} {measured}\n"
        yield f"# HELP {name} {family.help.translate(_ESCAPED)}\n"
    else:
        yield f"# HELP {name}{ending} {family.help.translate(_ESCAPED_HELP)}\n"
        yield f"# TYPE {name}{ending} {GAUGE if family.kind == INFO else family.kind}\n"
    for labels, value in family.series.items():
        yield f"{name}{ending}{_written(labels)} {value}\n"


def _written(labels: Labels) -> str:
    inner = ",".join(f'{name}="{value.translate(_ESCAPED)}"' for name, value in labels)
    return f"{{{inner}}}" if inner else ""
