"""Writes into the audit log what is not requested over the API: codes of agents' telephones, forms
without an agent, payments that start once their call is answered. Each stands there as a request
does: before it is carried out, and what became of it.

Rule 1: what starts or charges a payment is not done where the log cannot be written, if the
        settings say so. What ends a payment or a mask, or puts one on, is done all the same.
Rule 2: no code is in the log, only what it asks for.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Final, Literal

from b2bua.audit.entry import ALWAYS_DONE, Result
from b2bua.audit.recorder import NotWritten, Recorder
from b2bua.audit.request import carrying_out
from b2bua.call.feature_codes import Feature
from b2bua.call.view import NoSuchCall, NoSuchPayment, NotNow, NotOffered, NotWell, NotYours, Repeated

# As the operations of the API are called.
_OPERATIONS: Final = {
    Feature.START: "start_payment",
    Feature.SUBMIT: "submit_card",
    Feature.SKIP: "skip_field",
    Feature.ASK: "ask_field",
    Feature.PROTECT: "announce_payment",
    Feature.CANCEL: "cancel_payment",
    Feature.RELEASE: "release_mask",
    Feature.LINK: "link_telephone",
}
_REFUSED: Final = (NoSuchCall, NoSuchPayment, NotNow, NotOffered, NotWell, NotYours, Repeated)
By = Literal["telephone", "form", "answer"]
_UNWRITTEN: Final = "The audit log cannot be written, so this is not done."


class CodeAudit:
    """The log, where there is one."""

    def __init__(self, recorder: Recorder | None) -> None:
        self._recorder = recorder

    @contextlib.asynccontextmanager
    async def noted(self, who: str, feature: Feature, call: str, by: By = "telephone") -> AsyncIterator[None]:
        """Note that this was asked for, then what became of it. `by`: the way that it came. Raises
        NotWell where the log is required and cannot be written."""
        recorder, what = self._recorder, _OPERATIONS.get(feature)
        if recorder is None or what is None:
            yield
            return
        number, details = 0, {"by": str(by)}
        try:
            asked = recorder.entry(who, what, Result.ASKED, call=call, details=details)
            number = await recorder.write(asked)
        except NotWritten:
            if recorder.required and what not in ALWAYS_DONE:
                raise NotWell(_UNWRITTEN) from None
        result = Result.FAILED
        try:
            with carrying_out(number, str(by)):
                yield
            result = Result.DONE
        except _REFUSED:
            result = Result.REFUSED
            raise
        finally:
            entry = recorder.entry(who, what, result, of=number, call=call, details=details)
            with contextlib.suppress(NotWritten):  # the recorder counts it, and is a fault
                await recorder.write(entry)
