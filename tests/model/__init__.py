"""A model of the whole product: any order of what customers, agents, PBXs, providers and the
machine may do.

docs/testing.md says how it is run and how a seed is replayed."""
