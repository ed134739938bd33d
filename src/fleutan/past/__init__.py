# SPDX-License-Identifier: Apache-2.0
"""A question to a lake, answered: joins what is on disk, plans and an engine.

``relations`` says what rows mean, ``statements`` writes a plan as SQL, ``engine`` runs it over the
lake's files, ``modules`` are the questions that have names.  Knows no option and no screen.
"""
