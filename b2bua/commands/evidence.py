"""`tonewall evidence`: makes an evidence pack for an auditor, and verifies one."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2bua.audit.entry import write_time
from b2bua.audit.excerpt import verify_excerpt
from b2bua.audit.signing_key import read_private, read_public
from b2bua.commands.configuration import ConfigFile, give_up
from b2bua.commands.settings import load_settings
from b2bua.config.settings import Settings
from b2bua.evidence.archive import Manifest, NoPack, describe_files, fingerprint, open_pack, seal
from b2bua.evidence.pack import AUDIT, Pack, Request, gather
from tonewall.version import VERSION

app = typer.Typer(
    help="Evidence for an auditor: make a signed pack, verify one.",
    invoke_without_command=True,
    rich_markup_mode=None,
)
WRONG = 1
_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]
Begin = Annotated[
    datetime | None, typer.Option("--from", formats=_FORMATS, help="The period begins then, UTC.")
]
End = Annotated[
    datetime | None, typer.Option("--to", formats=_FORMATS, help="The period ends before then, UTC.")
]


@app.callback()
def evidence(
    context: typer.Context,
    since: Begin = None,
    until: End = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The archive; without it, named after the period.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="The key that signs it; without it, [audit] key_file.")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Connect to no provider and run no checks of `tonewall doctor`.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Make a signed archive of what an auditor asks for: configuration without secrets, versions
    and hashes, audit log of the period with its proof, counts, TLS. Status 1 where it names a
    fault."""
    if context.invoked_subcommand is not None:
        return
    if since is None or until is None or since >= until:
        give_up("expected --from DATE --to DATE, the first before the second")
    settings = load_settings(config)
    private = _read_key(key, settings)
    begin, end = since.replace(tzinfo=UTC), until.replace(tzinfo=UTC)
    to = output or Path(f"tonewall-evidence-{begin:%Y%m%d}-{end:%Y%m%d}.tar.gz")
    request = Request(settings, config, private.public_key(), begin, end, ask_others=not offline)
    try:
        pack = _make(request, private, to)
    except OSError as error:
        give_up(f"the pack cannot be made: {error.filename or to}: {error.strerror or type(error).__name__}")
    for name, why in pack.missing.items():
        typer.echo(f"not in it: {name}: {why}")
    for fault in pack.faults:
        typer.echo(f"FAULT: {fault}")
    typer.echo(f"{to}: verify it with `tonewall evidence verify {to} --key PUBLIC_KEY`")
    if pack.faults:
        raise typer.Exit(WRONG)


@app.command("verify")
def verify_command(
    pack: Annotated[Path, typer.Argument(help="The archive.")],
    key: Annotated[Path, typer.Option(help="The public key, as whoever made the pack handed it over.")],
    extract: Annotated[
        Path | None, typer.Option(help="A directory, made anew, for its files where nothing is wrong.")
    ] = None,
) -> None:
    """Check signature, files and audit log of a pack, offline. Status 1 where something is
    wrong."""
    try:
        public = read_public(key)
    except (OSError, ValueError) as error:
        give_up(f"{key}: {error}")
    if extract is not None and extract.exists():
        give_up(f"{extract} is there already: give a directory that is not")
    with tempfile.TemporaryDirectory(dir=extract.parent if extract else None) as temporary:
        files = Path(temporary, "pack")
        files.mkdir()
        try:
            manifest, findings = open_pack(pack, public, files)
        except NoPack as error:
            typer.echo(f"NOT sound: {error}")
            raise typer.Exit(WRONG) from None
        except OSError as error:
            give_up(f"{pack}: {error.strerror or error}")
        typer.echo(f"{manifest.since} to {manifest.until}, made {manifest.made_at} by {manifest.product}")
        typer.echo(f"{len(manifest.files)} files; key {manifest.key}")
        if (files / AUDIT).is_dir() and not findings:
            report = verify_excerpt(files / AUDIT, public)
            typer.echo(f"audit log: {report.entries} entries in {report.lines} lines from {report.first} on")
            findings += [f"{AUDIT}/{each.file}, line {each.line}: {each.what}" for each in report.findings]
        for finding in findings:
            typer.echo(finding)
        if findings:
            typer.echo("NOT sound: this is not the pack that was made")
            raise typer.Exit(WRONG)
        if extract is not None:
            files.rename(extract)
    typer.echo("sound")


def _read_key(path: Path | None, settings: Settings) -> Ed25519PrivateKey:
    path = path or settings.signalling.audit.key_file
    if path is None:
        give_up("no key: give --key FILE, made by `tonewall audit key`, or set [audit] key_file")
    try:
        return read_private(path)
    except (OSError, ValueError) as error:
        give_up(f"{path}: {error}")


def _make(request: Request, private: Ed25519PrivateKey, to: Path) -> Pack:
    made_at = int(time.time())
    with tempfile.TemporaryDirectory(dir=to.absolute().parent, prefix=".evidence-") as temporary:
        files = Path(temporary)
        at = write_time(made_at)
        pack = gather(request, files, at, lambda what: typer.echo(f"gathering: {what}", err=True))
        since, until = request.period
        manifest = Manifest(
            product=f"tonewall {VERSION}",
            since=since,
            until=until,
            made_at=at,
            key=fingerprint(request.key),
            files=describe_files(files),
        )
        seal(files, manifest, private, made_at, to)
    return pack
