"""Starts the media process."""
