# SPDX-License-Identifier: Apache-2.0
"""Table -> Table, or a small value.  Pure: nothing here reads a file, a socket or a clock."""
