"""The diagrams and threats of docs/security.md: `python -m tests.architecture.security [--check]`.

Rule 1: the processes are those that the supervisor starts; a test compares them with its source.
Rule 2: each threat names tests that cover it, and a test looks for them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from tests.architecture.generated import write_or_check

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
BEGIN, END = "<!-- {}: `make docs` -->\n", "<!-- end of {} -->\n"
# What the supervisor starts: module, name in a diagram.
PROCESSES: Final = {
    "b2bua.app": "b2bua",
    "media.process": "media",
    "media.decoder.process": "decoder",
    "media.prompts.process": "prompts",
    "provider_adapters.payer.process": "payer",
    "provider_adapters.reconciler.process": "reconciler",
    "provider_adapters.webhook.process": "webhooks",
}
OUTSIDE: Final = {
    "carrier": "carrier", "pbx": "PBX", "agent": "agent's browser, CRM", "provider": "payment provider",
    "own": "your own services", "rtpengine": "rtpengine", "bot": "voice bot", "database": "call records",
}  # fmt: skip


class Flow(NamedTuple):
    """Data on their way across a boundary, or between processes."""

    source: str
    what: str
    target: str


class Option(NamedTuple):
    """A way to run Tonewall, with what moves then."""

    title: str
    flows: tuple[Flow, ...]


_CALL: Final = (
    Flow("carrier", "SIP", "b2bua"),
    Flow("b2bua", "SIP, without keys", "pbx"),
    Flow("agent", "HTTPS: orders, never a digit", "b2bua"),
    Flow("b2bua", "commands", "media"),
    Flow("media", "counts and states", "b2bua"),
    Flow("b2bua", "rows without a number, with a key", "database"),
)
_PAID: Final = (
    Flow("media", "one card, by socket pair", "payer"),
    Flow("payer", "HTTPS: the charge", "provider"),
)
OPTIONS: Final = (
    Option(
        "Own relay (the default)",
        (*_CALL, Flow("carrier", "RTP with keys", "media"), Flow("media", "RTP, masked", "pbx"), *_PAID),
    ),
    Option(
        "Codecs outside of the core",
        (
            Flow("carrier", "RTP with keys", "media"), Flow("media", "packets of a masked stream", "decoder"),
            Flow("decoder", "which packets have tones", "media"), Flow("media", "RTP, masked", "pbx"),
        ),
    ),
    Option(
        "rtpengine",
        (
            Flow("carrier", "RTP with keys", "rtpengine"), Flow("rtpengine", "RTP, muted", "pbx"),
            Flow("media", "ng: mask, mute", "rtpengine"),
            Flow("rtpengine", "keys, by the digit socket", "media"),
            *_PAID,
        ),
    ),
    Option(
        "Reconciler, links, webhooks and refunds",
        (
            Flow("b2bua", "by unix socket, of one user", "reconciler"),
            Flow("reconciler", "HTTPS: questions, refunds, links", "provider"),
            Flow("provider", "signed webhooks", "webhooks"),
            Flow("webhooks", "what was claimed", "reconciler"),
            Flow("b2bua", "signed webhooks: states, never a digit", "own"),
        ),
    ),
    Option(
        "Delivery of other fields; voice bot",
        (
            Flow("media", "fields of a form", "payer"),
            Flow("payer", "HTTPS, encrypted for its reader", "own"),
            Flow("bot", "MCP, over the API", "b2bua"),
        ),
    ),
)  # fmt: skip


class Threat(NamedTuple):
    """`kind`: of STRIDE. `tests`: file below tests/ and name."""

    boundary: str
    kind: str
    threat: str
    answer: str
    tests: tuple[str, ...]


THREATS: Final = (
    Threat(
        "carrier, strangers (SIP)", "spoofing", "somebody else speaks as a trunk",
        "trunks by address, digest or certificate; strangers get 403 and no call",
        ("wire/signalling/test_bad_input.py::test_a_stranger_is_refused_and_creates_no_call",
         "wire/signalling/test_sip_tls.py::test_none_to_one_with_a_certificate_for_somebody_else"),
    ),
    Threat(
        "carrier, strangers (SIP)", "denial of service", "floods, malformed and endless messages",
        "bounded memory, linear time, limits of each trunk",
        ("wire/signalling/test_flood.py::test_a_flood_of_strangers_makes_no_call_and_costs_the_running_ones_nothing",
         "property/b2bua/sip/test_linear_time.py::test_four_times_the_input_is_about_four_times_the_work"),
    ),
    Threat(
        "carrier, strangers (RTP)", "tampering", "packets injected into a call",
        "each stream has one source; SRTP",
        ("wire/media/test_stranger.py::test_a_stranger_injects_nothing_and_is_sent_nothing_at_any_time_of_a_call",),
    ),
    Threat(
        "media to the agent's side", "information disclosure", "a key gets to the agent, in any form",
        "no event, no tone, no unknown packet; a canary listens behind",
        ("leak/test_core_mask.py::test_captures_of_real_carriers_leak_nothing_and_are_captured_once_in_order",
         "leak/test_canary.py::test_it_is_silent_behind_the_mask"),
    ),
    Threat(
        "media to the agent's side", "elevation of privilege", "b2bua, captured or dead, opens a mask",
        "media alone decides; a mask goes off when keying is over",
        ("wire/running/test_kills.py::"
         "test_when_media_is_killed_while_the_customer_keys_the_call_goes_on_and_no_digit_passes",),
    ),
    Threat(
        "processes of one machine", "spoofing",
        "another process poses as b2bua, payer or reconciler's client",
        "socket pairs by inheritance; peers as the kernel reports them",
        ("unit/media/test_peer.py::test_the_named_process_is_admitted_and_nobody_before_it_is_named",
         "unit/provider_adapters/reconciler/test_process.py::test_another_user_hears_nothing_and_is_not_obeyed"),
    ),
    Threat(
        "processes of one machine", "information disclosure", "a card in memory, core file, log or database",
        "locked, wiped memory; freed memory is overwritten; few log fields",
        ("wire/payments/test_canary_card.py::test_nothing_of_the_card_is_left_however_the_payment_ends",
         "wire/payments/test_payer.py::test_a_payer_does_not_start_where_freed_memory_is_not_overwritten"),
    ),
    Threat(
        "processes of one machine", "elevation of privilege", "a codec is captured by what it decodes",
        "a process of its own that opens, starts and signals nothing (seccomp)",
        ("unit/media/decoder/test_decoder_process.py::"
         "test_what_is_confined_opens_starts_signals_and_runs_nothing_new",),
    ),
    Threat(
        "processes of one machine", "elevation of privilege",
        "a captured process starts programs",
        "a filter of system calls for each kind of process (seccomp)",
        ("unit/tonewall/test_confinement.py::test_what_is_refused_and_what_goes_on",
         "wire/running/test_sandbox.py::test_a_card_is_paid_without_capabilities_and_without_memory_that_runs"),
    ),
    Threat(
        "processes of one machine", "elevation of privilege", "a captured process gets more rights",
        "no capability, no new privileges, no memory that is written and run",
        ("wire/running/test_sandbox.py::test_a_card_is_paid_without_capabilities_and_without_memory_that_runs",),
    ),
    Threat(
        "payer to provider", "tampering", "somebody between reads or changes a charge",
        "TLS, verified; there is no switch",
        ("wire/payments/test_payer.py::test_an_unknown_authority_is_refused_before_anything_is_sent",),
    ),
    Threat(
        "payer to provider", "repudiation", "nobody knows whether a card was charged, or it is charged twice",
        "a journal before a byte leaves; the provider is asked until it is known",
        ("wire/payments/test_payer.py::test_of_two_payers_with_one_key_one_sends",
         "wire/payments/test_payer.py::test_a_charge_whose_answer_was_lost_is_found_by_asking"),
    ),
    Threat(
        "provider to webhooks", "spoofing", "a forged message says that a payment was approved",
        "signatures alone; the provider is asked where it can be",
        ("unit/provider_adapters/webhook/test_schemes.py::test_without_a_signature_nothing_is_believed",
         "wire/payments/test_webhook_listener.py::test_what_is_not_signed_or_not_asked_for_is_refused"),
    ),
    Threat(
        "agents and programs (API)", "denial of service",
        "connections that are held, requests that never end",
        "limits of connections and times; the feed goes on",
        ("unit/b2bua/api/test_api_abuse.py::"
         "test_connections_beyond_the_limit_are_told_so_and_closed_and_the_others_go_on",),
    ),
    Threat(
        "agents and programs (API)", "denial of service", "wrong sign-ins, 1,000 a second",
        "few passwords are checked at once, by threads that give way; the feed goes on",
        ("wire/running/test_sign_in_flood.py::test_the_feed_lives_through_a_flood_of_wrong_sign_ins",),
    ),
    Threat(
        "agents and programs (API)", "tampering", "a request is smuggled behind another",
        "a request with two ends is refused",
        ("unit/b2bua/api/test_api_abuse.py::"
         "test_a_request_with_two_ends_is_refused_and_nothing_behind_it_is_read",),
    ),
    Threat(
        "agents and programs (API)", "information disclosure", "a token or an order is read on its way",
        "HTTPS; old versions and ciphers are refused",
        ("unit/b2bua/api/test_https.py::test_old_versions_and_ciphers_are_refused",),
    ),
    Threat(
        "agents and programs (API)", "repudiation",
        "an agent denies, or an administrator removes, what was done",
        "an audit log that is chained and signed, and verified elsewhere",
        ("unit/b2bua/audit/test_log_file.py::"
         "test_a_writer_that_is_killed_at_any_moment_leaves_a_log_that_verifies",
         "unit/b2bua/api/test_audited.py::test_the_entry_is_on_disk_when_the_desk_is_asked"),
    ),
    Threat(
        "rtpengine", "tampering", "a server says that it mutes, and does not",
        "a self-test before each capture",
        ("wire/media/test_rtpengine_refusals.py::test_a_server_that_says_ok_and_lets_audio_through_gets_no_card",),
    ),
    Threat(
        "your own services", "spoofing", "somebody else sends messages to them", "webhooks are signed",
        ("unit/b2bua/notify/test_notify.py::test_a_signature_is_that_of_the_specification",),
    ),
    Threat(
        "voice bot", "information disclosure", "the bot gets a digit, or speaks one",
        "its tools are those of the API, which has no digit",
        ("wire/payments/test_voice_bot.py::test_a_bot_takes_a_payment_and_receives_no_digit",),
    ),
    Threat(
        "call records and logs", "information disclosure", "customers' numbers get out with a copy",
        "pseudonyms; a log without numbers; erasure",
        ("wire/running/test_pseudonyms.py::test_no_file_holds_the_number_of_a_customer_who_pays",
         "wire/running/test_numbers.py::test_no_number_is_in_the_log",
         "wire/running/test_personal_data.py::test_a_customer_is_exported_and_erased_by_number"),
    ),
    Threat(
        "disk", "denial of service", "a full disk loses payments or records",
        "no payment begins that cannot be written; records wait in memory",
        ("wire/running/test_full_disk.py::test_no_payment_begins_while_the_journal_cannot_be_written",),
    ),
)  # fmt: skip


def diagrams() -> str:
    """A diagram of each option, as Mermaid; processes are boxes, what is outside is round."""
    return "\n\n".join(f"### {option.title}\n\n{_draw(option)}" for option in OPTIONS)


def _draw(option: Option) -> str:
    named = dict.fromkeys(end for flow in option.flows for end in (flow.source, flow.target))
    inside = [name for name in named if name in PROCESSES.values()]
    outside = [name for name in named if name not in inside]
    lines = [f'    {name}(["{OUTSIDE[name]}"])' for name in outside]
    boxes = [f"        {name}[{name}]" for name in inside]
    lines += ["    subgraph host [Tonewall's user]", *boxes, "    end"]
    lines += [f'    {flow.source} -->|"{flow.what}"| {flow.target}' for flow in option.flows]
    return "\n".join(["```mermaid", "flowchart LR", *lines, "```"])


def threats() -> str:
    """The threats, as Markdown."""
    lines = ["| boundary | kind | threat | answer | tests |", "|---|---|---|---|---|"]
    for each in THREATS:
        tests = ", ".join(f"`{test.partition('::')[0].rpartition('/')[2]}`" for test in each.tests)
        lines.append(f"| {each.boundary} | {each.kind} | {each.threat} | {each.answer} | {tests} |")
    return "\n".join(lines)


def draw() -> str:
    """The whole page."""
    page = PAGE.read_text()
    for name, content in (("diagrams", diagrams()), ("threats", threats())):
        before, _, rest = page.partition(BEGIN.format(name))
        _, _, after = rest.partition(END.format(name))
        page = f"{before}{BEGIN.format(name)}\n{content}\n\n{END.format(name)}{after}"
    return page


def main() -> int:
    """Write the page, or with `--check` say whether it is stale."""
    return write_or_check(PAGE, draw())


if __name__ == "__main__":
    raise SystemExit(main())
