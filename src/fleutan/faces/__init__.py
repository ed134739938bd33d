# SPDX-License-Identifier: Apache-2.0
"""What people and programs meet.  Nothing imports from here."""
