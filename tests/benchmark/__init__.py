"""Benchmarks: what a packet, a call and an idle call cost, beside programs that do the same
(docs/benchmarks.md)."""
