"""The media core under the compilers' sanitizers: `make sanitize`, `make fuzz-core`, and a little
of both in every run."""
