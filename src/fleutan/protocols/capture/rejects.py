# SPDX-License-Identifier: Apache-2.0
"""Why parts of a capture are not read: the names under which they are counted."""

from __future__ import annotations

from typing import Final

#: The file ends inside its last record, or inside its first header.
TRUNCATED: Final = "truncated record"
#: It begins with nothing that a capture file begins with; nothing of it is read.
NOT_A_CAPTURE: Final = "not a capture file"
COMPRESSED: Final = "compressed file"
#: A record or block that cannot be so long or so short; what follows it cannot be found.
LENGTH: Final = "impossible record length"
#: A block of pcapng whose two lengths differ, or whose packet is longer than itself; the next is read.
TRAILER: Final = "block lengths differ"
CAPTURED: Final = "packet longer than its block"
#: A packet of an interface that the section does not describe; a description that is none.
INTERFACE: Final = "interface not described"
DESCRIPTION: Final = "interface description unreadable"
INTERFACES: Final = "too many interfaces"
#: A packet block longer than any frame; it is passed over.
OVERSIZED: Final = "packet too long"
#: A section whose byte-order magic or version is unknown; what follows it cannot be read.
SECTION: Final = "section header unreadable"

#: Of fragments: cut by the capture, in conflict with each other, or never complete.
FRAGMENT_CUT: Final = "fragment cut by the capture"
FRAGMENT_CONFLICT: Final = "fragments overlap"
FRAGMENT_MISSING: Final = "fragments missing"
