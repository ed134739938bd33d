# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from pydantic import ValidationError

from fleutan.exports import forms
from fleutan.faces.web import schema
from fleutan.past.modules import MODULES
from fleutan.past.parameters import PARAMETERS

MODEL = schema.parameters_model()


def test_every_parameter_is_in_the_model() -> None:
    assert {field.alias for field in MODEL.model_fields.values()} == set(PARAMETERS)
    assert set(schema.TYPES) <= set(PARAMETERS)


def test_parameters_become_text_again() -> None:
    given = {"start": "1700000000.123456789", "topn": 5, "use-src": True, "utc": "false", "format": "csv", "wait": "no"}
    found = schema.words(MODEL(**given))
    assert found == {"start": "1700000000.123456789", "topn": "5", "use-src": "", "format": "csv", "wait": "no"}


def test_large_numbers_are_written_out() -> None:
    assert schema.words(MODEL(end="1E9")) == {"end": "1000000000"}


@pytest.mark.parametrize(
    "given",
    [{"start": "inf"}, {"start": -1}, {"topn": -1}, {"wait": "maybe"}, {"source": "x"}, {"format": "x"}, {"x": "y"}],
)
def test_what_is_no_parameter_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MODEL(**given)


def test_every_form_of_every_module_can_be_said() -> None:
    assert set(schema.FORMS) == {form for module in MODULES for form in forms.forms_of(module)}
