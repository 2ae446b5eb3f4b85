"""A b2bua that claims sessions from media, after a death of media, as if none was masked, and a
media process that believes it, whatever the recovery page says."""

import sys

if "b2bua.app" in sys.orig_argv:
    from b2bua.call.leg_pair import LegPair

    _claim = LegPair.claim_session

    def claim_session(self, masking):
        return _claim(self, None)

    LegPair.claim_session = claim_session

if "media.process" in sys.orig_argv:
    from media.service.relayed_session import RelayedSession

    _adopt = RelayedSession.adopt

    def adopt(self, found):
        _adopt(self, found)
        for number in self.streams:
            self.relay.set_mask(number, False)
        return False

    RelayedSession.adopt = adopt
