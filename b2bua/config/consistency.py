"""Checks sections of sip.conf against each other, once each of them is valid by itself.

Each check returns its faults, a line each: section, key and what was expected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from b2bua.call.sdp.codecs import OtherAudio
from b2bua.config.charge_settings import ChargeSection
from b2bua.config.client_settings import find_client_faults
from b2bua.config.event_settings import find_webhook_faults
from b2bua.config.field_settings import KNOWN_FIELDS, field_name
from b2bua.config.form_settings import find_form_faults
from b2bua.config.route_settings import RouteSettings
from b2bua.config.settings import Settings, SignallingSettings
from b2bua.config.trunk_settings import CarrierSettings, PbxSettings, TrunkSettings
from b2bua.config.values import form_name, split_list, trunk_name
from b2bua.sip.hop import Transport
from media.form_description import CARD, BadForm
from media.mask_policy import MaskPolicy
from media.settings import SHIPPED_PROMPTS, prompt_set
from provider_adapters.settings import provider_name

# A card is not held for longer, whatever the providers do.
MAX_CHARGE_TIME = 540.0
DELIVERY = "delivery"  # the adapter of a company's own service


def find_signalling_faults(own: SignallingSettings) -> list[str]:
    """Faults between the sections of the b2bua process."""
    return [
        *_transports_without_a_listener(own),
        *_unsupported_by_pjsua2(own),
        *_sections_of_one_name(own.forms, form_name),
        *_sections_of_one_name(own.fields, field_name),
        *_faults_of_trunks(own.trunks),
        *_faults_of_routes(own.trunks, own.routes),
        *_faults_of_agent_groups(own),
        *_faults_of_extensions(own),
        *_faults_of_forms(own),
        *_faults_of_fields(own),
        *own.api.faults(),
        *find_client_faults(own.clients, own.api.client_ca),
        *own.oauth.faults(),
        *own.oidc.faults(own.access.directory is not None),
        *own.links.faults(),
        *own.notify.faults(),
        *find_webhook_faults(own.webhooks),
        *own.audit.faults(),
    ]


def find_faults(settings: Settings) -> list[str]:
    """Faults between `[media]`, `[provider]`, `[webhooks]` and the other sections."""
    return [
        *settings.media.faults(),
        *_unsupported_by_rtpengine(settings),
        *_faults_of_providers(settings),
        *_faults_of_webhooks(settings),
        *_faults_of_deliveries(settings),
        *_faults_of_prompts(settings),
    ]


def _faults_of_webhooks(settings: Settings) -> list[str]:
    """Webhooks of a provider that there is not, or that do not fit theirs."""
    faults = []
    for header, webhooks in settings.webhooks.items():
        provider = settings.provider_of(header)
        if provider is None:
            faults.append(f"[{header}]: expected a section [{settings.provider_header(header)}] as well")
        else:
            faults += webhooks.faults(provider.adapter, header)
    return faults


def _faults_of_prompts(settings: Settings) -> list[str]:
    """Sets with the name of the shipped one, and names of sets which there are not."""
    known = [SHIPPED_PROMPTS, *map(prompt_set, settings.prompts)]
    faults = [
        f"[prompts {name}]: expected another name; {name} is the set that Tonewall ships"
        for name in known[1:]
        if name == SHIPPED_PROMPTS
    ]
    own = settings.signalling
    named = {header: form.prompts for header, form in own.forms.items()}
    named[own.feature_codes.section] = own.feature_codes.prompts
    faults += [
        f"[{header}] prompts: there is no such set; expected one of {', '.join(known)}"
        for header, name in named.items()
        if name and name not in known
    ]
    return faults


def _faults_of_providers(settings: Settings) -> list[str]:
    """Routes that name a provider that there is not, and times that together are too long."""
    names = [provider_name(header) for header in settings.providers]
    faults = _sections_of_one_name(settings.providers, provider_name)
    faults += [
        f"[{header}] provider: expected names of [provider] sections ({', '.join(names)})"
        for header, route in settings.signalling.routes.items()
        if set(split_list(route.provider)) - set(names)
    ]
    faults += [
        f"[{header}] provider: {name} is a company's own service, which charges nothing; a form names it"
        for header, route in settings.signalling.routes.items()
        for name in split_list(route.provider)
        if name in _services(settings)
    ]
    if names[0] in _services(settings) and len(_services(settings)) < len(names):
        faults.append(
            f"[{next(iter(settings.providers))}] adapter: expected a payment provider first, since the first "
            "section charges; put this one behind it"
        )
    faults += [fault for header, each in settings.providers.items() for fault in each.faults(header)]
    seconds = sum(each.timeout + each.inquiry_time for each in settings.providers.values())
    if seconds > MAX_CHARGE_TIME:
        faults.append(
            f"[provider] timeout, inquiry_time: expected at most {MAX_CHARGE_TIME:.0f} seconds for all "
            f"providers together, not {seconds:.0f}"
        )
    return faults


def _unsupported_by_rtpengine(settings: Settings) -> list[str]:
    """Keys of trunks that this media engine does not support."""
    if settings.media.engine != "rtpengine":
        return []
    trunks = settings.signalling.trunks.items()
    muted = [
        f"[{header}] mask: expected mute, since [media] engine = rtpengine: its other ways leak, see "
        "docs/rtpengine.md"
        for header, trunk in trunks
        if isinstance(trunk, CarrierSettings) and trunk.mask is not MaskPolicy.MUTE
    ]
    wanting = [
        f"[{header}] {key}: expected {expected}, since [media] engine = rtpengine"
        for header, trunk in trunks
        for key, expected, given in (
            ("srtp", "no", trunk.srtp),
            ("media_address", "none", trunk.media_address),
            ("dtmf", "as-is", isinstance(trunk, PbxSettings) and trunk.dtmf != "as-is"),
            ("feature_codes", "no", isinstance(trunk, PbxSettings) and trunk.feature_codes),
        )
        if given
    ]
    wanting += [
        f"[{header}] {key}: expected no, since [media] engine = rtpengine"
        for header, trunk in trunks
        for key in ("capture_tones", "placeholder_tone", "slow_keys")
        if getattr(trunk, key, False)
    ]
    wanting += [
        f"[{header}] prompts: expected none, since [media] engine = rtpengine"
        for header, form in settings.signalling.forms.items()
        if form.prompts
    ]
    wanting += [
        f"[{header}] agent_tones: expected no, since [media] engine = rtpengine"
        for header, form in settings.signalling.forms.items()
        if form.agent_tones
    ]
    if settings.signalling.general.other_audio is not OtherAudio.REFUSE:
        wanting.append("[general] other_audio: expected refuse, since [media] engine = rtpengine")
    return [*muted, *wanting]


def _unsupported_by_pjsua2(own: SignallingSettings) -> list[str]:
    """Keys that this SIP engine does not support."""
    general = own.general
    if general.engine != "pjsua2":
        return []
    faults = []
    if general.listen and [bind.transport for bind in general.binds] != [Transport.UDP]:
        faults.append("[general] listen: expected one udp address, since engine = pjsua2: see docs/pjsua2.md")
    for header, trunk in own.trunks.items():
        for key, expected, given in (
            ("host", "a name or address", trunk.host == "dynamic"),
            ("transport", "udp", trunk.transport in {"tcp", "tls"}),
            ("registration", "no", trunk.registration),
            ("challenge", "no", trunk.challenge),
            ("username", "none", trunk.username),
            ("probe", "0", trunk.probe),
            ("contact_host", "none", trunk.contact_host),
            ("redirect", "relay", trunk.redirect != "relay"),
        ):
            if given:
                faults.append(f"[{header}] {key}: expected {expected}, since [general] engine = pjsua2")
    return faults


def _transports_without_a_listener(own: SignallingSettings) -> list[str]:
    heard = {bind.transport for bind in own.general.binds}
    return [
        f"[{header}] transport: nothing listens by {trunk.transport}; add {trunk.transport}:ADDRESS to "
        "[general] listen"
        for header, trunk in own.trunks.items()
        if trunk.transport and trunk.transport not in heard
    ]


def _sections_of_one_name(sections: Iterable[str], name: Callable[[str], str]) -> list[str]:
    """Headers that mean one name, as `[provider]` and `[provider default]` do: the later section
    would stand in the place of the first."""
    known: dict[str, str] = {}
    return [
        f"[{header}]: [{first}] is called {name(header)} already; expected a name of its own"
        for header in sections
        if (first := known.setdefault(name(header), header)) != header
    ]


def _faults_of_trunks(trunks: Mapping[str, TrunkSettings]) -> list[str]:
    """Trunks of one name, and credentials that a trunk needs and does not have."""
    known: set[str] = set()
    faults = []
    for header, trunk in trunks.items():
        name = trunk_name(header)
        if name in known:
            faults.append(f"[{header}]: there is a trunk {name} already; expected a name of its own")
        known.add(name)
        if (trunk.challenge or trunk.host == "dynamic") and not (
            trunk.username and trunk.password.get_secret_value()
        ):
            faults.append(
                f"[{header}] password: expected username and password, since it is to prove that it knows "
                "them"
            )
        if trunk.registration and not (trunk.user or trunk.username):
            faults.append(
                f"[{header}] user: expected who we are there, or a username, since registration is yes"
            )
    dynamic = [trunk.username for trunk in trunks.values() if trunk.host == "dynamic"]
    if len(set(dynamic)) < len(dynamic):
        faults.append("[pbx] username: expected another for each trunk that registers here")
    return faults


def _faults_of_routes(trunks: Mapping[str, TrunkSettings], routes: Mapping[str, RouteSettings]) -> list[str]:
    """Routes that name trunks which there are not, or lead to the side that they come from."""
    kinds = {trunk_name(header): trunk.section for header, trunk in trunks.items()}
    addresses = {trunk_name(header): trunk.media_address for header, trunk in trunks.items()}
    faults = []
    for header, route in routes.items():
        sources = split_list(route.source)
        for key, listed in (("source", sources), ("to", split_list(route.to))):
            for name in listed:
                if name not in kinds:
                    faults.append(
                        f"[{header}] {key}: {name} is no trunk; expected some of {', '.join(kinds)}"
                    )
        faults += [f"[{header}] {fault}" for fault in route.form_faults(kinds, addresses)]
        if route.ends_in_form and (route.to or route.refuse):
            faults.append(f"[{header}] ends_in: expected neither to nor refuse beside form")
        of = {kinds.get(name) for name in sources} or set(kinds.values())
        to = {kinds.get(name) for name in split_list(route.to)}
        if to and None not in of | to and not any(one != other for one in of for other in to):
            wanted = "pbx" if "carrier" in to else "carrier"
            faults.append(f"[{header}] to: expected a {wanted}, since calls cross from one kind to the other")
    return faults


def _faults_of_agent_groups(own: SignallingSettings) -> list[str]:
    """Agents whom nobody knows, and agents in two groups."""
    groups: dict[str, str] = {}
    faults = []
    for header, settings in own.agent_groups.items():
        for agent in split_list(settings.agents):
            if not _may_be_somebody(agent, own):
                faults.append(
                    f"[{header}] agents: {agent} has no token; expected names of [api] tokens "
                    f"({', '.join(own.api.agents)})"
                )
            elif groups.setdefault(agent, header) != header:
                faults.append(
                    f"[{header}] agents: {agent} is in [{groups[agent]}] already; expected each agent in one "
                    "group"
                )
    return faults


def _faults_of_extensions(own: SignallingSettings) -> list[str]:
    """Extensions of agents whom nobody knows."""
    return [
        f"[api] extensions: {agent} has no token; expected names of [api] tokens "
        f"({', '.join(own.api.agents)})"
        for agent in dict.fromkeys(own.api.agent_of.values())
        if not _may_be_somebody(agent, own)
    ]


def _may_be_somebody(name: str, own: SignallingSettings) -> bool:
    """Whether there is a token of that name, or people sign in, whose names stand elsewhere."""
    return name in own.api.agents or own.access.directory is not None


def _faults_of_forms(own: SignallingSettings) -> list[str]:
    """Names of forms that there are not."""
    known = [form_name(header) for header in own.forms] or [CARD.name]
    scopes: dict[str, ChargeSection] = {**own.trunks, **own.routes, **own.agent_groups}
    return [
        f"[{header}] form: there is no such form; expected one of {', '.join(known)}"
        for header, settings in scopes.items()
        if settings.form and settings.form not in known
    ]


def _faults_of_fields(own: SignallingSettings) -> list[str]:
    """Fields that cannot be keyed, and forms that ask for what does not go together."""
    faults = []
    known = dict(KNOWN_FIELDS)
    for header, settings in own.fields.items():
        name = field_name(header)
        try:
            known[name] = settings.field(name)
        except BadForm as error:
            faults.append(f"[{header}] {error}")
    for header, form in own.forms.items():
        try:
            made = form.form(form_name(header), known)
        except BadForm as error:
            faults.append(f"[{header}] {error}")
        else:
            faults += [f"[{header}] {fault}" for fault in find_form_faults(made)]
    return faults


def _services(settings: Settings) -> list[str]:
    """The names of a company's own services."""
    return [provider_name(header) for header, each in settings.providers.items() if each.adapter == DELIVERY]


def _faults_of_deliveries(settings: Settings) -> list[str]:
    """Forms that are delivered to nobody, and forms that are charged by nobody."""
    targets, forms = _services(settings), settings.signalling.forms
    is_all = len(targets) == len(settings.providers)
    return [
        f"[{header}] result: expected deliver, since no [provider] section charges cards"
        for header, form in forms.items()
        if is_all and form.result != "deliver"
    ] + [
        f"[{header}] deliver_to: expected the name of a [provider] section with adapter = {DELIVERY}"
        for header, form in settings.signalling.forms.items()
        if form.deliver_to and form.deliver_to not in targets
    ]
