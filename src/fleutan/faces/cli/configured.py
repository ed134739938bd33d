# SPDX-License-Identifier: Apache-2.0
"""``--config``: what a file says is what options are unless they are given.

Each command has a table from its options to the file's keys; which values there may be is known
in ``config``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fleutan.errors import UsageError

if TYPE_CHECKING:
    from fleutan.config import Config
    from fleutan.lake.retention import Keep
    from fleutan.lake.writer import Limits

#: What options are called in the file, by command: the option's word, then section and key.
WORDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "record": (
        ("root", "lake.path"),
        ("interval", "record.interval"),
        ("netns", "record.netns"),
        ("source", "record.source"),
        ("paths", "record.paths"),
        ("packets", "record.packets"),
        ("one_in", "record.one_in"),
    ),
    "collect": (
        ("lake", "lake.path"),
        ("ports", "collect.ports"),
        ("addresses", "collect.addresses"),
        ("sockets", "collect.sockets"),
        ("headers", "collect.headers"),
        ("queue", "collect.queue_bytes"),
    ),
    "serve": (
        ("lake", "lake.path"),
        ("hosts", "serve.host"),
        ("port", "serve.port"),
        ("tokens", "serve.tokens"),
        ("tls_cert", "serve.certificate"),
        ("tls_key", "serve.key"),
        ("seconds", "serve.limits.seconds"),
        ("rows", "serve.limits.rows"),
        ("memory", "serve.limits.memory"),
        ("concurrent", "serve.limits.concurrent"),
    ),
    "query": (("lake", "lake.path"),),
    "sql": (("lake", "lake.path"),),
}


def _same(value: Any) -> Any:
    return value


#: How options have what the file says, where that differs: text, one of several, octets as DuckDB spells them.
_AS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("queue", "lake", "root"), str),
    "hosts": lambda host: [host],
    "memory": lambda octets: f"{octets}B",
}


def option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--config``; what the file says is there before the options are read."""
    made = click.option(
        "--config",
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        callback=_read,
        help="A file of settings (TOML).  [default: $FLEUTAN_CONFIG, /etc/fleutan.toml]",
    )
    return made(function)


def _read(context: click.Context, _: click.Parameter, path: str | None) -> None:
    if path is None and not (os.environ.get("FLEUTAN_CONFIG") or Path("/etc/fleutan.toml").exists()):
        return
    from fleutan.config import load

    context.obj = load(Path(path) if path else None)
    context.default_map = said(context.info_name or "", context.obj)


def said(command: str, config: Config) -> dict[str, Any]:
    """What the file says of a command's options, where it differs from what they are anyway."""
    from fleutan.config import Config as Settings

    found, default = {}, Settings()
    for word, key in WORDS.get(command, ()):
        value = _at(config, key)
        if value != _at(default, key):
            found[word] = _AS.get(word, _same)(value)
    return found


def _at(config: Any, key: str) -> Any:
    for name in key.split("."):
        config = getattr(config, name)
    return config


def of(context: click.Context) -> Config:
    """The settings: those of the file, or else those that need none."""
    from fleutan.config import Config as Settings

    return context.obj if isinstance(context.obj, Settings) else Settings()


def again(context: click.Context, words: Mapping[str, Any]) -> tuple[dict[str, Any], Config]:
    """The options as the file says them now, and all that it says; what was given on the command line stays.

    Raises UsageError for a file with a mistake.
    """
    path, name = of(context).file, context.info_name or ""
    try:
        with context.command.make_context(name, ["--config", str(path)] if path else [], context.parent) as anew:
            told = {word: anew.params[word] for word, _ in WORDS.get(name, ()) if word in anew.params}
            fresh = {word: value for word, value in told.items() if not _is_given(context, word)}
            return {**words, **fresh}, of(anew)
    except click.ClickException as error:
        raise UsageError(error.format_message()) from None


def _is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE


def given(context: click.Context, words: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, others as if they had not been there at all."""
    return {name: value if _is_given(context, name) else None for name, value in words.items()}


def limits(config: Config) -> Limits:
    """When rows are written, and how many may wait."""
    from fleutan.lake.writer import Limits as Found

    lake, second = config.lake, 1_000_000_000
    return Found(
        flush_ns=int(lake.flush_seconds * second),
        seal_ns=int(lake.seal_seconds * second),
        waiting_octets=lake.waiting_bytes,
    )


def keep(config: Config) -> Mapping[str, Keep] | None:
    """How long rows are kept; None where the lake is not put in order."""
    return config.lake.retention if config.lake.compaction else None
