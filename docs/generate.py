# SPDX-License-Identifier: Apache-2.0
"""Writes the pages that are made from the program itself; ``--check`` says which are stale.

The commands' own help is the one text behind ``docs/reference/commands.md`` and the man page.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from fleutan import __version__
from fleutan.analysis.rules import THRESHOLDS
from fleutan.config.sections import Config, Entry
from fleutan.exports import statsd
from fleutan.exports.como import FORMATS
from fleutan.exports.metrics import COUNTER, FAMILIES, GAUGE, INFO, INFORMATION, Family, Metric, unit
from fleutan.faces.cli import CONTEXT, cli
from fleutan.fields import FIELDS
from fleutan.lake.retention import DAY, DEFAULTS
from fleutan.past.modules import MODULES
from fleutan.past.parameters import PARAMETERS

ROOT = Path(__file__).parent
#: What the exit status says, as in faces/cli/__init__.py.
EXITS = "0 success, 1 failure at run time, 2 wrong question, 130 interrupted, 141 the reader of the pipe has gone."
LIMITS = "Set with --threshold NAME=VALUE of 'fleutan flows --limits'; these are the defaults."
NOTE = "<!-- Made by docs/generate.py: change the program, then run `make docs`. -->"


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command by its full name."""
    yield "fleutan", cli
    for name, command in sorted(cli.commands.items()):
        yield f"fleutan {name}", command


def context_of(name: str, command: click.Command) -> click.Context:
    """The context in which the command says what it takes."""
    return click.Context(command, info_name=name, **CONTEXT)


def usage(name: str, command: click.Command) -> str:
    """``fleutan flows [OPTIONS] [FILTER]...``"""
    return " ".join([name, *command.collect_usage_pieces(context_of(name, command))])


def help_text(command: click.Command) -> str:
    """The command's help, with click's marks of preformatted paragraphs taken out."""
    return inspect.cleandoc(command.help or "").replace("\f", "")


def options(command: click.Command) -> list[tuple[str, str]]:
    """Each option as it is typed, and its help."""
    context = context_of("fleutan", command)
    found = [parameter for parameter in command.get_params(context) if isinstance(parameter, click.Option)]
    return [record for record in (option.get_help_record(context) for option in found) if record]


def thresholds() -> list[tuple[str, str]]:
    """Each threshold of --limits with its default, and its help."""
    return [(f"{threshold.name}={threshold.default:g}", threshold.help) for threshold in THRESHOLDS]


