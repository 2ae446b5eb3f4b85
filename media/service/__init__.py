"""Relays with the core: sessions, ports, masks and captures."""
