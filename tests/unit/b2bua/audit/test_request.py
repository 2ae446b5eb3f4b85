"""Which entry asked for what is carried out: the one of this task, and only while it is carried
out."""

from __future__ import annotations

import asyncio

from b2bua.audit.request import carrying_out, current_request


async def test_what_a_request_starts_names_it_until_it_is_over() -> None:
    later: list[object] = []
    with carrying_out(17, "telephone"):
        request = current_request()
        assert request is not None
        assert (request.number, request.by) == (17, "telephone")
        asyncio.get_running_loop().call_soon(lambda: later.append(current_request()))
    assert current_request() is None
    await asyncio.sleep(0)
    assert later == [None]


async def test_requests_of_other_tasks_are_not_taken_for_each_other() -> None:
    async def carry_out(number: int, begin: asyncio.Event, end: asyncio.Event) -> int:
        with carrying_out(number):
            begin.set()
            await end.wait()
            request = current_request()
            return request.number if request is not None else 0

    begin, end = asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(carry_out(1, begin, end))
    await begin.wait()
    assert current_request() is None
    assert await carry_out(2, end, begin) == 2
    assert await first == 1


def test_an_entry_that_could_not_be_written_is_not_named() -> None:
    with carrying_out(0):
        assert current_request() is None
