# SPDX-License-Identifier: Apache-2.0
"""``fleutan completion``: the script that completes commands and options in a shell."""

from __future__ import annotations

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
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
    click.echo(found(context.find_root().command, {}, "fleutan", "_FLEUTAN_COMPLETE").source())
