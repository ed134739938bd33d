# SPDX-License-Identifier: Apache-2.0
"""From options to a plan: the view, its columns and order, and the question to ask this host.

Nothing is read and nothing is drawn here; what the options cannot mean is said here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import NamedTuple

from fleutan.errors import UsageError
from fleutan.faces.cli.flows import BINS, Options
from fleutan.fields import FIELDS, find, require
from fleutan.live import Question
from fleutan.views import ENDS, View
from fleutan.views import flows as flows_view

#: The protocols that -t and -u mean.
_PROTOS = {"tcp": ("tcp", "mptcp"), "udp": ("udp", "udplite")}
#: A command name is cut here by the kernel (TASK_COMM_LEN, include/linux/sched.h).
_COMM_BYTES = 15
_MOST_STEPS = 3


class Plan(NamedTuple):
    """What the options mean.

    ``columns`` are what text shows or programs get, ``sort`` is the order that was asked for (''
    for the view's own), ``by`` the keys of groups.
    """

    options: Options
    view: View
    columns: tuple[str, ...]
    sort: str
    by: tuple[str, ...]
    steps_ms: tuple[float, ...]
    question: Question

    @property
    def timed(self) -> bool:
        """Whether there are two readings."""
        return is_timed(self.options)


def is_timed(options: Options) -> bool:
    """Whether the options ask for two readings at least."""
    return options.interval is not None or options.watch or options.count is not None


def plan(options: Options) -> Plan:
    """The plan; raises UsageError for what the options cannot mean."""
    view = _view(options)
    if options.bins != BINS:
        from fleutan.analysis.latency import Bins

        Bins.parse(options.bins)
    columns = _columns(options, view)
    sort, by = _sort(options), _by(options, view)
    _check_timed(options)
    question = _question(options, view, _fields(options, view, columns, sort, by))
    return Plan(options, view, columns, sort, by, _steps(options.thresh), question)


def plan_drops(options: Options) -> Plan:
    """The plan of ``fleutan drops``; raises UsageError as ``plan`` does."""
    from fleutan.live.drops import require as known
    from fleutan.sources.drops import COLUMNS
    from fleutan.views.drops import VIEW

    columns = VIEW.columns if options.form == "text" else COLUMNS
    if options.fields not in (None, "all"):
        columns = tuple(dict.fromkeys(name if name in ENDS else known(name) for name in _spelled(options)))
    elif options.fields == "all":
        columns = COLUMNS
    sort, by = _sort(options, "drops"), _by(options, VIEW)
    needed = [part for name in (*columns, *by) for part in ENDS.get(name, (name,))]
    if sort and not by:
        needed.append(sort.lstrip("-"))
    return Plan(options, VIEW, columns, sort, by, (), _question(options, VIEW, tuple(dict.fromkeys(needed))))


def _view(options: Options) -> View:
    if options.lat:
        from fleutan.views import latency as chosen
    elif options.vol:
        from fleutan.views import volume as chosen  # type: ignore[no-redef]
    elif options.limits:
        from fleutan.views import limits as chosen  # type: ignore[no-redef]
    else:
        return flows_view.VIEW
    if chosen.VIEW.tcp_only and options.udp and not options.tcp:
        asked = "--lat" if options.lat else "--limits"
        raise UsageError(f"{asked} and -u exclude each other: of UDP the kernel knows neither round trips nor windows")
    return chosen.VIEW


def listed(option: str, text: str | None) -> list[str]:
    """The words of an option that takes several.  Raises UsageError where there is none."""
    words = [word.strip() for word in (text or "").split(",") if word.strip()]
    if text is not None and not words:
        raise UsageError(f"{option} {text!r} names no field; 'fleutan fields' lists all")
    return words


def _columns(options: Options, view: View) -> tuple[str, ...]:
    """The columns that are shown or written, by catalogue name."""
    timed = is_timed(options)
    if options.fields == "all":
        known = (field.name for field in FIELDS if field.of_flows)
        return tuple(name for name in known if timed or name not in flows_view.INTERVAL_FIELDS)
    if options.fields is not None:
        names = (name if name in ENDS else require(name).name for name in _spelled(options))
        return tuple(dict.fromkeys(names))
    if options.form == "text":
        return view.shown(timed)
    timed_fields = flows_view.INTERVAL_FIELDS if timed else ()
    return (*flows_view.MACHINE_FIELDS, *_ADDED.get(view.name, ()), *timed_fields)


#: What a view adds to the fields of a flow in JSON and CSV.
_ADDED = {
    "volume": ("cwnd_bytes", "cwnd_rate", "bdp", "retrans_share"),
    "limits": ("limit", "evidence", "hint"),
}
#: What its pages draw besides their columns.
_DRAWN = {
    "latency": ("rtt", "min_rtt"),
    "volume": ("cwnd_bytes", "bdp", "cwnd_rate"),
    "limits": ("limit", "evidence", "hint"),
}


def _spelled(options: Options) -> Iterator[str]:
    """The names after --fields; for programs the ends of a flow are two fields each."""
    for name in listed("--fields", options.fields):
        ends = name.lower() in ENDS
        yield from (ENDS[name.lower()] if ends and options.form != "text" else (name.lower() if ends else name,))


def _sort(options: Options, kind: str = "flows") -> str:
    if options.sort is None:
        return ""
    if options.group is None:
        from fleutan.analysis import order

        return order.parse(options.sort)
    name, _, direction = options.sort.partition(":")
    if direction not in ("", "desc"):
        raise UsageError(f"--sort {options.sort}: groups come with the greatest first; leave out ':{direction}'")
    return _measure(name, options, kind)


def _measure(name: str, options: Options, kind: str) -> str:
    """The measure of a group that is meant.  Raises UsageError before anything is read."""
    from fleutan.analysis import groups

    keys = [measure.heading.key for measure in groups.measures_of(_summable(options, kind), kind)]
    field = find(name)
    meant = [name, field.key, f"{field.key}_p50"] if field else [name]
    for key in meant:
        if key in keys:
            return key
    raise UsageError(f"--sort {name}: groups are sorted by {', '.join(keys)}")


def _summable(options: Options, kind: str) -> list[str]:
    """The fields that the answer can have."""
    if kind == "drops":
        from fleutan.sources.drops import COLUMNS

        return [*COLUMNS]
    known = (field.name for field in FIELDS if field.of_flows)
    return [name for name in known if is_timed(options) or name not in flows_view.INTERVAL_FIELDS]


def _by(options: Options, view: View) -> tuple[str, ...]:
    if options.group is None:
        return ()
    from fleutan.analysis import groups

    by = tuple(groups.key(name).name for name in listed("--group", options.group))
    return tuple(dict.fromkeys((*by, "limit"))) if view.name == "limits" else tuple(dict.fromkeys(by))


def _check_timed(options: Options) -> None:
    """Raises UsageError where a rate is asked for by name and there is one reading only."""
    if is_timed(options):
        return
    for name in sorted(_demanded(options)):
        if name in flows_view.INTERVAL_FIELDS:
            raise UsageError(f"{name} is known over an interval only: say how long with -i SECS")


def _fields(options: Options, view: View, columns: Sequence[str], sort: str, by: Sequence[str]) -> tuple[str, ...]:
    """The catalogue fields that the answer needs."""
    named = [*_DRAWN.get(view.name, ()), *view.order] if options.form == "text" or not by else []
    if by:
        named = [*by, *_measured(options)]
    else:
        named += [*columns, *([sort.lstrip("-")] if sort else []), *(("change",) if is_timed(options) else ())]
    if view.tcp_only:
        named.append("rtt")
    return tuple(dict.fromkeys(part for name in named for part in ENDS.get(name, (name,))))


def _measured(options: Options) -> list[str]:
    from fleutan.analysis import groups

    measures = groups.measures_of(_summable(options, "flows"))
    return [name for measure in measures for name in measure.needs]


def _question(options: Options, view: View, fields: tuple[str, ...]) -> Question:
    protos: tuple[str, ...] = ()
    for name in ("tcp", "udp"):
        protos += _PROTOS[name] if getattr(options, name) else ()
    if view.tcp_only:
        protos = _PROTOS["tcp"]
    return Question(
        filter=" ".join(options.filter),
        also=_processes(options),
        fields=fields,
        demanded=_demanded(options),
        protos=protos,
        family="ipv4" if options.ipv4 else "ipv6" if options.ipv6 else "",
        states="listening" if options.listening else "all" if options.all_states else "connected",
        thresholds=_thresholds(options.threshold),
    )


def _demanded(options: Options) -> frozenset[str]:
    """The fields that are asked for by name, rather than because the view has them."""
    named = [*listed("--group", options.group), (options.sort or "").partition(":")[0]]
    named += listed("--fields", options.fields) if options.fields != "all" else []
    return frozenset(field.name for field in map(find, named) if field)


def _processes(options: Options) -> tuple[str, ...]:
    """The processes of -p as a filter of their own."""
    terms = [f"pid = {name}" if name.isdecimal() else f"comm = {quoted(_comm(name))}" for name in options.process]
    return (" or ".join(terms),) if terms else ()


def _comm(name: str) -> str:
    """The name as far as the kernel keeps it."""
    return name.encode("utf-8", "surrogateescape")[:_COMM_BYTES].decode("utf-8", "replace")


def quoted(text: str) -> str:
    """The text as a quoted string of the filter language."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _thresholds(settings: Sequence[str]) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise UsageError(f"--threshold {setting}: say NAME=NUMBER") from None
        if not isfinite(found[name.strip()]):
            raise UsageError(f"--threshold {setting}: say a finite number")
    return found


def _steps(text: str) -> tuple[float, ...]:
    try:
        steps = tuple(float(word) for word in text.split(","))
    except ValueError:
        raise UsageError(f"--thresh {text}: say milliseconds with commas between, such as 10,20,100") from None
    if len(steps) > _MOST_STEPS:
        raise UsageError(f"--thresh {text}: there are colours for {_MOST_STEPS} steps at most")
    if list(steps) != sorted(steps) or not all(isfinite(step) and step >= 0 for step in steps):
        raise UsageError(f"--thresh {text}: the steps have to ascend, from 0 on")
    return steps
