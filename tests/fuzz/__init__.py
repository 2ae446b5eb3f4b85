"""Coverage-guided fuzzing of what parses what strangers send: `make fuzz TARGET=message
SECONDS=600`."""
