# SPDX-License-Identifier: Apache-2.0
"""Pages and tables in HTML.  Every value is escaped here, where it becomes HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote, urlsplit

from fleutan.errors import UsageError

_STYLE = (
    "body{font-family:sans-serif}table{border-collapse:collapse;margin-bottom:1em}caption{text-align:left}"
    "th,td{padding:0 .6em;text-align:left}td.n,th.n{text-align:right}"
)
#: What may stand in a query besides letters and digits without being quoted again.
_SAFE = "=&%+,:;@/!*()~"


def opening(title: str, heading: bool) -> str:
    """What begins a page; ``heading`` says whether the title stands on it, too."""
    shown = f"<h1>{escape(title)}</h1>\n" if heading else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n{shown}"
    )


CLOSING = "</body></html>\n"


def table_opening(headings: Sequence[str], numbers: int = 0, caption: str = "") -> str:
    """What begins a table; the last ``numbers`` columns are numbers."""
    words = len(headings) - numbers
    cells = "".join(
        f'<th class="n">{escape(text)}</th>' if place >= words else f"<th>{escape(text)}</th>"
        for place, text in enumerate(headings)
    )
    told = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{told}<tr>{cells}</tr>\n"


TABLE_CLOSING = "</table>\n"


def row(cells: Sequence[str], numbers: int = 0) -> str:
    """A row of cells that are HTML already; the last ``numbers`` are numbers."""
    words = len(cells) - numbers
    inner = "".join(
        f'<td class="n">{cell}</td>' if place >= words else f"<td>{cell}</td>" for place, cell in enumerate(cells)
    )
    return f"<tr>{inner}</tr>\n"


def linked(address: str, url: str, arguments: Sequence[str]) -> str:
    """The address as a link to ``url`` with the arguments and ``ip=``; as text where there is no ``url``.

    Raises UsageError where ``url`` is neither of http nor relative: others run what they carry.
    """
    text = escape(address)
    if not url:
        return text
    if not _is_harmless(url):
        raise UsageError(f"url= takes an address of http or https, or a relative one, not {url[:60]!r}")
    joint = "&" if "?" in url else "?"
    query = "&".join([*(quote(argument, _SAFE) for argument in arguments), f"ip={quote(address, ':')}"])
    return f'<a href="{escape(url + joint + query)}">{text}</a>'


def _is_harmless(url: str) -> bool:
    """Whether it leads to a page; what browsers skip in the name of a scheme is none of a page's address."""
    if not url.isprintable() or " " in url or "\\" in url:
        return False
    try:
        scheme = urlsplit(url).scheme.lower()
    except ValueError:
        return False
    return scheme in ("http", "https") or (not scheme and ":" not in url.partition("/")[0].partition("?")[0])
