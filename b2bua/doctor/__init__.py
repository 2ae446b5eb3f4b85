"""`tonewall doctor`: checks this machine and the configuration, and names remedies.

Rule 1: a finding has the observation and, unless it is good, the remedy; a check that cannot be
        made is a finding too.
Rule 2: nothing is changed: files and rows that a check makes are removed. Nothing is sent but an
        OPTIONS to each peer, a TLS handshake to the provider, a call of our own to each rtpengine
        server, and questions for the identity provider's description and keys, and for the names
        in Redis.
"""
