# SPDX-License-Identifier: Apache-2.0
"""The command line: one file a command.

What lives here turns words into questions and answers into text.  Exit status: 0 fine, 1 for a
failure at run time, 2 for a wrong question, 130 for an interrupt, 141 where the reader of a pipe
has gone.  Commands import what they need when they run, so that help costs next to nothing.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, TextIO

import click

from fleutan import __version__
from fleutan.errors import FleutanError, UsageError
from fleutan.faces.cli import (
    agent,
    collect,
    completion,
    decode,
    doctor,
    events,
    fields,
    flows,
    paths,
    query,
    record,
    serve,
    top,
)

CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
FAILED, WRONG, INTERRUPTED, READER_GONE = 1, 2, 130, 141


@click.group(context_settings=CONTEXT, no_args_is_help=False)
@click.version_option(__version__, prog_name="fleutan")
@click.option("--debug", is_flag=True, help="Show where an error came from (a traceback).")
def cli(debug: bool) -> None:
    """Every network flow of this host: who owns it, how long its round trips are, what limits it."""
    del debug  # read by main()


for command in (
    *(flows.command, top.command, paths.command, events.drops, events.lifecycle),
    *(record.command, collect.command, agent.command, decode.command, query.command, query.sql, serve.command),
    *(fields.command, doctor.command, completion.command),
):
    cli.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Runs a command line and ends the process with its exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    if sys.stdout is None:  # its descriptor would become that of the next file or socket that is opened
        _end(FAILED, "standard output is closed")
    _take_any_sign(sys.stdout)
    try:
        status = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        status = READER_GONE
        _discard(sys.stdout)
    except (click.Abort, KeyboardInterrupt):
        status = INTERRUPTED
        _discard(sys.stdout)
    except (FleutanError, click.ClickException, OSError, MemoryError) as error:
        if "--debug" in words[:1]:
            raise
        _discard(sys.stdout)
        _end(*_said_of(error, words))
    sys.exit(status)


def _run(words: list[str]) -> int:
    if completion.VARIABLE in os.environ:
        cli.main(words, prog_name="fleutan", complete_var=completion.VARIABLE)
    try:
        with cli.make_context("fleutan", list(words) or ["--help"]) as context:
            cli.invoke(context)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    return 0


def _said_of(error: BaseException, words: list[str]) -> tuple[int, str]:
    """The exit status for an error, and what is said of it in one line (a filter is shown below it)."""
    if isinstance(error, FleutanError):
        return WRONG if isinstance(error, UsageError) else FAILED, str(error)
    if isinstance(error, click.ClickException):
        message = " ".join(error.format_message().split()).rstrip(".")
        message = message[:1].lower() + message[1:]
        named = [word for word in words if word in cli.commands][:1]
        see = "" if message.endswith("?") else f"; see '{' '.join(['fleutan', *named, '-h'])}'"
        return error.exit_code, message + see
    if isinstance(error, MemoryError):
        return FAILED, "out of memory"
    if isinstance(error, OSError):
        return FAILED, (error.strerror or str(error)) + (f": {error.filename}" if error.filename else "")
    return FAILED, str(error)


def _end(status: int, message: str) -> None:
    with suppress(OSError):  # nobody listens there either
        click.echo(f"fleutan: {message}", err=True)
    sys.exit(status)


def _take_any_sign(stream: TextIO) -> None:
    """What the encoding of the output lacks becomes '?', and is no error."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")


def _discard(stream: TextIO) -> None:
    """Gives up what is buffered: it could not be written, or is not the whole."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
