# SPDX-License-Identifier: Apache-2.0
"""fleutan: this host's network flows, with their owners, their latency and what limits them.

>>> import fleutan
>>> table = fleutan.flows("tcp and rtt > 20ms")
>>> table.reading.source != ""
True
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from fleutan.table import Table

__version__ = "0.1.0"
__all__ = ["__version__", "flows"]


def flows(
    filter: str = "",  # noqa: A002  # what the command line calls it too
    *,
    fields: Sequence[str] | None = None,
    states: Literal["connected", "listening", "all"] = "connected",
    netns: str | int | None = None,
    source: Literal["auto", "netlink", "bpf"] = "auto",
    interval: float | None = None,
) -> Table:
    """The flows of this host that a filter means, as a Table.

    ``fields`` are catalogue names (None: those of ``fleutan flows --json`` and every computed
    one); ``states`` is what the options -l and -a choose; ``netns`` is a name, a process id or
    "all".  With ``interval`` the host is read twice, so many seconds apart, and the rates are
    there too.  Columns are numpy arrays (``table["rtt_us"]``), rows dicts (``table.rows()``).

    Raises ``fleutan.errors.UsageError`` for a wrong question, ``NotSupported`` where the kernel
    or the privileges do not allow it, ``Gone`` when the namespace vanished.

    >>> import fleutan
    >>> table = fleutan.flows("state established and sport >= 1024", fields=["pid", "comm", "rtt"])
    >>> table.sql("SELECT comm, count(*) AS flows FROM flows GROUP BY ALL").names
    ['comm', 'flows']
    """
    from fleutan.errors import UsageError
    from fleutan.fields import require
    from fleutan.live import Question, ask
    from fleutan.views import flows as view

    if isinstance(fields, str):
        raise UsageError(f"fields are a list of names: [{fields!r}]")
    demanded = frozenset(require(name).name for name in fields or ())
    if fields is None:
        fields = (*view.MACHINE_FIELDS, *view.COMPUTED_FIELDS, *(view.INTERVAL_FIELDS if interval else ()))
    question = Question(filter, fields=tuple(fields), demanded=demanded, states=states)
    return ask(question, None if netns is None else str(netns), source, interval)
