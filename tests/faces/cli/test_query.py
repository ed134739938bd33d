# SPDX-License-Identifier: Apache-2.0
"""The options of ``fleutan query`` and ``fleutan sql``; what they do is tested with what runs them."""

from __future__ import annotations

import click
import pytest

from fleutan.faces.cli.query import WORDS, command, sql
from fleutan.past.parameters import PARAMETERS


def options(of: click.Command) -> set[str]:
    return {word for parameter in of.params if isinstance(parameter, click.Option) for word in parameter.opts}


def test_every_parameter_is_an_option_or_an_argument() -> None:
    """But what only HTTP has, and the filter, which is an argument."""
    assert set(PARAMETERS) - {word.removeprefix("--") for word in options(command)} == {"filter", "limit", "urlargs"}
    assert {name for _, name, *_ in WORDS} <= set(PARAMETERS)


def test_letters_are_there_once() -> None:
    for one in (command, sql):
        words = [word for parameter in one.params for word in parameter.opts]
        assert len(words) == len(set(words))


@pytest.mark.parametrize("of", [command, sql])
def test_the_help_names_modules_and_examples(of: click.Command) -> None:
    text = of.get_help(click.Context(of, info_name="x"))
    assert "fleutan " in text
    assert of.short_help


def test_what_is_left_out_is_nothing() -> None:
    context = command.make_context("query", ["traffic"])
    assert context.params["module"] == "traffic"
    assert all(context.params[name.replace("-", "_")] is None for _, name, *_ in WORDS)
