"""The evidence pack for an auditor: what it holds, how it is signed, and how it is verified."""
