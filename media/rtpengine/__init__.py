"""Relays through rtpengine servers over the ng protocol."""
