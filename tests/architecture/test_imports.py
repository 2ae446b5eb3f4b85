"""Who may import whom, as import-linter cannot say it: compiled and third-party modules, and
imports for types alone.

`make check` runs import-linter for the same rules; here they are checked over every module that
there is, so that a new file is bound by them without being listed anywhere.
"""

from __future__ import annotations

import ast
import configparser
from functools import partial

from provider_adapters import registry
from tests.architecture.source import (
    MODULES,
    PACKAGES,
    ROOT,
    Module,
    circles,
    every_module,
    imported,
    reached,
    target,
    within,
)

# Rule 4: what reaches none of these is sans-IO.
IO = frozenset(
    {
        "asyncio", "concurrent", "httpx", "multiprocessing", "os", "pjsua2", "select", "selectors", "signal",
        "socket", "socketserver", "ssl", "subprocess", "threading", "time", "uvicorn", "fastapi", "starlette",
        "media._core", "structlog", "tonewall.log",
    }
)  # fmt: skip
SANS_IO = [
    module
    for name, module in MODULES.items()
    if within(
        name,
        "b2bua.call",
        "b2bua.ladder",
        "b2bua.pjsua.guard",
        "b2bua.pjsua.wording",
        "b2bua.sip.auth.digest",
        "b2bua.sip.leg.dialog",
        "b2bua.sip.leg.leg_state",
        "b2bua.sip.leg.reliable_answer",
        "b2bua.sip.leg.session_timer",
        "b2bua.sip.message",
        "b2bua.sip.transaction.invite_client",
        "b2bua.sip.transaction.invite_server",
        "b2bua.sip.transaction.non_invite_client",
        "b2bua.sip.transaction.non_invite_server",
        "b2bua.sip.transaction.transaction",
        "b2bua.sip.transport.framer",
        "b2bua.sip.trunk.health",
        "b2bua.sip.trunk.targets",
        "media.capture.brands",
        "media.capture.card_form",
        "media.capture.check",
        "media.capture.agent_requests",
        "media.capture.confirmation",
        "media.capture.dates",
        "media.capture.form",
        "media.capture.form_rules",
        "media.capture.iban",
        "media.capture.key_run",
        "media.capture.keying",
        "media.capture.messages",
        "media.capture.numbers",
        "media.capture.progress",
        "media.capture.state",
        "media.capture.transitions",
        "media.capture.us_accounts",
        "media.codecs",
        "media.events",
        "media.formats",
        "media.mask_policy",
        "media.messages",
        "media.form_description",
        "media.iban_countries",
        "media.stream_description",
        "media.tapped",
        "media.reference",
        "media.rtpengine.ng",
        "media.rtpengine.sdp",
        "provider_adapters.base",
        "provider_adapters.notice",
        "provider_adapters.payment",
        "provider_adapters.webhook.adyen",
        "provider_adapters.webhook.braintree",
        "provider_adapters.webhook.checkout",
        "provider_adapters.webhook.govuk_pay",
        "provider_adapters.webhook.scheme",
        "provider_adapters.webhook.stripe",
    )
]
every_sans_io_module = partial(every_module, modules=SANS_IO)
ADAPTERS = {f"provider_adapters.{name}" for name in registry.ADAPTERS}


def package(name: str) -> str:
    return name.partition(".")[0]


def others(module: Module, *, inside: str) -> set[str]:
    """The modules of a package that a module of another names, for types too."""
    return {target(each.name) for each in module.imports if within(target(each.name), inside)}


def test_every_adapter_is_a_module_with_the_class_that_is_named():
    for name, row in registry.ADAPTERS.items():
        tree = MODULES[f"provider_adapters.{name}"].tree
        assert row.flow in {node.name for node in tree.body if isinstance(node, ast.ClassDef)}


@every_module
def test_a_package_imports_none_above_it(module: Module):
    above = PACKAGES[: PACKAGES.index(package(module.name))]
    assert not [name for name in imported(module) if within(name, *above)]


@every_module
def test_b2bua_sees_of_media_and_payer_only_their_vocabulary(module: Module):
    if package(module.name) != "b2bua":
        return
    allowed = {
        "media.client",
        "media.events",
        "media.codecs",
        "media.mask_policy",
        "media.form_description",
        "media.iban_countries",
        "media.stream_description",
        "media.settings",
        "media.tapped",
        "provider_adapters.currency",
        "provider_adapters.own_reasons",
        "provider_adapters.payment",
        "provider_adapters.reconciler.client",
        "provider_adapters.reconciler.messages",
        "provider_adapters.settings",
        "provider_adapters.webhook.settings",
    }
    if module.name == "b2bua.doctor.machine":
        # Whether it is there, and how much memory it locks.
        allowed |= {"media._core", "media.lock_limit"}
    if within(module.name, "b2bua.supervise"):
        # Which process media takes for b2bua, and what outlives a media process.
        allowed |= {"media.kept_streams", "media.lock_limit", "media.peer"}
    if module.name == "b2bua.doctor.reach":
        allowed |= {"media.rtpengine.examine"}  # whether rtpengine servers do what they should
    if within(module.name, "b2bua.demo"):
        allowed |= {"provider_adapters.local.dialect", "provider_adapters.local.provider"}
    if not within(module.name, "b2bua.config", "b2bua.demo", "b2bua.supervise"):
        allowed -= {
            "media.settings", "provider_adapters.settings", "provider_adapters.webhook.settings",
        }  # fmt: skip
    assert others(module, inside="media") | others(module, inside="provider_adapters") <= allowed


