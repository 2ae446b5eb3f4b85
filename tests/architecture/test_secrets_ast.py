"""Where secrets may be shown, formatted, sent and logged, as far as the source can tell without
running it.

Rule 1: what is annotated with a secret's type, or bound from one, is a secret by that name in its
        whole module: coarse, but it errs on the safe side.
Rule 2: each check is also run on a leaky example, so that it is known to find what it is for.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

import pytest

from provider_adapters import registry
from tests.architecture.source import MODULES, Module, every_module
from tonewall.log_fields import FIELDS

ADAPTERS = {f"provider_adapters.{name}" for name in registry.ADAPTERS}
# What holds digits: of the payer's card module, of the vault, of the core.
SECRET_TYPES = frozenset(
    {"Pan", "Expiry", "SecurityCode", "Card", "CardBlock", "SecretMemory", "LockedMemory", "memoryview"}
    | {"Secret", "Keyed", "KeyedField", "KeyedFields", "KeyedBlock", "FormBlock"}
)
# Their attributes.
HOLDERS = frozenset({"pan", "expiry", "security_code", "_digits", "_memory", "_intake", "_view"})
HARMLESS = frozenset(
    {"len", "type", "isinstance", "id", "check_number", "check_expiry", "check_code", "find_brand"}
)
REVEALING = frozenset({"reveal", "reveal_digits"})
SHOWING = frozenset({"str", "repr", "ascii", "format", "print", "hash", "vars", "hex", "oct", "bin", "int"})
TEXT_OF_ITSELF = frozenset(
    {"format", "hex", "tobytes", "tolist", "decode", "__repr__", "__str__", "__format__"}
)
LOGGERS = frozenset({"log", "_log", "logger"})
EVENT = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LEVELS = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
# The two places that make text of digits.
ALLOWED = {
    ("provider_adapters.keyed", "Secret._text"),  # what `reveal` returns
    (
        "media.capture.vault",
        "Vault.last_digits",
    ),  # PCI DSS 3.4.1: at most the last four are shown, of a form's field as configured
}


def named(node: ast.expr | None) -> set[str]:
    """The names in an annotation, of strings too."""
    if node is None:
        return set()
    text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ast.unparse(node)
    return {part.id for part in ast.walk(ast.parse(text, mode="eval")) if isinstance(part, ast.Name)}


def secrets(tree: ast.Module) -> set[str]:
    """The names and attributes that hold a secret in this module."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and named(node.annotation) & SECRET_TYPES:
            found.add(node.arg)
        elif isinstance(node, ast.AnnAssign) and named(node.annotation) & SECRET_TYPES:
            found |= names(node.target)
        elif isinstance(node, ast.Assign) and makes_secret(node.value):
            found |= {name for target in node.targets for name in names(target)}
        elif (
            isinstance(node, ast.withitem)
            and node.optional_vars is not None
            and makes_secret(node.context_expr)
        ):
            found |= names(node.optional_vars)
    return found


def names(target: ast.expr) -> set[str]:
    if isinstance(target, ast.Attribute):
        return {target.attr}
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}


def makes_secret(value: ast.expr) -> bool:
    """A call of a secret's type, or of something that gives one away."""
    return any(
        isinstance(node, ast.Call) and called(node) in SECRET_TYPES | {"_digits", "space", "card", *REVEALING}
        for node in ast.walk(value)
    )


def called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def touches(node: ast.AST, secret: set[str]) -> bool:
    """Whether a secret is in this expression, but for questions that show nothing of it."""
    if isinstance(node, ast.Call) and called(node) in HARMLESS:
        return False
    if isinstance(node, ast.Name) and node.id in secret:
        return True
    if isinstance(node, ast.Attribute) and (node.attr in secret or node.attr in HOLDERS):
        return True
    if isinstance(node, ast.Call) and called(node) in REVEALING:
        return True
    return any(touches(child, secret) for child in ast.iter_child_nodes(node))


