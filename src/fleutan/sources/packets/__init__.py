# SPDX-License-Identifier: Apache-2.0
"""Sampled packets of this host as columns, in sFlow's words."""
