"""Describes one clause of PCI DSS: what it asks for, who does what for it, and how it is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from b2bua.evidence import judges
from b2bua.evidence.judges import Facts, Judgement

Judge = Callable[[Facts], Judgement]


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause. `topic`: what it asks for, in our words; `product`, `operator`: what either does;
    `evidence`: files of the pack; `settings`: keys that decide, as `section key`."""

    number: str
    topic: str
    product: str
    operator: str
    evidence: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    judge: Judge = judges.product
