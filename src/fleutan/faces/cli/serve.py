# SPDX-License-Identifier: Apache-2.0
"""``fleutan serve``: options.  What serves is imported when it runs."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fleutan.errors import UsageError
from fleutan.faces.cli import configured

if TYPE_CHECKING:
    from fleutan.faces.web.programs import Program

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("serve", short_help="Answer questions to a lake by HTTP, as Metroflux did.")
@click.option("--host", "hosts", multiple=True, metavar="ADDRESS",
              help="Listen here; again for more.  [default: loopback]")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=44444, show_default=True, help="The port; 0: any.")
@click.option("--lake", metavar="DIR", help="The lake's directory.")
@click.option("--tokens", type=_FILE, help="Who may ask: lines NAME:TOKEN, read again on SIGHUP.")
@click.option("--open", "open_", is_flag=True, help="Let everybody ask, beyond loopback too.")
@click.option("--tls-cert", type=_FILE, help="The certificate (PEM), read again on SIGHUP.")
@click.option("--tls-key", type=_FILE, help="Its key, if that is another file.")
@click.option("--seconds", type=click.FloatRange(0.1, 86400), default=60.0, show_default=True,
              help="How long a question may take.")  # fmt: skip
@click.option("--rows", type=click.IntRange(1), default=1_000_000, show_default=True,
              help="How many rows an answer may have.")  # fmt: skip
@click.option("--memory", default="512MB", show_default=True, metavar="SIZE", help="What a question may take.")
@click.option("--concurrent", type=click.IntRange(1, 256), default=4, show_default=True,
              help="How many questions are worked on at once.")  # fmt: skip
@click.option("--settle", default="10s", show_default=True, metavar="TIME",
              help="With wait=yes an interval is told so long after its end.")  # fmt: skip
@click.option(
    "--collect", "collects", is_flag=True, help="Collect too, in the same process, as [collect] in the file says."
)
@click.option("--record", "records", is_flag=True, help="Record too, as [record] in the file says.")
@click.option("--name", metavar="TEXT", help="The node's name in /status.  [default: the host's]")
@click.option("--location", default="", metavar="TEXT", help="Its location there.")
@configured.option
@click.pass_context
def command(context: click.Context, /, **words: Any) -> None:
    """Answer questions to a lake by HTTP, at the addresses that Metroflux had, and at /api/v1.

    \b
    fleutan serve
    fleutan serve --collect --record
    fleutan serve --host :: --tokens /etc/fleutan/tokens --tls-cert cert.pem --tls-key key.pem
    curl 'http://localhost:44444/traffic?time=-10m:0'
    curl 'http://localhost:44444/api/v1/modules/talkers?since=1h&keys=src,dport'
    """
    from fleutan.faces.cli.lakes import lake_of
    from fleutan.faces.cli.saying import say, say_warnings
    from fleutan.faces.web.bounds import Bounds, Node, Service
    from fleutan.faces.web.serving import Listen, serve
    from fleutan.past.jobs import lookups_of
    from fleutan.query.times import parse_duration

    say_warnings()
    check_memory(words["memory"])
    bounds = Bounds(words["seconds"], words["rows"], words["memory"], words["concurrent"])
    node = Node(words["name"] or socket.gethostname(), words["location"])
    jobs = lookups_of(configured.of(context).jobs)
    service = Service(lake_of(words["lake"]), bounds, node, parse_duration(words["settle"]), jobs)
    listen = Listen(words["hosts"], words["port"], words["tokens"], words["tls_cert"], words["tls_key"], words["open_"])
    serve(service, listen, beside(context, words), say)


def beside(context: click.Context, words: Mapping[str, Any]) -> list[Program]:
    """What else is to run in the process; only the server itself speaks with the service manager."""
    from fleutan.faces.web.programs import Program
    from fleutan.sources.service import Service as Manager

    found = []
    if words["collects"]:
        from fleutan.faces.cli import collect
        from fleutan.faces.cli.collecting import collects

        held = configured.held_beside(context, collect.command, {"lake": words["lake"]})
        found.append(Program("collect", partial(collects, held, service=Manager({}))))
    if words["records"]:
        from fleutan.faces.cli import record
        from fleutan.faces.cli.recording import records

        held = configured.held_beside(context, record.command, {"root": words["lake"]})
        found.append(Program("record", partial(records, held, service=Manager({}))))
    return found


def check_memory(size: str) -> None:
    """Raises UsageError for what the database does not take as a size."""
    import duckdb

    try:
        duckdb.connect(config={"memory_limit": size}).close()
    except duckdb.Error as error:
        raise UsageError(f"--memory {size}: {str(error).splitlines()[0]}") from None
