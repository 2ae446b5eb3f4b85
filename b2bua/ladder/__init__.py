"""The message flow of a call as a ladder: what is kept of each message, and how it is shown."""
