# SPDX-License-Identifier: Apache-2.0
"""Capture files <-> frames, and the UDP datagrams inside frames: bytes only, whole or chunk by chunk."""
