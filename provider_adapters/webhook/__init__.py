"""Receives the providers' webhooks, in a process and on a listener of their own."""
