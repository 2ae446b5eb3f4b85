"""The call core: state machines and SDP, no I/O."""
