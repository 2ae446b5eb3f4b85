"""`tonewall doctor`: what is wrong with this machine or the configuration, and what to do about it.

Rule 1: a finding says what was seen and, unless it is good, what to do; a check that cannot be made
        says so.
Rule 2: nothing is changed (what is made to try something is taken back). Nothing is sent but an
        OPTIONS to each peer, a TLS handshake to the provider, and a call of our own to each
        rtpengine server.
"""
