# SPDX-License-Identifier: Apache-2.0
"""The live screen of ``fleutan top``.

``model`` is what stands on the screen (order, groups, selection) with the ``history`` behind it,
``drawing`` makes lines of it, ``export`` a file; all of these are pure.  ``sampling`` asks this
host beside, and ``app`` joins both to a terminal: it alone imports textual.
"""
