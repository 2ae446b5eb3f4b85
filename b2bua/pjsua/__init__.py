"""SIP engine on PJSIP: `engine = pjsua2`, with the extra `tonewall[pjsua2]`. See docs/pjsua2.md.

Rule 1: PJSIP sits behind a front of ours, on loopback, and is never sent a text that a peer wrote.
Rule 2: nothing here is loaded where the other engine is chosen.
"""