def shown(node: ast.AST) -> list[ast.expr]:
    """What this node makes text of, logs, or quotes in an exception."""
    match node:
        case ast.JoinedStr():
            return [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
        case ast.BinOp(left=ast.Constant(value=str() | bytes()), op=ast.Mod()):
            return [node.right]
        case ast.Raise(exc=ast.Call() as call):
            return [*call.args, *(word.value for word in call.keywords)]
        case ast.Call():
            takes = called(node) in SHOWING | {"join", "dumps"} or is_log_call(node)
            values = [*node.args, *(word.value for word in node.keywords)] if takes else []
            if isinstance(node.func, ast.Attribute) and node.func.attr in TEXT_OF_ITSELF:
                values += [node.func.value, *node.args]
            return values
        case _:
            return []


def is_log_call(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LEVELS | {"log", "bind", "msg"}
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in LOGGERS
    )


def functions(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Every node with the dotted name of the function or class that it stands in."""
    for child in ast.iter_child_nodes(node):
        inner = prefix
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{prefix}.{child.name}".lstrip(".")
        yield inner, child
        yield from functions(child, inner)


def leaks(
    name: str, tree: ast.Module, allowed: Collection[tuple[str, str]] = frozenset(ALLOWED)
) -> list[str]:
    """Where a secret is made text of."""
    secret = secrets(tree)
    return [
        f"{name}:{getattr(node, 'lineno', 0)}: {ast.unparse(node)[:80]}"
        for place, node in functions(tree)
        if (name, place) not in allowed and any(touches(value, secret) for value in shown(node))
    ]


LEAKY = [
    "def f(pan: Pan): return f'{pan}'",
    "def f(pan: Pan): return str(pan)",
    "def f(pan: Pan): return 'x %s' % pan",
    "def f(pan: Pan): return 'x {}'.format(pan)",
    "def f(pan: Pan | None): raise ValueError(pan)",
    "def f(pan: 'Pan'): log.info('x', reason=pan)",
    "def f(x: Card): logger.debug('x', reason=x.pan.reveal())",
    "def f(x: Card): raise KeyError(x.expiry.reveal_digits())",
    "def f(x): print(x.security_code)",
    "def f(x): number = x.reveal(); log.info(number)",
    "def f():\n    memory = SecretMemory(8)\n    return bytes(memory).hex()",
    "class A:\n    code: SecurityCode\n    def f(self): return f'{self.code!r}'",
    "def f(self):\n    with self._digits(1) as digits:\n        return ''.join(chr(d) for d in digits)",
    "def f(x: memoryview): return x.tobytes().decode()",
]


@pytest.mark.parametrize("source", LEAKY)
def test_the_check_finds_what_leaks(source: str):
    assert leaks("leaky", ast.parse(source))


@pytest.mark.parametrize(("name", "place"), sorted(ALLOWED))
def test_no_place_is_allowed_that_does_not_need_it(name: str, place: str):
    assert len(leaks(name, MODULES[name].tree, ALLOWED - {(name, place)})) == 1


@every_module
def test_no_secret_is_made_text_of_logged_or_quoted(module: Module):
    handles = {
        "provider_adapters.card",
        "provider_adapters.keyed",
        "provider_adapters.payer.charging",
        "provider_adapters.payer.process",
        "provider_adapters.payer.pipe",
        "media.service.capture_driver",
        *ADAPTERS,
    }
    text = module.text
    if module.name in handles or module.name.startswith("media.capture.") or "SecretMemory" in text:
        assert leaks(module.name, module.tree) == []
    else:
        assert not [
            kind for kind in ("Pan", "SecurityCode", "CardBlock", "KeyedFields") if f"import {kind}" in text
        ]


@every_module
def test_only_an_adapter_reveals_a_secret(module: Module):
    found = [
        node.lineno
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr in REVEALING
    ]
    assert not found or module.name in ADAPTERS, f"{module.where}:{found}"


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_an_adapter_reveals_only_within_a_flow_and_shows_nothing_of_it(name: str):
    # What it must build is a request body: neither a log, nor an exception, nor the URL.
    tree = MODULES[name].tree
    for place, node in functions(tree):
        if isinstance(node, ast.Call) and called(node) in REVEALING:
            assert place.endswith(".charge"), place
        if isinstance(node, ast.Call) and called(node) == "Request":
            words = {word.arg: word.value for word in node.keywords}
            revealed = secrets(tree)
            others = [*node.args, *(value for key, value in words.items() if key != "body")]
            assert not any(touches(value, revealed) for value in others)


@every_module
def test_the_only_https_clients_are_the_runners_and_the_senders(module: Module):
    found = [node.lineno for node in ast.walk(module.tree) if isinstance(node, ast.Attribute | ast.Name)
             and getattr(node, "attr", getattr(node, "id", "")) in ("AsyncClient",
             "AsyncHTTPTransport")]  # fmt: skip
    # The last two speak with our own API alone.
    clients = {
        "provider_adapters.payer.runner",
        "b2bua.notify.sender",
        "b2bua.audit.https_target",
        "b2bua.access.issuer_keys",
        "b2bua.access.oidc.provider",
        "b2bua.voice_bot.tools",
        "tonewall.client.async_client",
    }
    assert not found or module.name in clients, f"{module.where}:{found}"
    assert "verify=False" not in module.text
    assert "CERT_NONE" not in module.text


@every_module
def test_a_log_call_has_a_constant_event_and_fields_that_are_allowed(module: Module):
    if module.name == "tonewall.log":
        return
    for node in ast.walk(module.tree):
        if not is_log_call(node):
            continue
        assert isinstance(node, ast.Call)
        where = f"{module.where}:{node.lineno}"
        assert len(node.args) == 1, f"{where}: one event, no arguments to be put into it"
        assert isinstance(node.args[0], ast.Constant), f"{where}: an event is never built from data"
        assert EVENT.fullmatch(node.args[0].value), f"{where}: an event is a name in snake_case"
        for word in node.keywords:
            assert word.arg is not None, f"{where}: fields are written out"
            assert word.arg in {*FIELDS, "exc_info"}, f"{where}: {word.arg} would be dropped"
            # An exception's text quotes its input: only its type and place are logged (by
            # exc_info).
            assert not (
                isinstance(word.value, ast.Call) and called(word.value) == "str" and word.arg != "path"
            ), where


# What holds a telephone number, or a name in SIP that may be one.
NUMBERED = frozenset(
    {
        "caller", "callee", "number", "numbers", "user", "users", "extension", "party", "target", "find_by",
        "uri", "call_id", "call_ids", "from_", "to", "contact", "contacts", "head", "headers", "body", "data",
        "reply", "request_uri", "display", "recipient", "phone",
    }
)  # fmt: skip
KEPT_OUT = frozenset({"loggable", "len", "type"})


def numbered(value: ast.AST) -> set[str]:
    """What of a log field's value may be a number."""
    if isinstance(value, ast.Call) and called(value) in KEPT_OUT:
        return set()
    found = {value.id} if isinstance(value, ast.Name) else set[str]()
    found |= {value.attr} if isinstance(value, ast.Attribute) else set()
    return (found & NUMBERED).union(*(numbered(child) for child in ast.iter_child_nodes(value)))


@pytest.mark.parametrize("value", ["call.caller", "f'x {party.user}'", "call_id", "str(message.head)"])
def test_the_check_finds_what_logs_a_number(value: str):
    assert numbered(ast.parse(value, mode="eval"))


@every_module
def test_nothing_that_holds_a_telephone_number_is_logged(module: Module):
    for node in ast.walk(module.tree):
        if is_log_call(node):
            assert isinstance(node, ast.Call)
            for word in node.keywords:
                assert not numbered(word.value), f"{module.where}:{node.lineno}: {ast.unparse(word.value)}"


@every_module
def test_loggers_come_from_tonewall_log_alone(module: Module):
    if module.name == "tonewall.log":
        return
    assert not [each.name for each in module.imports if each.name.partition(".")[0] == "structlog"], (
        module.where
    )
    for node in ast.walk(module.tree):  # what others log may only be silenced
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "logging"
        ):
            assert node.attr in ("getLogger", "CRITICAL"), f"{module.where}:{node.lineno}: use tonewall.log"


@every_module
def test_a_modules_logger_is_named_log_and_knows_its_module(module: Module):
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and called(node) == "get_logger":
            assert f"log = {ast.unparse(node)}" in module.text, f"{module.where}:{node.lineno}"
            assert ast.unparse(node) == "get_logger(__name__)", f"{module.where}:{node.lineno}"


@every_module
def test_only_commands_for_people_print(module: Module):
    if module.name in (
        "b2bua.cli",
        "b2bua.commands.cdr",
        "b2bua.commands.doctor",
        "b2bua.commands.health",
        "b2bua.commands.reload",
        "b2bua.commands.upgrade",
        "b2bua.commands.configuration",
        "b2bua.commands.ladder",
        "b2bua.commands.payments",
        "b2bua.commands.personal_data",
        "b2bua.commands.preflight",
        "b2bua.commands.prompts",
        "b2bua.commands.provider",
        "b2bua.commands.route",
        "b2bua.commands.log_level",
        "b2bua.commands.top",
        "b2bua.commands.webhooks",
        "media.prompts.process",
        "provider_adapters.local.provider",
    ) or module.name.startswith("b2bua.demo."):
        return
    calls = [node for node in ast.walk(module.tree) if isinstance(node, ast.Call)]
    assert not [node.lineno for node in calls if called(node) in ("print", "pprint", "breakpoint")], (
        module.where
    )


@every_module
def test_nothing_evaluates_text_or_unpickles_it(module: Module):
    if module.name == "tonewall.bytecode":  # compares code, and runs none
        return
    calls = [
        node
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    assert not [node.lineno for node in calls if called(node) in ("eval", "exec", "compile", "__import__")], (
        module.where
    )
    assert not [
        each.name for each in module.imports if each.name.partition(".")[0] in ("pickle", "marshal", "shelve")
    ]
