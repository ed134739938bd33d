# SPDX-License-Identifier: Apache-2.0
"""A lake put in order by a process of its own, for a writer that has no memory to spare for a database.

``python -m fleutan.lake.apart ROOT NODE KEEP`` seals what nobody holds any more, then compacts and
expires as KEEP says (JSON: age in ns and octets by kind), and ends.  ``Apart`` starts it when a writer asks for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from fleutan.lake.retention import DEFAULTS, Keep

#: What the database may take there.
MEMORY = "256MB"
#: How far other processes go before it (nice(1)).
NICE = 10


class Apart:
    """One process at a time; ``trouble`` is what the last one said, '' if all went well.

    ``keep`` is what is kept, None where the lake is neither compacted nor expired.
    """

    def __init__(self, root: Path, node: str, keep: Mapping[str, Keep] | None = DEFAULTS) -> None:
        self._begins = [sys.executable, "-m", "fleutan.lake.apart", str(root), node]
        self.keep = keep
        self._process: subprocess.Popen[str] | None = None
        self._wanted = True  # those that died before may have left something
        self.trouble = ""

    def want(self) -> None:
        """There is something to seal."""
        self._wanted = True

    def tick(self) -> None:
        """Starts a process where one is wanted and none runs; hears what one said that has ended."""
        if self._process is not None and self._process.poll() is not None:
            self._hear(self._process)
        if self._process is None and self._wanted:
            self._wanted = False
            self._start()

    def _start(self) -> None:
        kept = self.keep
        told = None if kept is None else {kind: [bounds.age_ns, bounds.octets] for kind, bounds in kept.items()}
        command = [*self._begins, json.dumps(told)]
        try:
            # Not in our session: what interrupts us would end it half-way.
            self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
        except OSError as error:  # no memory, no processes: tails stay, and count
            self.trouble = f"nothing is sealed: {error.strerror}"

    def finish(self) -> None:
        """Waits until all that is wanted is done."""
        while self._process is not None or self._wanted:
            self.tick()
            if self._process is not None:
                self._process.wait()
                self._hear(self._process)

    def _hear(self, process: subprocess.Popen[str]) -> None:
        said = process.communicate()[1].strip().splitlines()
        self.trouble = (
            "" if not process.returncode else f"nothing is sealed: {said[-1] if said else process.returncode}"
        )
        self._process = None


def order(root: Path, node: str, keep: Mapping[str, Keep] | None = DEFAULTS) -> int:
    """Seals what nobody holds; compacts and expires, unless ``keep`` is None; how many rows were sealed."""
    from fleutan.lake import sealing
    from fleutan.lake.disk import Disk
    from fleutan.lake.keeper import Keeper
    from fleutan.lake.recovery import recover

    with sealing.connect(1, MEMORY, root) as connection:
        rows = recover(connection, root, Disk())
    if keep is not None:
        Keeper(root, node, keep).once()
    return rows


def main(arguments: list[str]) -> None:
    """Puts the lake in order that is named, behind all other work."""
    with suppress(OSError):
        os.nice(NICE)
    try:
        root, node, kept = arguments
        keep = json.loads(kept)
        order(Path(root), node, keep and {kind: Keep(*bounds) for kind, bounds in keep.items()})
    except Exception as error:  # whatever the disk or the database say: in one line
        sys.exit(str(error).splitlines()[0])


if __name__ == "__main__":
    main(sys.argv[1:])