@every_module
def test_media_sees_of_the_payer_only_its_vocabulary_and_its_pipe(module: Module):
    if package(module.name) != "media":
        return
    allowed = {
        "provider_adapters.payment",
        "provider_adapters.payer.messages",
        "provider_adapters.payer.pipe",
    }
    assert others(module, inside="provider_adapters") <= allowed


@every_module
def test_inside_b2bua_nothing_imports_what_stands_above_it(module: Module):
    layers = [
        {"b2bua.__main__"},
        {"b2bua.cli"},
        {"b2bua.commands"},
        {"b2bua.evidence"},
        {"b2bua.preflight"},
        {"b2bua.doctor", "b2bua.demo", "b2bua.voice_bot", "b2bua.self_test"},
        {"b2bua.app", "b2bua.supervise"},
        {"b2bua.wiring"},
        {"b2bua.api", "b2bua.pjsua"},
        {"b2bua.switchboard", "b2bua.config", "b2bua.personal_data"},
        {"b2bua.access"},
        {"b2bua.sip", "b2bua.records", "b2bua.audit"},
        {"b2bua.notify", "b2bua.shared"},
        {"b2bua.ladder", "b2bua.telemetry"},
        {"b2bua.call"},
    ]
    place = next((place for place, layer in enumerate(layers) if within(module.name, *layer)), None)
    if place is None:
        assert module.name == "b2bua" or package(module.name) != "b2bua", "which layer is this?"
        return
    above = {name for layer in layers[:place] for name in layer}
    beside = {name for name in layers[place] if not within(module.name, name)}
    found = {name for name in imported(module) if within(name, *above, *beside)}
    if module.name == "b2bua.app":
        found -= {"b2bua.demo.remote"}  # the demo's button, loaded only where a demo is played
    assert not found


@every_module
def test_the_sdk_of_opentelemetry_is_imported_by_one_module_alone(module: Module):
    """An extra, and a way out: no process near card data may load it (ADR 0062)."""
    found = [each.name for each in module.imports if each.name.partition(".")[0] == "opentelemetry"]
    assert not found or module.name == "b2bua.telemetry.otlp"
    if within(module.name, "media", "provider_adapters", "tonewall"):
        assert not [name for name in reached(module) if within(name, "b2bua")]


@every_module
def test_inside_a_call_nothing_imports_what_stands_above_it(module: Module):
    """The layers are those of import-linter; imports for types count here too."""
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    layers = [
        {f"b2bua.call.{name.strip()}" for name in line.split(":")}
        for line in config["importlinter:contract:calls"]["layers"].split("\n")
        if line
    ]
    place = next((place for place, layer in enumerate(layers) if within(module.name, *layer)), None)
    if place is None:
        assert module.name == "b2bua.call" or not within(module.name, "b2bua.call"), "which layer is this?"
        return
    above = {name for layer in layers[:place] for name in layer}
    beside = {name for name in layers[place] if not within(module.name, name)}
    found = others(module, inside="b2bua.call")
    assert not [name for name in found if within(name, *above, *beside)]


@every_module
def test_the_reference_of_the_core_is_for_tests_only(module: Module):
    if not within(module.name, "media.reference"):
        assert not others(module, inside="media.reference")


@every_module
def test_only_the_payer_and_the_adapters_name_card_data(module: Module):
    allowed = {
        "provider_adapters.card",
        "provider_adapters.keyed",
        "provider_adapters.payer.process",
        "provider_adapters.payer.charging",
        "provider_adapters.payer.trial",  # a published card
        *ADAPTERS,
    }
    if module.name not in allowed:
        found = others(module, inside="provider_adapters")
        assert not {"provider_adapters.card", "provider_adapters.keyed"} & set(found)


@every_module
def test_only_the_media_service_uses_the_capture_and_its_vault(module: Module):
    if not within(module.name, "media.capture", "media.service"):
        assert not others(module, inside="media.capture")


@every_module
def test_adapters_never_import_each_other(module: Module):
    if module.name in ADAPTERS:
        assert not others(module, inside="provider_adapters") & (ADAPTERS - {module.name})


@every_sans_io_module
def test_a_sans_io_module_reaches_no_socket_loop_clock_or_thread(module: Module):
    for name, chain in reached(module).items():
        assert name.partition(".")[0] not in IO, " > ".join(chain)
        assert name not in IO, " > ".join(chain)


def test_no_two_files_import_each_other_directly_or_indirectly():
    """Imports for types count too: a circle of types is a circle for the reader."""
    found = circles({name: others(module, inside=package(name)) for name, module in MODULES.items()})
    assert found == []


def test_the_search_for_circles_finds_them():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": set()}) == [["a", "b", "c"]]


def test_the_import_rules_are_those_of_import_linter_too():
    """So that nobody loosens one and not the other."""
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    assert tuple(config["importlinter"]["root_packages"].split()) == PACKAGES
    assert {name.rpartition(":")[2] for name in config.sections()} >= {
        "packages", "b2bua", "sip", "b2bua-media", "media", "reference", "b2bua-provider",
        "media-provider", "capture", "card", "sans-io", "calls"
    }  # fmt: skip
