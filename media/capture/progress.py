"""Counts the digits of each field of a form; it never sees one.

Rule 1: at most one field that is not complete has digits; one that was complete before, and is
        asked for again, keeps its earlier count aside until it is complete, as does its second
        entry.
"""

from __future__ import annotations

import msgspec

from media.capture.form import Form
from media.events import FieldName, FieldProgress, FieldReason


class FormProgress:
    """The counts of one capture, field by field, as the agent sees them."""

    def __init__(self, form: Form) -> None:
        self._fields = {field: FieldProgress(field=field) for field in form.fields}
        self._aside: dict[FieldName, FieldProgress] = {}

    def __getitem__(self, field: FieldName) -> FieldProgress:
        return self._fields[field]

    def values(self) -> tuple[FieldProgress, ...]:
        """All of them, in order."""
        return tuple(self._fields.values())

    @property
    def missing(self) -> tuple[FieldName, ...]:
        """The fields that are not complete, in order."""
        return tuple(field for field, progress in self._fields.items() if not progress.complete)

    @property
    def aside(self) -> tuple[FieldName, ...]:
        """The field that is asked for again, while its earlier digits count, and its second
        entry."""
        return tuple(self._aside)

    def set_aside(self, field: FieldName) -> None:
        """A complete field is asked for again."""
        self._aside[field] = self._fields[field]
        self._set(field, count=0, complete=False, reason=None, kept=True)

    def take_back(self) -> None:
        """The field that is asked for again is as it was before."""
        for field, before in self._aside.items():
            self._set(field, count=before.count, complete=True, reason=None, kept=False)
        self._aside = {}

    def drop_aside(self) -> None:
        """The earlier digits of the field that is asked for again are gone."""
        for field in self._aside:
            self._set(field, kept=False)
        self._aside = {}

    def add_digit(self, field: FieldName) -> None:
        """One more digit."""
        self._set(field, count=self._fields[field].count + 1)

    def set_count(self, field: FieldName, count: int) -> None:
        """So many digits."""
        self._set(field, count=count)

    def complete(self, field: FieldName) -> None:
        """The field is whole and valid."""
        self._set(field, complete=True, reason=None)

    def skip(self, field: FieldName) -> None:
        """The form goes on without the field."""
        self._set(field, count=0, complete=True, reason=None, skipped=True)

    def clear(self, fields: tuple[FieldName, ...]) -> None:
        """The fields are empty again; how often each was refused stays."""
        for field in fields:
            self._set(field, count=0, complete=False, reason=None, skipped=False)

    def refuse(self, field: FieldName, reason: FieldReason, dropped: int) -> None:
        """The field did not pass its check; `dropped` more keys were ignored."""
        before = self._fields[field]
        self._set(field, rejected=before.rejected + 1, ignored=before.ignored + dropped, reason=reason)

    def ignore(self, field: FieldName, keys: int) -> None:
        """So many keys did not count."""
        before = self._fields[field]
        self._set(field, ignored=before.ignored + keys, reason=before.reason or FieldReason.KEYS_IGNORED)

    def explain(self, field: FieldName, reason: FieldReason) -> None:
        """A reason for the agent, unless the field has one."""
        if self._fields[field].reason is None:
            self._set(field, reason=reason)

    def _set(self, field: FieldName, **changes: int | FieldReason | None) -> None:
        self._fields[field] = msgspec.structs.replace(self._fields[field], **changes)
