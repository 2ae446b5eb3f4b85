"""The names that docstrings and comments speak of, and those that the code has.

Rule 1: a name with an underscore or a capital (`leg_loan`, `MAX_HOPS`, `LegLoan`) is
        somewhere in the code: an identifier, a word of a string, a file, a setting.
Rule 2: a bare word between backticks is in the code of its own module, or defined by one of its
        room or by one that it imports: elsewhere it would be another thing of the same name.
Rule 3: of a dotted name, what follows a module of ours is in the code of that module.
Rule 4: a word in capitals alone is in reach as rule 2 has it, or an abbreviation: in a string, or
        in the documentation.
Rule 5: a file is there: as it is written, or as the end of its path.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.architecture.source import ROOT

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUOTED = re.compile(r"`([A-Za-z_][\w.]*)(?:\(\))?`")
_UNMISTAKABLE = re.compile(r"[a-zA-Z][a-z0-9]*_\w+|[A-Z][a-z]\w*")
_BARE_NAME = re.compile(
    r"(?<![\w.*/$%&=-])(?:[a-z][a-z0-9]*(?:_[a-z0-9]+)+|[A-Z][A-Z0-9_]{2,})(?![\w*/=-]|\.\w)"
)
_FILE = re.compile(r"(?<![\w./*{}<>-])(?:\w[\w-]*/)*\w[\w-]*\.(?:py|c|md|js)(?![\w*/])")
_SPAN = re.compile(r"`([^`]*)`")
_C_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_LINTER = re.compile(r"(?:noqa|type: ignore|fmt:|pragma).*")
_CODES = re.compile(r"[A-Z]+[0-9]+")

# Names of the field, of other programs, and of what a usage leaves open: no code of ours has them.
OTHERS = frozenset(
    {
        "ASGI", "BPF", "CELT", "CIDR", "ECN", "GIL", "ICMP", "IMS", "INI", "IVR", "MTU", "PCM", "PEP",
        "RST", "SNI", "STIR", "SWIG", "SWS", "UUID", "VAD", "WHATWG", "XML",
        "CALL_INCOMING", "CAP_IPC_LOCK", "CAP_SYS_RESOURCE", "EAGAIN", "EIO", "ETH_P_ALL", "ETH_P_IP",
        "EX_CONFIG", "EX_IOERR", "EX_OSERR", "MCL_FUTURE", "NO_DATA", "X509_V_ERR_CERT_HAS_EXPIRED",
        "X509_V_ERR_CERT_NOT_YET_VALID", "getpeercert", "tp_dealloc", "tp_new",
        "MILLISECONDS", "TONEWALL_SECTION__NAME_KEY", "SPOOL.refused", "PATH.refused",
    }
)  # fmt: skip
# Their strings are names that nothing has to have.
_ABOUT_NAMES = frozenset({"tests/architecture/prose.py", "tests/architecture/test_prose.py"})


@dataclass(frozen=True)
class Source:
    """One file: its prose by line, the words of its code, what it defines and imports."""

    path: str
    prose: tuple[tuple[int, str], ...] = ()
    words: frozenset[str] = frozenset()
    strings: frozenset[str] = frozenset()
    defined: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    imported: frozenset[str] = frozenset()  # as dotted names

    @property
    def room(self) -> str:
        return str(Path(self.path).parent)

    @property
    def module(self) -> str:
        parts = Path(self.path).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@dataclass(frozen=True)
class Code:
    """All files, and what is known of them together."""

    sources: Mapping[str, Source]
    words: set[str] = field(default_factory=set)
    abbreviations: set[str] = field(default_factory=set)
    ends: set[str] = field(default_factory=set)  # of the paths: the file, its room and the file, and so on
    by_stem: dict[str, list[Source]] = field(default_factory=dict)
    by_class: dict[str, list[Source]] = field(default_factory=dict)
    by_room: dict[str, set[str]] = field(default_factory=dict)
    by_module: dict[str, Source] = field(default_factory=dict)

    @classmethod
    def of(cls, sources: Mapping[str, Source], documentation: str = "", paths: str = "") -> Code:
        """`documentation`: Markdown; `paths`: of the files, whose parts are names too."""
        code = cls(sources)
        code.words.update(_WORD.findall(paths))
        for path in paths.splitlines():
            parts = path.split("/")
            code.ends.update("/".join(parts[at:]) for at in range(len(parts)))
        code.abbreviations.update(_WORD.findall(documentation))
        for source in sources.values():
            if source.path not in _ABOUT_NAMES:
                code.words.update(source.words)
                code.abbreviations.update(source.strings)
            code.by_room.setdefault(source.room, set()).update(source.defined)
            code.by_module.setdefault(source.module, source)
            if source.path.endswith((".py", ".pyi")):
                code.by_stem.setdefault(source.module.rpartition(".")[2], []).append(source)
                for name in source.classes:
                    code.by_class.setdefault(name, []).append(source)
        return code

    def in_reach(self, source: Source) -> set[str]:
        """What a module may speak of by a bare word."""
        modules = [self.by_module.get(name) or self.by_module.get(name.rpartition(".")[0])
                   for name in source.imported]  # fmt: skip
        packages = {each.path.partition("/")[0] for each in self.sources.values()}
        return set(source.words | packages).union(
            self.by_room[source.room], *(each.defined | each.strings for each in modules if each is not None)
        )


def stale_names(source: Source, code: Code) -> Iterator[tuple[int, str]]:
    """The names in the prose of a file that lead nowhere, each with its line."""
    reach = code.in_reach(source)
    for first, text in source.prose:
        for match in _QUOTED.finditer(text):
            if (
                source.path.endswith(".py")
                and match[1] not in OTHERS
                and not _leads_somewhere(match[1], reach, code)
            ):
                yield first + text.count("\n", 0, match.start()), match[1]
        for match in _FILE.finditer(text):
            if match[0] not in code.ends:
                yield first + text.count("\n", 0, match.start()), match[0]
        for match in _BARE_NAME.finditer(_SPAN.sub(_without_usage, _LINTER.sub("", text))):
            name = match[0]
            plain = "_" not in name
            known = name in reach or name in (code.abbreviations if plain else code.words)
            if not known and name not in OTHERS and not (plain and _CODES.fullmatch(name)):
                yield first + text.count("\n", 0, match.start()), name


def _without_usage(match: re.Match[str]) -> str:
    """A command line between backticks has names of its own for what is to be filled in."""
    return match[0] if len(match[1].split()) < 2 else "\n" * match[0].count("\n")


def _leads_somewhere(name: str, reach: set[str], code: Code) -> bool:
    parts = [part for part in name.split(".") if part]
    *before, last = parts
    if not before:
        return last in (code.words if _UNMISTAKABLE.search(last) else reach)
    if before[-1] in code.by_class:
        return any(last in source.words for source in code.by_class[before[-1]])
    if before[-1] in code.by_stem and last not in code.by_stem:
        return any(last in source.words for source in code.by_stem[before[-1]]) or last == "py"
    return all(part in code.words for part in parts)


# --- reading --------------------------------------------------------------------------------------


def read_repository(root: Path = ROOT) -> Code:
    """Every file under version control."""
    listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout
    sources, documentation = {}, []
    for path in listed.splitlines():
        try:
            text = (root / path).read_text()
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        if path.endswith(".md"):
            documentation.append(text)
        elif path.endswith((".py", ".pyi")):
            sources[path] = read_python(path, text)
        else:
            sources[path] = read_other(path, text)
    return Code.of(sources, "\n".join(documentation), listed)


def read_python(path: str, text: str) -> Source:
    """One module."""
    # Walking the tree takes longer than making it: once.
    nodes = list(ast.walk(ast.parse(text)))
    docstrings = {(node.lineno, node.col_offset) for node in _docstrings(nodes)}
    prose: list[tuple[int, str]] = []
    words: set[str] = set()
    strings: set[str] = set()
    comment_ends = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME:
            words.add(token.string)
        elif token.type == tokenize.COMMENT or token.start in docstrings:
            # Comments on lines that follow each other are one text.
            if token.type == tokenize.COMMENT and token.start[0] == comment_ends + 1:
                prose[-1] = (prose[-1][0], f"{prose[-1][1]}\n{token.string}")
            else:
                prose.append((token.start[0], token.string))
            comment_ends = token.start[0] if token.type == tokenize.COMMENT else 0
        elif token.type in {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}:
            strings.update(_WORD.findall(token.string))
    return Source(
        path, tuple(prose), frozenset(words | strings), frozenset(strings), frozenset(_defined(nodes)),
        frozenset(node.name for node in nodes if isinstance(node, ast.ClassDef)),
        frozenset(_imported(nodes)),
    )  # fmt: skip


def read_other(path: str, text: str) -> Source:
    """A file of the core, of the page, or of settings: comments are prose in C only."""
    prose: list[tuple[int, str]] = []
    if path.endswith((".c", ".h")):
        prose = [(1 + text.count("\n", 0, match.start()), match[0]) for match in _C_COMMENT.finditer(text)]
        text = _C_COMMENT.sub(" ", text)
    words = frozenset(_WORD.findall(text))
    return Source(path, tuple(prose), words, words, words)


def _docstrings(nodes: Iterable[ast.AST]) -> Iterator[ast.Constant]:
    for node in nodes:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            value = first.value if isinstance(first, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value


def _defined(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.arg):
            yield node.arg


def _imported(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
