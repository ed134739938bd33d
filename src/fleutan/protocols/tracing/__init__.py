# SPDX-License-Identifier: Apache-2.0
"""Probes out, replies in: what is sent along a path, what comes back, and what is sent next."""