def commands_page() -> str:
    """The reference of all commands in Markdown."""
    parts = [NOTE, "# Commands", f"Exit status: {EXITS}"]
    for name, command in commands():
        parts += [f"## {name}", f"```\n{usage(name, command)}\n```", _markdown(help_text(command))]
        rows = [f"| `{_cell(typed)}` | {_cell(said)} |" for typed, said in options(command)]
        parts.append("\n".join(["| Option | Meaning |", "|---|---|", *rows]))
    rows = [f"| `{typed}` | {_cell(said)} |" for typed, said in thresholds()]
    parts += ["## Thresholds of --limits", LIMITS]
    parts.append("\n".join(["| Threshold and default | Meaning |", "|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    """In a table a bar ends the cell, in code too."""
    return text.replace("|", "\\|")


def _markdown(text: str) -> str:
    blocks = []
    for block in text.split("\n\n"):
        lines = block.split("\n")
        blocks.append("```\n" + "\n".join(lines[1:]) + "\n```" if lines[0] == "\b" else block)
    return "\n\n".join(blocks)


def fields_page() -> str:
    """The catalogue of fields in Markdown."""
    head = [
        NOTE,
        "# Fields",
        "A field is typed by its name, its key or an alias. The key names it in JSON, CSV and SQL. "
        "Unknown is null. A bare number in a filter is in the field's unit.",
    ]
    rows = ["| Field | Key | Kind | Type | Unit | Aliases | Meaning | Source |", "|---|---|---|---|---|---|---|---|"]
    for field in (field for field in FIELDS if field.of_flows):
        aliases = " ".join(field.aliases)
        cells = (f"`{field.name}`", f"`{field.key}`", field.kind, field.type, field.unit, aliases, field.help)
        rows.append("| " + " | ".join((*cells, f"`{field.source}`")) + " |")
    return "\n\n".join([*head, "\n".join(rows)]) + "\n"


CONFIGURATION = """
`fleutan record`, `collect`, `serve` and `agent` need no configuration. What they should do otherwise stands in
a file of TOML: the one named with `--config`, or else in `$FLEUTAN_CONFIG`, or else
`/etc/fleutan.toml`, if it is there. An option of a command goes before the file. A key that is not
known, or a value of a wrong type, is an error (exit status 2) that names the file and the key.

```toml
[lake]
path = "/srv/fleutan"

[lake.retention]
default = { days = 14 }
records = { days = 30, bytes = "200 GB" }

[collect]
ports = [2055, 6343]
addresses = ["::"]

[serve]
host = "192.0.2.1"
tokens = "/etc/fleutan.tokens"
certificate = "/etc/ssl/fleutan.pem"
key = "/etc/ssl/private/fleutan.pem"

[agent]
collectors = ["192.0.2.1", "[2001:db8::1]:6344"]
prefer = ["10.0.0.0/8", "!172.17.0.0/16"]

[agent.sampling]
default = 400
10G = 5000
devices = { "eth9*" = 100 }
```
"""
SAMPLING = """
One packet in how many is decided for each interface by the first of these that is known of it; the
agent's `--check` says which it was.

1. It is down: none.
2. `devices`: rates by the device's name or a shell pattern of it, as `{ eth0 = 100, "veth*" = 50 }`.
3. Its speed is named: `10G = 5000`, `"2.5G" = 1000`.
4. Its speed is known at all: bits a second divided by `bps_ratio`. Without it: divided by 1000000, and 100 at
   least; so 10 Gbit/s is sampled 1 in 10000, whatever `default` says. `bps_ratio = 0` turns that off.
5. `default`, which `sampling = 400` in `[agent]` is short for.

0 is none at all. hsflowd decides alike, with `pcap { dev = … sampling = … }` in the place of `devices`.
"""
RETENTION = """
How long rows stay, by kind; whole hours go, the oldest first. What a row does not say is as in
`default`, and else as here; 0 is without bound.
"""


def configuration_page() -> str:
    """Every key of a configuration file in Markdown."""
    parts = [NOTE, "# Configuration", CONFIGURATION.strip()]
    for name, default in _sections("", Config()):
        rows = [f"| `{key}` | {typed} | {what} | {meaning} |" for key, typed, what, meaning in _entries(default)]
        table = ["| Key | Default | Value | Meaning |", "|---|---|---|---|", *map(str, rows)]
        parts += [f"## [{name}]", inspect.cleandoc(type(default).__doc__ or "").replace("``", "`"), "\n".join(table)]
        if name == "lake":
            parts += ["## [lake.retention]", RETENTION.strip(), "\n".join(_kept())]
        if name == "agent":
            parts += ["## [agent.sampling]", SAMPLING.strip()]
    return "\n\n".join(parts) + "\n"


def _sections(name: str, default: Any) -> Iterator[tuple[str, Any]]:
    """Every section with its full name, those within it behind it."""
    if name:
        yield name, default
    for field in fields(default):
        if "section" in field.metadata:
            yield from _sections(f"{name}.{field.name}".lstrip("."), getattr(default, field.name))


def _entries(default: Any) -> Iterator[tuple[str, str, str, str]]:
    for field in fields(default):
        entry: Entry | None = field.metadata.get("entry")
        if entry is not None and field.name != "retention":
            said = getattr(default, field.name)
            typed = (
                f"`{typed_of(entry, said)}`"
                if said not in (None, ()) or not entry.typed
                else f"none; as `{entry.typed}`"
            )
            yield field.name, typed, entry.value.noun, entry.meaning


def typed_of(entry: Entry, default: Any) -> str:
    """The default as it is written in TOML."""
    if entry.typed:
        return entry.typed
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return str(list(default))
    return f"{default:g}" if isinstance(default, float) else repr(default)


def _kept() -> Iterator[str]:
    yield "| Kind | Default |"
    yield "|---|---|"
    for kind, keep in DEFAULTS.items():
        yield f"| `{kind}` | `{{ days = {keep.age_ns / DAY:g}, bytes = '{keep.octets / (1 << 30):g} GiB' }}` |"


def http_page() -> str:
    """The page on HTTP, with the parameters of its questions put in."""
    rows = [f"| `{name}` | {_cell(said)} |" for name, said in PARAMETERS.items()]
    return _with("reference/http.md", "parameters", ["| Parameter | Meaning |", "|---|---|", *rows])


def query_page() -> str:
    """The page on questions, with the modules put in."""
    rows = [
        f"| `{name}` | {module.help} | {module.filter} | {' '.join(f'`{form}`' for form in FORMATS.get(name, ()))} |"
        for name, module in MODULES.items()
    ]
    head = ["| Module | What it tells | Of | Its own formats, the default first |", "|---|---|---|---|"]
    return _with("reference/query.md", "modules", head + rows)


def _with(page: str, what: str, lines: list[str]) -> str:
    """A page that is written by hand, with a part of it made anew."""
    before, begin, rest = (ROOT / page).read_text().partition(f"<!-- {what}: made by docs/generate.py -->\n")
    _, end, after = rest.partition(f"<!-- end of {what} -->\n")
    return "\n".join([before + begin + lines[0], *lines[1:], end + after])


#: What metrics of a structure are of, by how its name begins, and the label that tells one from others.
SUBJECTS = {
    "virt_node": ("host", ""),
    **dict.fromkeys(("host", "mib2", "nvidia"), ("host", "")),
    "virt": ("unit", "UNIT"),
    "app": ("app", "APP"),
    "": ("interface", "DEV"),
}
METRICS = """
What each output of `fleutan agent` calls what it tells; which outputs there are, and what they do when a server fails,
is told in [outputs](outputs.md). Names are made by the same rules everywhere:

| | Name | Values |
|---|---|---|
| OpenMetrics | as below, with labels; of containers and pods `unit` is `container` and `pod` | base units |
| InfluxDB | measurement `STRUCTURE`, field `FIELD`; of a list `STRUCTURE_LIST` with a tag `item` | as sFlow has them |
| Elasticsearch | `fleutan.STRUCTURE.FIELD` | as sFlow has them |
| StatsD, Graphite | as below; HOST is the host's name, DEV a device's; odd characters are `_` | base units |

A structure's name is the heading. StatsD is sent what counters grew by, Graphite how they stand.
"/ 1,000" is what a value of sFlow is divided by to be in the base unit. What is not known is not told.
"""


def metrics_page() -> str:
    """Every metric as each output calls it."""
    parts = [NOTE, "# Metrics", METRICS.strip()]
    head = [
        "| OpenMetrics | Type | InfluxDB, Elasticsearch | Unit | StatsD, Graphite | Meaning |",
        "|---|---|---|---|---|---|",
    ]
    for structure in dict.fromkeys(family.structure for family in FAMILIES):
        rows = [_metric(family) for family in FAMILIES if family.structure == structure]
        parts += [f"## {structure}", "\n".join([*head, *rows])]
    information = Metric("unit", INFORMATION, (), 1).name
    parts.append(f"Besides, `{information}_info` and its like for other subjects have what a data source is called.")
    return "\n\n".join(parts) + "\n"


def _metric(family: Family) -> str:
    subject, own = next(said for begin, said in SUBJECTS.items() if family.structure.startswith(begin))
    metric = Metric(subject, family, (), 0)
    ending = {COUNTER: "_total", INFO: "_info", GAUGE: ""}[family.kind]
    label = f" by `{family.label}`: {', '.join(said for _, said in family.members)}" if family.label else ""
    fields = [family.members[0][0]] if len(family.members) == 1 else [field for field, _ in family.members]
    lane = (("lane", "LANE"),) if "." in fields[0] else ()
    more = (*((family.label, f"{family.label.upper()}"),) * bool(family.label), *lane)
    dotted = statsd.name("HOST", subject, ((subject, own),) if own else (), family.name, more)
    measured = unit(metric.name) + _factor(family.divisor)
    where = ", ".join(f"`{field}`" for field in fields)
    return f"| `{metric.name}{ending}`{label} | {family.kind} | {where} | {measured} | `{dotted}` | {family.help} |"


def _factor(divisor: float) -> str:
    if divisor == 1:
        return ""
    return f", / {divisor:,.0f}" if divisor > 1 else f", x {1 / divisor:,.0f}"


def man_page() -> str:
    """The manual page in man(7)."""
    lines = [
        f'.TH FLEUTAN 1 "" "fleutan {__version__}" "User Commands"',
        ".SH NAME",
        "fleutan \\- every network flow of this host, its owner, its latency and what limits it",
        ".SH SYNOPSIS",
    ]
    for name, command in commands():
        lines += [f".B {_roff(name)}", _roff(usage(name, command).removeprefix(name).strip()), ".br"]
    for name, command in commands():
        lines += [f".SH {name.upper()}", *_man_text(help_text(command))]
        for typed, said in options(command):
            lines += [".TP", f".B {_roff(typed)}", _roff(said)]
    lines += [".SH THRESHOLDS OF \\-\\-LIMITS", _roff(LIMITS)]
    for typed, said in thresholds():
        lines += [".TP", f".B {_roff(typed)}", _roff(said)]
    lines += [".SH EXIT STATUS", EXITS]
    return "\n".join(lines) + "\n"


def _man_text(text: str) -> Iterator[str]:
    for block in text.split("\n\n"):
        lines = block.split("\n")
        if lines[0] == "\b":
            yield from (".nf", *map(_roff, lines[1:]), ".fi")
        else:
            yield from map(_roff, lines)
        yield ".PP"


def _roff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + escaped if escaped[:1] in (".", "'") else escaped


PAGES = {
    "reference/commands.md": commands_page,
    "reference/configuration.md": configuration_page,
    "reference/fields.md": fields_page,
    "reference/http.md": http_page,
    "reference/metrics.md": metrics_page,
    "reference/query.md": query_page,
    "man/fleutan.1": man_page,
}


def main() -> None:
    """Writes every page, or names the stale ones and fails."""
    stale = []
    for name, make in PAGES.items():
        path = ROOT / name
        text = make()
        if path.is_file() and path.read_text() == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print("wrote", path.relative_to(ROOT.parent))
    if "--check" in sys.argv and stale:
        sys.exit(f"stale pages, run 'make docs': {' '.join(stale)}")


if __name__ == "__main__":
    main()
