"""Checks every adapter against its provider's own description, and against its own library.

One row of `providers.TABLE` an adapter; everything else comes for free.
"""
