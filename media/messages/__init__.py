"""Defines the messages between b2bua and media, one file a direction."""
