"""The agents' HTTP API, its live feed, and the agent's page."""
