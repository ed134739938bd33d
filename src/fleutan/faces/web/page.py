# SPDX-License-Identifier: Apache-2.0
"""The page at ``/`` and ``/docs``: what can be asked, in plain HTML that loads nothing."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from fleutan import __version__
from fleutan.exports import forms
from fleutan.past.modules import MODULES
from fleutan.past.parameters import PARAMETERS

EXAMPLES = (
    "/traffic?time=-10m:0",
    "/topaddr?time=-1h:0&source=tuple",
    "/tuple?time=-10m:0&filter=tcp+and+src+192.0.2.7&source=tuple",
    "/status",
    "/api/v1/modules/traffic?since=1h",
    "/openapi.json",
)
_STYLE = (
    "body{font:1em/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "td,th{text-align:left;padding:0 1em 0 0;vertical-align:top}"
)


def page() -> str:
    """The page."""
    examples = "".join(f'<li><a href="{escape(one)}"><code>{escape(one)}</code></a></li>' for one in EXAMPLES)
    modules = ((name, module.help, " ".join(forms.forms_of(name))) for name, module in MODULES.items())
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>fleutan</title><style>{_STYLE}</style>'
        f"<h1>fleutan {escape(__version__)}</h1><p>Ask with GET, as in:</p><ul>{examples}</ul>"
        f"<h2>Modules</h2>{_table(('module', 'says', 'formats'), modules)}"
        f"<h2>Parameters</h2>{_table(('parameter', 'says'), PARAMETERS.items())}"
        "<p>The same as an interface for programs: <code>/api/v1</code>, described in "
        '<a href="/openapi.json">/openapi.json</a>.</p></html>\n'
    )


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
