"""Run the model: `make model SECONDS=600`, `make model SEED=17` (docs/testing.md)."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.planted import NAMES, environment
from tests.model.rules import Product
from tests.model.world import World

EXAMPLES, STEPS = 6, 30  # of one seed


@dataclass(slots=True)
class Run:
    """Seeds one after another over one Tonewall, which is started again after a fault."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    steps: int = STEPS
    examples: int = EXAMPLES
    _world: World | None = None
    _worlds: int = 0

    def seed(self, number: int) -> str | None:
        """What is wrong, with the steps that led there; None where nothing was found."""
        Product.world, Product.trace = self._ready(), []
        machine: type[Product] = seed(number)(type(f"Seed{number}", (Product,), {}))
        chosen = settings(
            max_examples=self.examples, stateful_step_count=self.steps, deadline=None, database=None,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck), print_blob=False,
            report_multiple_bugs=False,
        )  # fmt: skip
        try:
            run_state_machine_as_test(machine, settings=chosen)
        except Exception as error:  # whatever it is, the seed is what matters
            text = f"{machine.fault or repr(error)}\nlog: {self._ready().stack.log}"
            self._drop()
            return text
        return None

    def close(self) -> None:
        if self._world is not None:
            self._drop()

    def _ready(self) -> World:
        if self._world is None:
            self._worlds += 1
            self._world = World(self.folder / f"world-{self._worlds}", self.environment)
            self._world.run(self._world.start())
        return self._world

    def _drop(self) -> None:
        world, self._world = self._world, None
        assert world is not None
        try:
            world.close()
        except AssertionError as error:
            print(f"at the end: {error}", file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.model")
    parser.add_argument("--seed", type=int, help="this one alone, as a run has printed it")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--examples", type=int, default=EXAMPLES)
    parser.add_argument(
        "--kills", type=int, default=Product.kills, help="of six that are drawn, so many are done"
    )
    parser.add_argument("--faults", type=int, default=1, help="stop after so many")
    parser.add_argument("--fault", choices=NAMES, help="plant this one, which must be found")
    parser.add_argument("--verbose", action="store_true", help="print the steps as they are done")
    parser.add_argument("--folder", type=Path, help="where the logs go; kept")
    chosen = parser.parse_args()
    if chosen.folder is not None and chosen.folder.exists():
        shutil.rmtree(chosen.folder)
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="tonewall-model-"))
    planted = environment(chosen.fault) if chosen.fault else {}
    run, found, began = (
        Run(folder, planted, steps=chosen.steps, examples=chosen.examples),
        0,
        time.monotonic(),
    )
    Product.verbose, Product.kills = chosen.verbose, chosen.kills
    first = chosen.seed if chosen.seed is not None else random.randrange(1 << 31)
    number = first
    try:
        while found < chosen.faults:
            print(f"seed {number}", flush=True)
            fault = run.seed(number)
            if fault is not None:
                found += 1
                print(f"SEED={number}, after {time.monotonic() - began:.0f} s\n{fault}\n", flush=True)
            if chosen.seed is not None or time.monotonic() - began > chosen.seconds:
                break
            number += 1
    finally:
        run.close()
    if not found and chosen.folder is None:
        shutil.rmtree(folder)
    print(f"{number - first + 1} seeds, {found} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
