"""A b2bua that takes no calls up."""

import sys

if "b2bua.app" in sys.orig_argv:
    from b2bua.switchboard.checkpoints import Checkpoints

    Checkpoints.restore_calls = lambda self: 0
