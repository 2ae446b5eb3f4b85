"""Transports: each is a row, and nothing but its row and its own file names it."""

from __future__ import annotations

import re

from b2bua.sip.hop import TRAITS, Transport, is_secure
from b2bua.sip.transport.interface import Callbacks
from b2bua.sip.transport.tls import TlsContexts
from b2bua.sip.transport.transports import Transports
from tests.architecture.source import MODULES, within

ROWS = {"b2bua.sip.hop", "b2bua.sip.transport.transports"}
SIZE = "b2bua.sip.transport.datagram_size"  # RFC 3261 section 18.1.1 names both


def test_every_transport_has_its_traits_and_its_carrier():
    nothing = Callbacks(lambda *_: None, lambda *_: None, lambda _: None, lambda _: ())
    carriers = Transports(nothing, {}, TlsContexts())._carriers
    assert set(carriers) == set(TRAITS) == set(Transport)
    assert {each for each in Transport if is_secure(each)} == {Transport.TLS}
    assert not is_secure("")


def test_no_other_module_of_the_engine_asks_which_stream_transport_it_is():
    named = re.compile(r"Transport\.(TCP|TLS)\b")
    found = {
        name for name, module in MODULES.items() if within(name, "b2bua.sip") and named.search(module.text)
    }
    assert found <= ROWS | {SIZE}
