# SPDX-License-Identifier: Apache-2.0
"""A sentence becomes a question: what people type, and the SQL that it stands for.

What lives here knows the catalogue of fields, and neither the kernel nor a screen.
"""
