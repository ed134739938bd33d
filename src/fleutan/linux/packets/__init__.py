# SPDX-License-Identifier: Apache-2.0
"""Sampled packets, as the kernel gives them in several ways."""
