"""Reads sip.conf and assembles trunks and routes from it."""
