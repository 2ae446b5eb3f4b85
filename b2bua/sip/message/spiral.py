"""Tells a spiral from a loop: a request that comes again for somebody else is a new one (RFC 3261
sections 6 and 16.3).

Rule 1: the user of the Request-URI decides. The host is no sign: each proxy on the way writes its
        next hop there.
"""

from __future__ import annotations

from b2bua.sip.message.uri import Uri


def called_user(uri: Uri) -> str:
    """Who a Request-URI asks for: its user, or the whole of one that has none."""
    return uri.user or str(uri)


def is_for_same_user(uri: str, other: Uri) -> bool:
    """Whether a URI of ours asks for the same as another."""
    try:
        return called_user(Uri.parse(uri)) == called_user(other)
    except ValueError:
        return False
