"""Prompts: their names, and their recordings as the core plays them."""
