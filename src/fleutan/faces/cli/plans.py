# SPDX-License-Identifier: Apache-2.0
"""From options to a plan: the view, its columns and order, and the question to ask this host.

Nothing is read and nothing is drawn here; what the options cannot mean is said here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from fleutan.errors import UsageError
from fleutan.faces.cli.flows import BINS, Options
from fleutan.fields import FIELDS, find, require
from fleutan.live import Question
from fleutan.views import ENDS, View
from fleutan.views import flows as flows_view

if TYPE_CHECKING:
    from fleutan.live.events import Kind

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
    asked = options.interval is not None or options.watch or options.count is not None
    return asked or options.qdisc or options.cpu is not None


def plan(options: Options) -> Plan:
    """The plan; raises UsageError for what the options cannot mean."""
    view = _view(options)
    if view.table:
        return _plan_places(options, view)
    if options.bins != BINS:
        from fleutan.analysis.latency import Bins

        Bins.parse(options.bins)
    columns = _columns(options, view)
    sort, by = _sort(options), _by(options, view)
    _check_timed(options)
    question = _question(options, view, _fields(options, view, columns, sort, by))
    return Plan(options, view, columns, sort, by, _steps(options.thresh), question)


def _plan_places(options: Options, view: View) -> Plan:
    """The plan of a view whose rows are places that packets went through: ``columns`` are of its table."""
    columns = sections_of(view)[view.table]
    if options.fields not in (None, "all"):
        columns = tuple(dict.fromkeys(_of_places(name, columns) for name in _spelled(options)))
    sort, by = _sort(options, "traffic"), _by(options, view)
    if sort and not by:
        _of_places(sort.lstrip("-"), sections_of(view)[view.table])
    places = flows_view.MACHINE_FIELDS if options.form == "json" else ("proto", "src", "sport", "dst", "dport", "proc")
    needed = (*places, *columns, *by, *flows_view.TRAFFIC_FIELDS, *(("bdp",) if view.name == "load" else ()))
    of_flows = (name for name in needed if name not in ENDS and require(name).of_flows)
    question = _question(options, view, tuple(dict.fromkeys((*of_flows, "pids", "change"))))
    return Plan(options, view, columns, sort, by, (), replace(question, demanded=frozenset()))


def _of_places(name: str, columns: Sequence[str]) -> str:
    """The field if the rows have it.  Raises UsageError."""
    if name in ENDS and set(ENDS[name]) <= set(columns):
        return name
    found = require(name).name
    if found not in columns:
        raise UsageError(f"{name} is not known here; there are {', '.join(columns)}")
    return found


def sections_of(view: View) -> Mapping[str, tuple[str, ...]]:
    """The tables that a program gets of a view with several, and their columns."""
    from fleutan.views import cpus, queues

    return {"queues": queues.SECTIONS, "cpus": cpus.SECTIONS, "load": cpus.LOAD_SECTIONS}[view.name]


def plan_events(options: Options, kind: Kind) -> Plan:
    """The plan of a command that counts what happens; raises UsageError as ``plan`` does."""
    from fleutan.live.events import require as known
    from fleutan.views import drops, lifecycle

    view = {"drops": drops.VIEW, "lifecycle": lifecycle.VIEW}[kind.name]
    columns = view.columns if options.form == "text" else kind.columns
    if options.fields not in (None, "all"):
        columns = tuple(dict.fromkeys(name if name in ENDS else known(name, kind) for name in _spelled(options)))
    elif options.fields == "all":
        columns = kind.columns
    sort, by = _sort(options, kind.name), _by(options, view)
    needed = [part for name in (*columns, *by) for part in ENDS.get(name, (name,))]
    if sort and not by:
        needed.append(sort.lstrip("-"))
    return Plan(options, view, columns, sort, by, (), _question(options, view, tuple(dict.fromkeys(needed))))


def _view(options: Options) -> View:
    if options.lat:
        from fleutan.views import latency as chosen
    elif options.vol:
        from fleutan.views import volume as chosen  # type: ignore[no-redef]
    elif options.limits:
        from fleutan.views import limits as chosen  # type: ignore[no-redef]
    elif options.qdisc:
        from fleutan.views import queues as chosen  # type: ignore[no-redef]
    elif options.cpu is not None:
        from fleutan.views import cpus

        return cpus.LOAD_VIEW if options.cpu == "load" else cpus.VIEW
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
        return tuple(name for name in known if timed or name not in flows_view.TIMED_FIELDS)
    if options.fields is not None:
        names = (name if name in ENDS else require(name).name for name in _spelled(options))
        return tuple(dict.fromkeys(names))
    if options.form == "text":
        return view.shown(timed)
    timed_fields = flows_view.INTERVAL_FIELDS if timed else ()
    return (*flows_view.MACHINE_FIELDS, *_ADDED.get(view.name, ()), *timed_fields, *_counted(options, view))


def _counted(options: Options, view: View) -> tuple[str, ...]:
    """The fields for which packets are counted though nobody names them."""
    return flows_view.TRAFFIC_FIELDS if view.name == "volume" and is_timed(options) else ()


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
    if kind in ("drops", "lifecycle"):
        from fleutan.live.events import KINDS

        return [*KINDS[kind].columns]
    if kind == "traffic":
        return ["packets", "segments", "bytes"]
    known = (field.name for field in FIELDS if field.of_flows)
    return [name for name in known if is_timed(options) or name not in flows_view.TIMED_FIELDS]


def _by(options: Options, view: View) -> tuple[str, ...]:
    if options.group is None:
        return ()
    from fleutan.analysis import groups

    by = tuple(groups.key(name).name for name in listed("--group", options.group))
    by += _PLACES.get(view.name, ())
    return tuple(dict.fromkeys((*by, "limit"))) if view.name == "limits" else tuple(dict.fromkeys(by))


#: By what a view of places groups besides.
_PLACES = {"queues": ("dev", "direction", "queue"), "cpus": ("cpu", "direction"), "load": ("cpu", "direction")}


def _check_timed(options: Options) -> None:
    """Raises UsageError where a rate is asked for by name and there is one reading only."""
    if is_timed(options):
        return
    for name in sorted(_demanded(options)):
        if name in flows_view.TIMED_FIELDS:
            raise UsageError(f"{name} is known over an interval only: say how long with -i SECS")


def _fields(options: Options, view: View, columns: Sequence[str], sort: str, by: Sequence[str]) -> tuple[str, ...]:
    """The catalogue fields that the answer needs."""
    named = [*_DRAWN.get(view.name, ()), *view.order] if options.form == "text" or not by else []
    if by:
        named = [*by, *_measured(options, view)]
    else:
        named += [
            *columns,
            *_counted(options, view),
            *([sort.lstrip("-")] if sort else []),
            *(("change",) if is_timed(options) else ()),
        ]
    if view.tcp_only:
        named.append("rtt")
    return tuple(dict.fromkeys(part for name in named for part in ENDS.get(name, (name,))))


def _measured(options: Options, view: View) -> list[str]:
    from fleutan.analysis import groups

    measures = groups.measures_of(_summable(options, "flows"))
    asked, counted = _demanded(options), _counted(options, view)
    needs = [name for measure in measures for name in measure.needs]
    return [name for name in needs if name not in flows_view.TRAFFIC_FIELDS or name in asked or name in counted]


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
