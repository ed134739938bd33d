# SPDX-License-Identifier: Apache-2.0
"""Whose network an address is in, and in which country, from files in MaxMind's format.

The files are the user's: of MaxMind (GeoLite2-ASN, -Country, -City), DB-IP, IPinfo and others,
whose records differ; what is asked for is looked for under each of their names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple, Self

from fleutan.errors import UsageError

#: Where the number of the autonomous system stands: MaxMind and DB-IP, IPinfo.
_ASN = (("autonomous_system_number",), ("asn",))
#: Where the country stands: MaxMind and DB-IP, IPinfo.
_COUNTRY = (("country", "iso_code"), ("country_code",), ("country",), ("registered_country", "iso_code"))


class Place(NamedTuple):
    """What is known of an address: the number of its autonomous system, and its country (ISO 3166)."""

    asn: int | None = None
    country: str | None = None


class Places:
    """Looks addresses up while it is entered, in files for autonomous systems and for countries ('' for none).

    Entering raises UsageError for a file that cannot be read or is of another format.
    """

    def __init__(self, asn: str = "", geo: str = "") -> None:
        self._files = {option: file for option, file in (("--asn", asn), ("--geo", geo)) if file}
        self._readers: list[Any] = []
        self._held = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as held:
            for option, file in self._files.items():
                self._readers.append(held.enter_context(_opened(option, file)))
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._readers = []
        self._held.close()

    def of(self, address: str) -> Place:
        """What the files say of an address; each may say both."""
        records = [record for reader in self._readers if isinstance(record := _record(reader, address), Mapping)]
        return Place(_number(_first(records, _ASN)), _text(_first(records, _COUNTRY)))


def _opened(option: str, file: str) -> Any:
    import maxminddb

    try:
        return maxminddb.open_database(file)
    except OSError as error:
        raise UsageError(f"{option} {file}: {(error.strerror or str(error)).lower()}") from None
    except (maxminddb.InvalidDatabaseError, ValueError):
        raise UsageError(f"{option} {file}: no database in MaxMind's format (.mmdb)") from None


def _record(reader: Any, address: str) -> Any:
    """The record of an address; none where the file has IPv4 only, or is damaged there."""
    from maxminddb import InvalidDatabaseError

    try:
        return reader.get(address.partition("%")[0])
    except (ValueError, InvalidDatabaseError):
        return None


def _first(records: Sequence[Mapping[str, Any]], names: Sequence[Sequence[str]]) -> Any:
    for record in records:
        for path in names:
            value: Any = record
            for name in path:
                value = value.get(name) if isinstance(value, Mapping) else None
            if isinstance(value, (int, str)):
                return value
    return None


def _number(value: Any) -> int | None:
    """A number, also one that is written AS64496."""
    text = str(value).upper().removeprefix("AS")
    return int(text) if text.isdecimal() else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
