"""Payment links, a provider a file: the customer pays on the provider's own page."""
