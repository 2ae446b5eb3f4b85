"""No task fails silently: whoever makes one awaits it, or starts it as a `BackgroundTasks` task,
which logs and acts."""

from __future__ import annotations

import ast

from tests.architecture.source import MODULES, Module, every_module

# Where tasks are made and awaited in the same module: looked at by hand.
AWAITED = {
    "b2bua.api.server": "`Serving.task`, awaited by `close` and watched by b2bua.app",
    "b2bua.api.recording_routes": "gathered by the answer, which raises what they raised",
    "b2bua.api.stream": "gathered by `FeedResponse.__call__`, which raises what they raised",
    "b2bua.app": "watched by `run`, which stops when one ends",
    "b2bua.shared.instances": "awaited by `Instances.run`, which raises what they raised",
    "b2bua.wiring.start": "handed to `b2bua.app`, which watches it",
    "b2bua.doctor.examination": "awaited by `examine`",
    "b2bua.sip.trunk.locator": "waits of `start`",
    "b2bua.supervise.succession": "waits for an end, a turn or the stop, awaited",
    "b2bua.supervise.child": "waits of one process, awaited",
    "b2bua.supervise.supervisor": "a TaskGroup; `_on_charge_ended` takes the charging payers",
    "media.rtpengine.servers": "`Servers._watch`, which survives any error",
    "provider_adapters.local.books": "shielded and awaited by `Provider._charge`",
    "tonewall.tasks": "logs what they raise, and tells their owner",
}
MAKERS = frozenset({"create_task", "ensure_future", "run_coroutine_threadsafe"})


def made(module: Module) -> list[int]:
    """The lines on which this module makes a task."""
    calls = (node.func for node in ast.walk(module.tree) if isinstance(node, ast.Call))
    return [
        call.lineno for call in calls if isinstance(call, ast.Attribute | ast.Name) and name(call) in MAKERS
    ]


def name(call: ast.Attribute | ast.Name) -> str:
    return call.attr if isinstance(call, ast.Attribute) else call.id


@every_module
def test_a_task_is_awaited_or_a_background_task(module: Module) -> None:
    if not module.name.startswith("b2bua.demo") and module.name not in AWAITED:
        assert made(module) == [], f"{module.where}: use tonewall.tasks.BackgroundTasks"


def test_who_may_make_tasks_makes_some() -> None:
    assert [each for each in AWAITED if not made(MODULES[each])] == []
