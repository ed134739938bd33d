# SPDX-License-Identifier: Apache-2.0
"""A lake asked by HTTP: Metroflux's addresses, and the same under ``/api/v1`` with OpenAPI.

``words`` reads query strings, ``questions`` makes Requests of them, ``desk`` works on Requests in
threads, ``spool`` is what lies between a thread and a client.  ``historic`` and ``api`` are the two
sets of addresses, ``application`` joins them; ``serving`` is the process.  What is asked of a lake and
how answers are written is known in ``past`` and ``exports``.
"""
