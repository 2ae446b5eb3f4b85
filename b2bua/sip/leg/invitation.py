"""Composition of the INVITE that opens a leg: caller and callee for this trunk, and a transfer's
headers."""

from __future__ import annotations

from dataclasses import replace

from b2bua.call.leg import Party
from b2bua.call.leg_command import InviteLeg
from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Hop
from b2bua.sip.leg.referral import NOT_KEPT
from b2bua.sip.message.compose import Outgoing, hostport, name_addr_of, new_branch, new_tag, uri_of
from b2bua.sip.message.header_policy import displayed_caller
from b2bua.sip.message.name_addr import parse_name_addr
from b2bua.sip.message.octets import readable
from b2bua.sip.message.passport import SignedContent
from b2bua.sip.message.uri import Uri
from b2bua.sip.trunk.peers import Peer


def new_invite(command: InviteLeg, peer: Peer, hop: Hop, own: str, tag: str) -> Outgoing:
    """Without its lines and its body. `own`: our host, as that hop sees it; `tag`: ours."""
    trunk = peer.trunk
    host, port = peer.uri_host(hop)
    who, from_host = _caller(command, trunk, own)
    return Outgoing(
        method="INVITE",
        uri=_request_uri(command, host, port, trunk),
        branch=new_branch(),
        from_=f"{name_addr_of(who, uri_of(who, from_host, None, trunk))};tag={tag}",
        to=name_addr_of(
            command.callee,
            uri_of(command.callee, trunk.domain or host, None if trunk.domain else port, trunk),
        ),
        call_id=f"{new_tag()}@{hostport(own, None)}",
        cseq=1,
        max_forwards=command.max_forwards,
        route=peer.service_route,
    )


def _request_uri(command: InviteLeg, host: str, port: int | None, trunk: Trunk) -> str:
    if not command.uri:
        return uri_of(command.callee, host, port, trunk)
    # In a transfer the trunk named this URI itself: what it has in it is its own again.
    asked = Uri.parse(command.uri)
    if not asked.user:
        return f"{asked.scheme}:{hostport(asked.host, asked.port)}{asked.parameters_without('method')}"
    plain = uri_of(command.callee, host, port, replace(trunk, user_parameters=("*",), user_phone=False))
    return plain + asked.parameters_without(*NOT_KEPT)


def signed_content(command: InviteLeg, peer: Peer, own: str) -> SignedContent:
    """What a signature of the caller must be about to be still true: whom From or a trusted trunk
    names, and who is called."""
    headers, trusted = command.carried.headers, "P-Asserted-Identity"
    users = [_user(parse_name_addr(value)[1]) for name, value in headers if name == trusted]
    return SignedContent(
        (_caller(command, peer.trunk, own)[0].user, *users), command.callee.user, command.offer
    )


def _user(uri: str) -> str:
    try:
        return readable(Uri.parse(uri).user)
    except ValueError:
        return ""


def _caller(command: InviteLeg, trunk: Trunk, own: str) -> tuple[Party, str]:
    return displayed_caller(command.caller, command.carried.headers, trunk, trunk.domain or own)


def transfer_lines(command: InviteLeg) -> tuple[str, ...]:
    """The headers of an INVITE that a transfer asks for: Replaces (RFC 3891) and Referred-By (RFC
    3892)."""
    lines = [f"Referred-By: {command.referred_by}"] if command.referred_by else []
    if command.replaces:
        # Required, so that a phone that does not know it says so, instead of ringing with a call
        # that nobody wanted.
        lines += [f"Replaces: {command.replaces}", "Require: replaces"]
    return tuple(lines)
