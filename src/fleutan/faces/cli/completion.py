# SPDX-License-Identifier: Apache-2.0
"""``fleutan completion``: the script that completes commands and options in a shell, and what it completes with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: The shell's script asks for words through this variable.
VARIABLE = "_FLEUTAN_COMPLETE"

Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


@click.command("completion", short_help="Print a shell's completion script.")
@click.argument("shell", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    bash:  eval "$(fleutan completion bash)"
    zsh:   eval "$(fleutan completion zsh)"
    fish:  fleutan completion fish | source
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(found(context.find_root().command, {}, "fleutan", VARIABLE).source())


def _items(words: Iterable[tuple[str, str]], begun: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(word, help=says) for word, says in words if word.startswith(begun)]


def fields(_context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of fields, after commas too."""
    from fleutan.fields import FIELDS
    from fleutan.views import ENDS

    before, comma, _ = incomplete.rpartition(",")
    kinds = ("key", "label") if parameter.name == "group" else ("key", "label", "gauge", "counter")
    words = [(field.name, field.help) for field in FIELDS if field.kind in kinds and field.of_flows]
    if parameter.name == "group":
        words += [("peer", "remote address"), ("port", "the port served")]
    elif parameter.name == "fields":
        words += [(end, f"{end} address and port") for end in ENDS]
    taken = before.split(",")
    return _items(((f"{before}{comma}{word}", says) for word, says in words if word not in taken), incomplete)


def namespaces(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of network namespaces."""
    from fleutan.sources.capture import LINUX

    spaces, _ = LINUX.every()
    return _items([("all", "every namespace"), *((space.name, "") for space in spaces)], incomplete)


def thresholds(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of thresholds of --limits."""
    from fleutan.analysis.rules import THRESHOLDS

    return _items(((f"{threshold.name}=", threshold.help) for threshold in THRESHOLDS), incomplete)


def bins(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Kinds of bins."""
    from typing import get_args

    from fleutan.analysis.latency import Kind

    return _items([(kind, "") for kind in get_args(Kind)], incomplete)


def words(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Words that begin a condition of a filter."""
    from fleutan.fields import FIELDS
    from fleutan.query.filter import WORDS

    return _items([*((word, "") for word in WORDS), *((field.name, field.help) for field in FIELDS)], incomplete)
