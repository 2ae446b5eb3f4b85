"""Adds files to a wheel: the SBOM and the signed manifest, which are made of what is in it.

Rule 1: the same wheel and the same files are the same bytes, whoever writes them and when.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path


def unpack(wheel: Path, to: Path) -> None:
    """The files of a wheel, as an installation has them. Raises OSError, zipfile.BadZipFile."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(to)


def add_files(wheel: Path, added: Mapping[str, bytes]) -> None:
    """Put files into a wheel, and into its RECORD; those of the same names are replaced. Raises
    OSError, ValueError for what is no wheel."""
    with zipfile.ZipFile(wheel) as archive:
        entries = {each.filename: (each, archive.read(each)) for each in archive.infolist()}
    records = [name for name in entries if name.endswith(".dist-info/RECORD")]
    if len(records) != 1:
        raise ValueError(f"{wheel.name}: expected one RECORD")
    model, old = entries.pop(records[0])
    for name, content in added.items():
        info = zipfile.ZipInfo(name, model.date_time)
        info.external_attr, info.compress_type = model.external_attr, zipfile.ZIP_DEFLATED
        entries[name] = (info, content)
    rows = [row for row in csv.reader(io.StringIO(old.decode())) if row and row[0] not in added]
    rows += [[name, _hash(content), str(len(content))] for name, content in added.items()]
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows(sorted(rows))
    entries[records[0]] = (model, lines.getvalue().encode())  # the last, as wheels have it
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, content in entries.values():
            archive.writestr(info, content)


def _hash(content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"
