"""SIP stacks and decoders that are not ours, as the tests drive them."""
