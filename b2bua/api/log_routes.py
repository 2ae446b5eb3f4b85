"""Shows how this Tonewall logs, and has it log more or less for a while.

Rule 1: a change ends by itself, after MAX_SECONDS at the latest; sip.conf has what lasts.
"""

from __future__ import annotations

import time
from typing import Final, Literal

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import ConfigDict, Field

from b2bua.api.bodies import Body
from b2bua.api.log_view import LogLevelView
from b2bua.api.problems import problem
from b2bua.api.schema import Answers, problem_answers
from tonewall.log import get_logger, log_page
from tonewall.log_settings import LogChange, LogSettings

log = get_logger(__name__)
MAX_SECONDS: Final = 86400
_JSON: Final = "application/json"
_ALONE: Final = "This process was not started by `tonewall run`; its log level is fixed."


class LogLevelBody(Body):
    """`level`: of the log from now on; null: that of sip.conf again."""

    model_config = ConfigDict(
        title="LogLevel",
        json_schema_extra={"examples": [{"level": "debug", "module": "b2bua.sip", "seconds": 600}]},
    )

    level: Literal["debug", "info", "warning", "error"] | None = Field(
        description="The least level that is logged; null: as sip.conf has it."
    )
    module: str = Field(
        "",
        max_length=100,
        pattern=r"^((b2bua|media|provider_adapters|tonewall)(\.[a-z0-9_]+)*)?$",
        description="Of which modules alone, by the beginning of their names: b2bua.sip; empty: of all.",
    )
    seconds: int = Field(600, ge=1, le=MAX_SECONDS, description="After which that is over.")


def log_routes() -> APIRouter:
    """`GET /v1/log-level` and `POST /v1/log-level`."""
    router = APIRouter(prefix="/v1/log-level", tags=["service"])
    schema = {"$ref": "#/components/schemas/LogLevelView"}
    answer: Answers = {200: {"description": "How it is logged.", "content": {_JSON: {"schema": schema}}}}

    @router.get(
        "",
        operation_id="get_log_level",
        summary="How it is logged",
        responses={**answer, **problem_answers(401, 503)},
    )
    async def get_log_level() -> Response:
        """The level of sip.conf, and another one for a while."""
        page = log_page()
        return problem(503, _ALONE) if page is None else _answer(page.read())

    @router.post(
        "",
        operation_id="set_log_level",
        summary="Log more or less for a while",
        responses={**answer, **problem_answers(401, 422, 503)},
    )
    async def set_log_level(request: Request, wanted: LogLevelBody) -> Response:
        """In all processes, from their next entries on; it is over by itself. The next change
        replaces it. No level logs a digit."""
        page = log_page()
        if page is None:
            return problem(503, _ALONE)
        change = None
        if wanted.level is not None:
            change = LogChange(wanted.level, wanted.module, time.monotonic() + wanted.seconds)
        settings = msgspec.structs.replace(page.read(), change=change)
        log.warning(  # before it is so: who reads the log later has to know why it has holes
            "log_level_changed",
            agent=request.state.agent,
            modules=wanted.module or "all",
            state=wanted.level or settings.level,
            seconds=wanted.seconds,
        )
        page.write(settings)
        return _answer(settings)

    return router


def _answer(settings: LogSettings) -> Response:
    return Response(msgspec.json.encode(LogLevelView.of(settings)), media_type=_JSON)
