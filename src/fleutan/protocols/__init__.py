# SPDX-License-Identifier: Apache-2.0
"""Bytes <-> messages, both ways: what lives here knows no socket, no clock and no thread."""
