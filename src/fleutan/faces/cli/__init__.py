# SPDX-License-Identifier: Apache-2.0
"""The command line: one file a command.

What lives here turns words into questions and answers into text; exit status 2 for a wrong
question, 1 for a failure at run time, 130 for an interrupt.  Commands import what they need
when they run, so that help costs next to nothing.
"""

from __future__ import annotations

import os
import sys

import click

from fleutan import __version__
from fleutan.errors import FleutanError, UsageError
from fleutan.faces.cli import completion, doctor, fields, flows

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="fleutan")
@click.option("--debug", is_flag=True, help="Show where an error came from (a traceback).")
def cli(debug: bool) -> None:
    """Every network flow of this host: who owns it, how long its round trips are, what limits it."""
    del debug  # read by main()


for command in (flows.command, fields.command, doctor.command, completion.command):
    cli.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Runs a command line and ends the process with its exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in words[:1]
    try:
        cli.main(words, prog_name="fleutan", standalone_mode=False)
        sys.stdout.flush()
    except FleutanError as error:
        if debug:
            raise
        _end(f"fleutan: {error}", 2 if isinstance(error, UsageError) else 1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _end("", 130)
    except BrokenPipeError:
        _leave_pipe()
    except OSError as error:
        if debug:
            raise
        _end(f"fleutan: {error.strerror or error}" + (f": {error.filename}" if error.filename else ""), 1)


def _end(message: str, status: int) -> None:
    if message:
        click.echo(message, err=True)
    sys.exit(status)


def _leave_pipe() -> None:
    """The reader has gone, as with ``| head``: nothing more to say, and it is no failure of ours."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)
