"""What several Tonewalls know of one another, through a Redis (or Valkey) that they share: how many
calls each has on each trunk. docs/scale.md.

Rule 1: nothing here stands in the way of a call: what others have is read from memory, and without
        Redis an instance goes on alone.
Rule 2: no digit, no key and no number of a customer goes there.
"""
