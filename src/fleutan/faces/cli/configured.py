# SPDX-License-Identifier: Apache-2.0
"""``--config``: what a file says is what options are unless they are given.

Each command has a table from its options to the file's keys; which values there may be is known
in ``config``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
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
        ("collects", "serve.collect"),
        ("records", "serve.record"),
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

    default = Settings()
    found = {}
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


#: Gives options and settings as they are now, from the options as they were.
Anew = Callable[[Mapping[str, Any]], "tuple[dict[str, Any], Config]"]


class Held:
    """A command's options and all settings while it runs; ``anew`` reads both again, and raises UsageError."""

    def __init__(self, words: dict[str, Any], config: Config, anew: Anew) -> None:
        self.words, self.config, self._anew = words, config, anew

    def again(self, check: Callable[[dict[str, Any]], object] = lambda _: None) -> str:
        """Reads them again; what is wrong with them, in which case what was before stays.

        ``check`` raises UsageError where options contradict each other.
        """
        try:
            words, config = self._anew(self.words)
            check(words)
        except UsageError as error:
            return f"{error}; what ran before goes on"
        self.words, self.config = words, config
        return ""


def held(context: click.Context, words: dict[str, Any]) -> Held:
    """What a command was told; what its command line said stays when the file is read again."""
    return Held(words, of(context), partial(_anew, context))


def held_beside(context: click.Context, other: click.Command, more: Mapping[str, Any]) -> Held:
    """What another command would be told by the settings alone, to run in this one's process; ``more`` stays."""
    name = other.name or ""

    def anew(_: Mapping[str, Any]) -> tuple[dict[str, Any], Config]:
        path = of(context).file
        try:
            with other.make_context(name, ["--config", str(path)] if path else [], context.parent) as made:
                return {**made.params, **more}, of(made)
        except click.ClickException as error:
            raise UsageError(error.format_message()) from None

    return Held(*anew({}), anew)


def _anew(context: click.Context, words: Mapping[str, Any]) -> tuple[dict[str, Any], Config]:
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
