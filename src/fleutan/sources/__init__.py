# SPDX-License-Identifier: Apache-2.0
"""Foreign words into Tables, one question a file: flows, owners, names.

The only room but ``actions`` that asks ``linux``.  What follows from a Table is computed in
``analysis``.
"""
