# SPDX-License-Identifier: Apache-2.0
"""Tables on disk: a lake of Parquet files by kind, date and hour, that any number of processes read.

``kinds`` says what is kept, ``layout`` where, ``writer`` is a process's way in, ``listing`` what is
there at one moment.  What is asked of it is the business of ``past``.
"""
