"""Records the messages of each call in words of our own, and draws them as a ladder."""
