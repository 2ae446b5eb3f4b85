"""The audit log: who did what, on which call and payment, with which result."""
