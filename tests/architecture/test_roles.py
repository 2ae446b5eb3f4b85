"""The page about roles says what the table does, and the table has a row for every operation."""

from __future__ import annotations

from b2bua.access.permissions import BY_BODY, PERMISSIONS
from tests.architecture import openapi, roles

# Of the demo, which is in no trunk; and what the body of a request says.
_NOT_DESCRIBED = {"describe_demo", "key_demo_card"}


def test_the_page_is_fresh():
    assert roles.PAGE.read_text() == roles.page(), "run `make docs`"


def test_every_operation_has_a_row_and_every_row_an_operation():
    operations = {
        str(operation["operationId"])
        for item in openapi.document()["paths"].values()
        for operation in item.values()
    }
    by_body = {each for names in BY_BODY.values() for each in names}
    assert set(BY_BODY) <= operations
    assert operations - set(BY_BODY) | by_body | _NOT_DESCRIBED == set(PERMISSIONS)
