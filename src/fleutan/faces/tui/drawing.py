# SPDX-License-Identifier: Apache-2.0
"""The screen as lines of text: tabs, the list with its heading, what stands below it, help.

Pure: a model and a size go in.  How one flow is drawn stands in ``details``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from fleutan.analysis.figures import numbers
from fleutan.faces.cli import figures
from fleutan.faces.cli.layout import cell_width, cut, pad, wrapped
from fleutan.faces.tui import cells, charts, details
from fleutan.faces.tui.cells import Line
from fleutan.faces.tui.keys import HINTS, KEYS
from fleutan.faces.tui.model import Model
from fleutan.faces.tui.prompt import Prompt

#: Below so many lines there is room for one line below the list only, from the other on for the keys.
_LOW, _HIGH = 8, 20


class Look(NamedTuple):
    """How to draw: the size, whether signs beyond ASCII are understood, names for addresses; what is said and asked."""

    width: int
    height: int
    blocks: bool = True
    names: figures.Names | None = None
    message: str = ""
    prompt: Prompt | None = None

    @property
    def ellipsis(self) -> str:
        """One sign that stands for what is left out."""
        return "…" if self.blocks else "~"


def screen(model: Model, look: Look) -> list[Line]:
    """All lines of the screen, ``look.height`` of them."""
    foot = _foot(model, look)
    height = look.height - len(foot)
    if model.page == "help":
        body = _part(model, _help(model, look), height)
    elif model.page == "details":
        body = _part(model, details.lines(model, height, charts.Signs(look.width, look.blocks), look.names), height)
    else:
        body = _list(model, look, height)
    lines = [*body, *([[]] * (height - len(body))), *foot][-look.height :]
    return [_clipped(line, look.width) for line in lines]


def _clipped(line: Line, width: int) -> Line:
    """The pieces that fit; headings are not cut where they are made."""
    found: Line = []
    for text, style in line:
        if width > 0:
            found.append((text[:width] if text.isascii() else cut(text, width, "", ""), style))
            width -= cell_width(found[-1][0])
    return found


def _part(model: Model, lines: list[Line], height: int) -> list[Line]:
    """What is seen of a page that may be longer than the screen."""
    model.height = max(height, 1)
    model.offset = min(model.offset, max(len(lines) - height, 0))
    return lines[model.offset : model.offset + height]


# -- the list


def _list(model: Model, look: Look, height: int) -> list[Line]:
    columns, gap = cells.fitted(model, look.width)
    model.scroll(max(height - 2, 1))
    found = cells.rows(model, columns, gap, max(height - 2, 1), look.blocks, look.names)
    if found:
        at = model.cursor - model.top
        found[at] = [("".join(text for text, _ in found[at]), "cursor")]
    else:
        found = [[(cut(_empty(model), look.width), "dim")]]
    return [_tabs(model, look), cells.heading(model, columns, gap, look.blocks), *found]


def _empty(model: Model) -> str:
    if not model.live.reading.at_ns:
        return "reading …"
    return "no flow matches the filter" if model.filter else "nothing to show"


def _tabs(model: Model, look: Look) -> Line:
    """The tabs with their names; where not all fit with numbers only, or the open one alone."""
    every, open_ = model.shown_tabs(), [model.tab]
    found: Line = []
    for tabs, named in ((every, every), (every, open_), (open_, open_)):
        texts = [f" {tab.number} {tab.title} " if tab in named else f" {tab.number} " for tab in tabs]
        found = [(text, "tab" if tab is model.tab else "dim") for tab, text in zip(tabs, texts, strict=True)]
        if sum(map(len, texts)) <= look.width:
            break
    return found


# -- what stands below


def _foot(model: Model, look: Look) -> list[Line]:
    said = [(look.message, "message")] if look.message else [(_notes(model), "warn")]
    lines = [(_summary(model), ""), (_reading(model), "dim"), *((text, style) for text, style in said if text)]
    if look.height < _LOW:
        lines = [lines[-1] if look.message else lines[0]]
    elif look.height >= _HIGH:
        lines.append((next(wrapped(_hints(), look.width), ""), "dim"))
    found: list[Line] = [[(cut(text, look.width, "", look.ellipsis), style)] for text, style in lines]
    return found if look.prompt is None else [*found[: look.height // 2], *_asked(look.prompt, look)]


def _asked(prompt: Prompt, look: Look) -> list[Line]:
    """What is to be typed, the text with its cursor, and below it where it is wrong and why."""
    text, at = prompt.window(look.width)
    typed = [(text[:at], ""), (text[at : at + 1] or " ", "cursor"), (text[at + 1 :], "")]
    found: list[Line] = [[(cut(prompt.label, look.width, "", look.ellipsis), "dim")], typed]
    if prompt.caret is not None:
        found.append([(" " * min(max(prompt.caret + at - prompt.at, 0), look.width - 1) + "^", "bad")])
    if prompt.trouble:
        found += [[(line, "bad")] for line in wrapped(prompt.trouble.split(" "), look.width, " ")]
    return found


def _hints() -> Iterator[str]:
    return (f"{key} {word}" for key, word in HINTS)


def _summary(model: Model) -> str:
    flows = len(model.live)
    what = f"{flows:,} {'flow' if flows == 1 else 'flows'}"
    if model.groups is not None:
        what = f"{len(model.groups):,} {model.tab.title} of {what}"
    parts = [what, *_rates(model)]
    if model.with_closed:
        parts.append(f"{len(model.closed):,} closed")
    if model.paused:
        parts.insert(0, "PAUSED")
    if model.filter:
        parts.append(f"filter: {figures.printable(model.filter)}")
    return "  ".join(parts)


def _rates(model: Model) -> Iterator[str]:
    for name, word in (("tx_rate", "tx"), ("rx_rate", "rx")):
        known = numbers(model.live, name)
        if np.isfinite(known).any():
            yield f"{word} {figures.rate(float(np.nansum(known)))}"


def _reading(model: Model) -> str:
    reading, cost = model.live.reading, model.cost
    if not reading.at_ns:
        return ""
    parts = [figures.printable(reading.host), f"netns {figures.printable(reading.netns)}"]
    if reading.interval_ns:
        parts.append(f"over {figures.time_us(reading.interval_ns / 1e3)}")
    if cost.cpu is not None:
        parts.append(f"fleutan takes {figures.share(cost.cpu)} of a CPU")
    if cost.bpf_ns is not None:
        parts.append(f"BPF {cost.bpf_ns:.0f}ns an event")
    return "  ".join([*parts, reading.source])


def _notes(model: Model) -> str:
    notes = [figures.printable(note) for note in model.live.reading.notes]
    more = f" (and {len(notes) - 1} more: ?)" if len(notes) > 1 else ""
    return f"{notes[0]}{more}" if notes else ""


# -- help


def _help(model: Model, look: Look) -> list[Line]:
    """Every key, what the signs mean, and all that the reading lacks."""
    letters = "  ".join(f"{letter} {word}" for word, letter in charts.LETTERS.items())
    found: list[Line] = [[("keys", "heading")], *_keys(look.width)]
    for title, texts in (
        ("verdicts", [letters]),
        ("source", [model.live.reading.source]),
        ("notes", model.live.reading.notes),
    ):
        if any(texts):
            found += [[], [(title, "heading")], *_texts(map(figures.printable, texts), look.width)]
    return found


def _keys(width: int) -> Iterator[Line]:
    keys = [key for key in KEYS if key.shown]
    wide = min(max(cell_width(key.shown) for key in keys) + 2, width)
    for key in keys:
        name = cut(key.shown, wide)
        for line in wrapped(key.help.split(" "), max(width - wide, 1), " "):
            yield [(pad(name, wide), "key"), (line, "")]
            name = ""


def _texts(texts: Iterable[str], width: int) -> list[Line]:
    return [[(line, "")] for text in texts for line in wrapped(text.split(" "), width, " ")]
