"""SIP signalling, calls and the agents' HTTP API: parses what strangers send, and cannot name card
data."""
