"""Call detail records on disk: one row a call, and how to get them out again."""
