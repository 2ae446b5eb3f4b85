"""What goes with a release: its contents and licences, accepted findings, signatures, and the
comparison of two images. None of it is installed."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
