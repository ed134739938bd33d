# SPDX-License-Identifier: Apache-2.0
"""What a disk may hold after a power cut: a disk that remembers each step, and all states that these allow.

Octets that were not synced are there, or not, or in part; a name that was not synced is there or not,
each for itself.  A rename is one step: it happened, or it did not.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from fleutan.lake.disk import Disk

#: All subsets of so many open steps are looked at; of more those that lie near all and none, and some by chance.
ALL, CHANCES = 4, 12

Step = tuple[Any, ...]
#: Files and their octets by path, directories with None.
State = dict[str, bytes | None]


class RememberingDisk(Disk):
    """A disk that remembers what is done to it below ``root``; ``fail`` may raise before a step is done."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self._root = root
        self._paths: dict[int, Path] = {}
        self.fail: Callable[[str, Path | None], None] = lambda _step, _path: None

    def know(self, rows: Iterable[int]) -> None:
        """From here on these rows are known to be there."""
        self.steps.append(("know", frozenset(rows)))

    def _note(self, step: str, path: Path, *more: Any) -> None:
        if path.is_relative_to(self._root):
            self.steps.append((step, str(path.relative_to(self._root)), *more))

    def make_one(self, directory: Path) -> None:
        is_new = not directory.exists()
        super().make_one(directory)
        if is_new:
            self._note("mkdir", directory)

    def create(self, path: Path) -> int:
        self.fail("create", path)
        descriptor = super().create(path)
        self._paths[descriptor] = path
        self._note("create", path)
        return descriptor

    def write(self, path: Path, octets: bytes) -> None:
        self.fail("write", path)
        super().write(path, octets)
        self._note("create", path)
        self._note("data", path, octets)
        self._note("sync", path)

    def fill(self, path: Path, write: Callable[[Path], object]) -> None:
        self.fail("fill", path)
        super().fill(path, write)
        self._note("create", path)
        self._note("data", path, path.read_bytes())

    def append(self, descriptor: int, octets: bytes, at: int) -> None:
        path = self._named(descriptor)
        try:
            self.fail("append", path)
        except OSError:
            super().append(descriptor, octets[: len(octets) * 3 // 4], at)
            self._note("data", path, path.read_bytes())
            raise
        super().append(descriptor, octets, at)
        self._note("data", path, path.read_bytes())
        self._note("sync", path)

    def cut(self, descriptor: int, size: int) -> None:
        path = self._named(descriptor)
        self.fail("cut", path)
        super().cut(descriptor, size)
        self._note("data", path, path.read_bytes())
        self._note("sync", path)

    def sync(self, path: Path) -> None:
        self.fail("sync", path)
        super().sync(path)
        self._note("sync", path)

    def rename(self, path: Path, target: Path) -> None:
        self.fail("rename", target)
        super().rename(path, target)
        self._note("rename", path, target.name)
        self._paths = {one: target if at == path else at for one, at in self._paths.items()}

    def unlink(self, paths: Iterable[Path]) -> None:
        for path in paths:
            self.fail("unlink", path)
            if path.exists():
                super().unlink([path])
                self._note("unlink", path)

    def prune(self, directory: Path) -> None:
        super().prune(directory)
        self._note("unlink", directory)

    def sync_names(self, directory: Path) -> None:
        self.fail("sync_names", directory)
        super().sync(directory)
        self._note("sync_names", directory)

    def _named(self, descriptor: int) -> Path:
        return self._paths[descriptor]


@dataclass
class Node:
    """A file or a directory: what of it has reached the disk, and what may have."""

    octets: bytes = b""
    latest: bytes = b""
    lasting: dict[str, Node] = field(default_factory=dict)
    names: dict[str, Node] = field(default_factory=dict)
    open: list[tuple[str, str, Node]] = field(default_factory=list)
    is_directory: bool = False

    def link(self, name: str, node: Node) -> None:
        self.names[name] = node
        self.open.append(("link", name, node))


class Model:
    """The disk below a directory, as far as it is known; ``state`` is what was there before the first step."""

    def __init__(self, state: State | None = None) -> None:
        self.root = Node(is_directory=True)
        for path, octets in sorted((state or {}).items()):
            above, name = self._above(path)
            node = Node(octets or b"", octets or b"", is_directory=octets is None)
            above.names[name] = above.lasting[name] = node

    def follow(self, step: Step) -> None:
        """One step is done."""
        kind, path, *more = step
        above, name = self._above(path)
        if kind in ("mkdir", "create"):
            above.link(name, Node(is_directory=kind == "mkdir"))
        elif kind == "data":
            above.names[name].latest = more[0]
        elif kind == "sync":
            above.names[name].octets = above.names[name].latest
        elif kind == "rename":
            node = above.names.pop(name)
            above.names[more[0]] = node
            above.open.append((f"from {name}", more[0], node))
        elif kind == "unlink":
            above.open.append(("unlink", name, above.names.pop(name)))
        else:
            node = self._at(path)
            node.lasting, node.open = dict(node.names), []

    def states(self, chance: random.Random) -> Iterator[State]:
        """What may be there if the power goes now."""
        directories = list(self._directories(self.root))
        steps = [(node, step) for node in directories for step in node.open]
        files = [node for node in self._files(directories) if node.octets != node.latest]
        for kept in subsets(len(steps), chance):
            entries = {id(node): dict(node.lasting) for node in directories}
            for number, (node, (kind, name, other)) in enumerate(steps):
                if number in kept:
                    _apply(entries[id(node)], kind, name, other)
            for octets in _contents(files, chance):
                yield dict(_walk(self.root, "", entries, dict(zip(map(id, files), octets, strict=True))))

    def _at(self, path: str) -> Node:
        node = self.root
        for name in Path(path).parts:
            node = node.names[name]
        return node

    def _above(self, path: str) -> tuple[Node, str]:
        above, _, name = path.rpartition("/")
        return self._at(above), name

    def _directories(self, node: Node) -> Iterator[Node]:
        """All that are there or may be there."""
        yield node
        below = [*node.lasting.values(), *(other for _, _, other in node.open)]
        for other in {id(one): one for one in below if one.is_directory}.values():
            yield from self._directories(other)

    @staticmethod
    def _files(directories: Sequence[Node]) -> list[Node]:
        found = {}
        for node in directories:
            for other in [*node.lasting.values(), *(other for _, _, other in node.open)]:
                if not other.is_directory:
                    found[id(other)] = other
        return list(found.values())


def _apply(entries: dict[str, Node], kind: str, name: str, node: Node) -> None:
    if kind == "unlink":
        entries.pop(name, None)
        return
    before = kind.removeprefix("from ")
    if kind != "link" and entries.get(before) is node:
        del entries[before]
    entries[name] = node


def _partly(node: Node) -> list[bytes]:
    """What a file may have whose octets were not synced: the old, the new, a part, or zeros for a part."""
    half = (len(node.octets) + len(node.latest)) // 2
    zeros = bytes(max(0, len(node.latest) - half))
    return [node.octets, node.latest, node.latest[:half], node.latest[:half] + zeros]


def _contents(files: Sequence[Node], chance: random.Random) -> list[tuple[bytes, ...]]:
    """What files may have beside each other: of several all the same way, and some by chance."""
    ways = [_partly(node) for node in files]
    if len(files) < 2:
        return list(product(*ways))
    return [*zip(*ways, strict=True), *(tuple(map(chance.choice, ways)) for _ in range(2))]


def _walk(
    node: Node, path: str, entries: dict[int, dict[str, Node]], octets: dict[int, bytes]
) -> Iterator[tuple[str, bytes | None]]:
    for name, other in entries.get(id(node), {}).items():
        if other.is_directory:
            yield f"{path}{name}", None
            yield from _walk(other, f"{path}{name}/", entries, octets)
        else:
            yield f"{path}{name}", octets.get(id(other), other.octets)


def subsets(count: int, chance: random.Random) -> list[frozenset[int]]:
    """Which of so many steps have reached the disk."""
    if count <= ALL:
        return [frozenset(n for n in range(count) if bits >> n & 1) for bits in range(1 << count)]
    whole = frozenset(range(count))
    near = [whole - {n} for n in whole] + [frozenset({n}) for n in whole] + [frozenset(range(n)) for n in whole]
    some = [frozenset(n for n in whole if chance.random() < 0.5) for _ in range(CHANCES)]
    return list(dict.fromkeys([frozenset(), whole, *near, *some]))


def every_state(
    steps: Sequence[Step],
    chance: random.Random,
    most: int,
    before: State | None = None,
    known: frozenset[int] = frozenset(),
) -> list[tuple[State, frozenset[int], int]]:
    """Different states after a cut at any point, the rows known to be there then, and after which step.

    Of those after one step ``most`` are taken, by chance.
    """
    found: dict[Any, tuple[State, frozenset[int], int]] = {}
    model = Model(before)
    for number, step in enumerate(steps):
        if step[0] == "know":
            known = step[1]
        else:
            model.follow(step)
        states = {frozenset(state.items()): state for state in model.states(chance)}
        new = [state for state in states if state not in found]
        left_out = set(chance.sample(new, max(0, len(new) - most)))
        found |= {key: (state, known, number) for key, state in states.items() if key not in left_out}
    return list(found.values())


def state_of(root: Path) -> State:
    """What is below a directory."""
    paths = sorted(root.rglob("*"))
    return {str(path.relative_to(root)): None if path.is_dir() else path.read_bytes() for path in paths}


def written(state: State, root: Path) -> Path:
    """The state as files below a directory."""
    root.mkdir(parents=True, exist_ok=True)
    for path, octets in sorted(state.items()):
        if octets is None:
            (root / path).mkdir()
        else:
            (root / path).write_bytes(octets)
    return root
