# SPDX-License-Identifier: Apache-2.0
"""The errors that a user can meet.

Each carries one line: what is wrong, where, and what to do.  What lives here knows neither
how a line is printed nor which exit status the process gives; the faces do.
"""

#: How much of a long text an error shows around the place.
WINDOW = 76


class FleutanError(Exception):
    """Something failed at run time (exit status 1)."""


class UsageError(FleutanError):
    """The question itself is wrong: a filter, a field, an option (exit status 2)."""


class TextError(UsageError):
    """A text that cannot be understood; ``position`` is the 0-based offset of the trouble."""

    def __init__(self, message: str, text: str = "", position: int = 0) -> None:
        super().__init__(message)
        self.text = text
        self.position = position

    def __str__(self) -> str:
        message = super().__str__()
        if not self.text:
            return message
        start = max(0, self.position - WINDOW // 2)
        shown = self.text[start : start + WINDOW]
        return f"{message}\n  {shown}\n  {' ' * (self.position - start)}^"


class FilterError(TextError):
    """A filter that cannot be understood."""


class TimeError(TextError):
    """A time, a range of times or a duration that cannot be understood."""


class NotSupported(FleutanError):
    """This kernel, these privileges or these libraries do not offer it.

    ``reason`` says what is missing and ``remedy`` what would give it.
    """

    def __init__(self, what: str, reason: str, remedy: str = "") -> None:
        super().__init__(f"{what}: {reason}" + (f"; {remedy}" if remedy else ""))
        self.what = what
        self.reason = reason
        self.remedy = remedy


class Gone(FleutanError):
    """What was asked about vanished while it was read: a namespace, a process."""
