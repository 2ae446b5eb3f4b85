"""Maps the codes of each provider to the words of `reasons.REASONS`."""
