"""The leak rig: what independent ears hear on the agent's leg, and the key presses that they listen
for.

Rule 1: nothing here imports `media`: what is measured must not share a mistake with what measures
        it.
Rule 2: a figure stands beside its controls: unmasked presses are decoded, speech alone is not."""
