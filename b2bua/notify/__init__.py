"""Sends messages to the company's own services: signed webhooks, tried until they are taken."""
