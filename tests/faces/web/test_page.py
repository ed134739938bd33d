# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urlsplit

from tests.asking import ask

from fleutan.faces.web.application import Application
from fleutan.faces.web.page import EXAMPLES, page
from fleutan.past.modules import MODULES
from fleutan.past.parameters import PARAMETERS


class Read(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_tells_all_and_loads_nothing() -> None:
    read = Read()
    read.feed(page())
    assert set(MODULES) | set(PARAMETERS) <= set(read.texts)
    assert not read.tags & {"script", "link", "img", "iframe"}
    assert not any(urlsplit(link).netloc for link in read.links)


def test_every_example_is_answered(app: Application) -> None:
    for example in EXAMPLES:
        assert ask(app, example).status == 200, example
