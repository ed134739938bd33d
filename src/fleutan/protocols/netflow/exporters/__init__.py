# SPDX-License-Identifier: Apache-2.0
"""What is remembered of exporters between datagrams: templates, what option data told, what waits."""
