"""The `tonewall` command. `tonewall run` begins as the keeper, which imports nothing of Tonewall:
the supervisor is its child."""

from __future__ import annotations

import os
import sys

from tonewall import keeper


def main() -> None:
    """The command's entry point."""
    if sys.argv[1:2] == ["run"] and keeper.VARIABLE not in os.environ:
        keeper.main()
    from b2bua import cli  # noqa: PLC0415 - the keeper stays without

    cli.app()


if __name__ == "__main__":
    main()
