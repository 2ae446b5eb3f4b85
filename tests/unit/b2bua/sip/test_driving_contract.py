"""The driving contract of docs/state-machines.md: its example runs, and machines keep it."""

from __future__ import annotations

import doctest
import re
from copy import deepcopy

import pytest

from b2bua.sip.leg.reliable_answer import ReliableAnswer
from b2bua.sip.leg.session_timer import SessionTimer
from b2bua.sip.transaction.invite_client import InviteClient
from b2bua.sip.transaction.non_invite_client import NonInviteClient
from b2bua.sip.transaction.transaction import Timers
from tests.architecture.source import ROOT


def machines() -> list[InviteClient | NonInviteClient | ReliableAnswer | SessionTimer]:
    session = SessionTimer()
    session.agree(90, True, 0.0)
    invite, _ = InviteClient.open(b"INVITE", 0.0, Timers())
    request, _ = NonInviteClient.open(b"BYE", 0.0, Timers())
    return [invite, request, ReliableAnswer.open(b"200", 1, 0.0, Timers()), session]


every_machine = pytest.mark.parametrize("machine", machines(), ids=lambda machine: type(machine).__name__)


def test_the_example_of_the_page_runs():
    page = (ROOT / "docs" / "state-machines.md").read_text()
    [example] = re.findall(r"```pycon\n(.*?)```", page, re.DOTALL)
    test = doctest.DocTestParser().get_doctest(example, {}, "state-machines.md", None, 0)
    found = doctest.DocTestRunner().run(test)
    assert found.attempted > 5
    assert found.failed == 0


@every_machine
def test_before_its_deadline_a_machine_does_nothing(machine):
    before = deepcopy(machine)
    assert not machine.expire(machine.deadline() - 0.001)
    assert machine == before


@every_machine
def test_a_machine_that_is_driven_by_its_deadlines_comes_to_rest(machine):
    machine = deepcopy(machine)
    for _ in range(100):
        due = machine.deadline()
        if due is None:
            return
        assert machine.deadline() == due
        machine.expire(due)
    pytest.fail("it never comes to rest")
