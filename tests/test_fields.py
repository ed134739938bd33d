# SPDX-License-Identifier: Apache-2.0
import pytest

from fleutan import fields
from fleutan.errors import UsageError


def test_names_keys_and_aliases_are_unambiguous() -> None:
    names = [field.name for field in fields.FIELDS]
    assert len(set(names)) == len(names)
    for field in fields.FIELDS:
        for spelling in (field.name, field.key):
            assert fields.find(spelling) is field
        for alias in field.aliases:
            assert fields.find(alias) is field, f"{alias} is also another field"


def test_keys_carry_time_and_rate_units_only() -> None:
    assert fields.BY_NAME["rtt"].key == "rtt_us"
    assert fields.BY_NAME["delivery_rate"].key == "delivery_rate_bps"
    assert fields.BY_NAME["bytes_sent"].key == "bytes_sent"


def test_fields_of_other_tables_are_told_apart() -> None:
    assert fields.BY_NAME["rtt"].of_flows
    assert not fields.BY_NAME["qdisc"].of_flows


def test_every_field_says_what_it_means() -> None:
    for field in fields.FIELDS:
        assert field.help
        assert field.source
        assert field.name == field.name.lower()


def test_spelling_is_lenient_about_case_and_dashes() -> None:
    assert fields.find("Min-RTT") is fields.BY_NAME["min_rtt"]


def test_an_unknown_field_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean rtt"):
        fields.require("rttt")
    with pytest.raises(UsageError, match="'fleutan fields' lists all"):
        fields.require("zzzzzzzz")
    assert fields.nearest("colour", among=["color"]) == "color"
