"""Does what needs no card, in a process of its own: inquiries, captures, voids, refunds."""
