"""Writes docs/api/*.md from the docstrings of the public classes and functions: ``make docs``.

Signatures and attributes are read from the source, as they are written there, so that the pages do not depend on the
Python that makes them.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "api"

PAGES = {
    "memory": (
        "The memory",
        (
            "memory.AESGMemory",
            "holding.EngineHolder",
            "context.RetrievedContext",
            "learning.MemoryMode",
            "engine.MemoryEngine",
            "engine.life.OpenMemory",
            "engine.reorganisation.Reorganisation",
        ),
    ),
    "packs": ("Packs", ("packs.MemoryPack", "packs.PackManager", "packs.Filters", "packs.Packed")),
    "importing": (
        "Importing from aesg",
        ("interchange.aesg.import_aesg", "interchange.aesg.Report", "interchange.aesg.Finding"),
    ),
    "concepts": ("Concepts and edges", ("concepts.Concept", "concepts.Edge", "concepts.RelationType")),
    "configuration": (
        "Configuration",
        ("config.AESGConfig", "settings.StoreSettings", "engine.tuning.fit_config", "engine.tuning_report.Fit"),
    ),
    "layers": (
        "Layers",
        (
            "nn.Addressing",
            "nn.MemoryGRUCell",
            "nn.MemoryLSTMCell",
            "nn.MemoryTransformerLayer",
            "nn.MemoryConvLayer",
            "nn.SequenceState",
            "nn.LayerState",
            "nn.AESG_GRU",
            "nn.AESG_LSTM",
            "nn.AESG_TransformerLayer",
            "nn.AESG_CNNLayer",
        ),
    ),
    "text-models": (
        "Text models",
        (
            "nn.text.AESGGRUText",
            "nn.text.AESGLSTMText",
            "nn.text.AESGSeq2Seq",
            "nn.text.AESGDecoderLM",
            "nn.text.AESGTransformer",
            "nn.text.recurrent.RecurrentText",
            "nn.text.transformer.TransformerText",
            "nn.text.model.TextModel",
        ),
    ),
    "image-models": (
        "Image models",
        (
            "nn.image.AESGColorizationNet",
            "nn.image.AESGCNNClassifier",
            "nn.image.AESGCNNAutoencoder",
            "nn.image.pictures.PictureModel",
            "nn.image.model.ImageModel",
        ),
    ),
    "training": (
        "Training",
        (
            "training.AESGTrainer",
            "training.TrainingState",
            "training.Callback",
            "training.EarlyStopping",
            "training.Checkpoint",
            "training.TensorBoardCallback",
            "training.WandBCallback",
            "training.adapt_data",
            "training.sequence_cross_entropy",
        ),
    ),
    "evaluation": (
        "Evaluation",
        (
            "training.evaluation.Evaluator",
            "training.colorization.ColorizationBenchmark",
            "training.colorization.BenchmarkResult",
            "training.colorization.Run",
        ),
    ),
    "errors": (
        "Errors",
        (
            "errors.AESGError",
            "errors.AESGConfigError",
            "errors.AESGMemoryError",
            "errors.AESGNavigationError",
            "errors.AESGTrainingError",
            "errors.AESGStorageError",
        ),
    ),
}
"""Pages by file name: a title, and what stands on it."""

TABLE = re.compile(r"^(=+(?: +=+)+)\n(.+)\n\1\n((?:.+\n)+?)\1$", re.M)
Definition = ast.ClassDef | ast.FunctionDef


def pages() -> Iterator[tuple[str, str]]:
    """Every page: its file name and its text."""
    yield "README.md", _index()
    for name, (title, places) in PAGES.items():
        sections = [_section(place) for place in places]
        yield f"{name}.md", "\n".join([f"# {title}", "", *sections])


def documented() -> set[str]:
    """The names that have a section."""
    return {place.rpartition(".")[2] for _, places in PAGES.values() for place in places}


def _index() -> str:
    lines = [
        "# Reference",
        "",
        "Written from the docstrings by `make docs`; every name, and the page that tells of it.",
        "",
    ]
    for name, (title, places) in PAGES.items():
        names = [place.rpartition(".")[2] for place in places]
        links = ", ".join(f"[{each}]({name}.md#{each.lower()})" for each in names)
        lines.append(f"- **[{title}]({name}.md)**: {links}")
    return "\n".join([*lines, ""])


def _section(place: str) -> str:
    module, _, name = place.rpartition(".")
    found = getattr(importlib.import_module(f"aesg_graph.{module}"), name)
    definition = _definition(found)
    lines = [f"## {name}", "", "```python", f"from {_shortest(module, name)} import {name}", "```", ""]
    if isinstance(definition, ast.FunctionDef):
        return "\n".join([*lines, *_code(_signature(definition, name)), _prose(definition)])
    if (maker := _method(found, "__init__")) is not None:
        lines += _code(_signature(maker, name))
    attributes = _attributes(found, definition)
    if maker is None:
        lines += _fields(found, definition)
    lines += [_prose(definition), *_inherited(found), *attributes]
    for member in definition.body:
        if isinstance(member, ast.FunctionDef) and not member.name.startswith("_"):
            lines += _member(member)
    return "\n".join(lines)


def _definition(found: Any) -> Definition:
    parsed = ast.parse(textwrap.dedent(inspect.getsource(found))).body[0]
    assert isinstance(parsed, Definition)
    return parsed


def _shortest(module: str, name: str) -> str:
    package = importlib.import_module("aesg_graph")
    return "aesg_graph" if name in package.__all__ else f"aesg_graph.{module}"


def _method(found: type, name: str) -> ast.FunctionDef | None:
    """The method as the nearest class of this package writes it."""
    for kind in _ours(found):
        for member in _definition(kind).body:
            if isinstance(member, ast.FunctionDef) and member.name == name:
                return member
    return None


def _ours(found: type) -> list[type]:
    return [kind for kind in found.__mro__ if kind.__module__.startswith("aesg_graph")]


def _inherited(found: type) -> list[str]:
    """One line for each class of this package below, with what it brings."""
    known, lines = set(vars(found)), []
    for kind in _ours(found)[1:]:
        names = [name for name, member in vars(kind).items() if _public(name, member) and name not in known]
        known |= set(names)
        if names:
            lines.append(f"From `{kind.__name__}`: {', '.join(f'`{name}`' for name in names)}.\n")
    return lines


def _public(name: str, member: Any) -> bool:
    return not name.startswith("_") and (
        inspect.isfunction(member) or isinstance(member, property | classmethod | staticmethod)
    )


def _attributes(found: type, definition: ast.ClassDef) -> list[str]:
    """What is assigned in the class's body and explained below."""
    module = vars(importlib.import_module(found.__module__))
    lines = []
    for statement, below in zip(definition.body, [*definition.body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign | ast.Assign) and (said := _text(below)):
            written = ast.unparse(_plain(statement, module))
            lines.append(f"- `{written}`: {_inline(said)}")
    return [*lines, ""] if lines else []


def _fields(found: type, definition: ast.ClassDef) -> list[str]:
    """The fields of a dataclass, as they are given to it, unless each is explained anyway."""
    places = [place for place, each in enumerate(definition.body) if isinstance(each, ast.AnnAssign)]
    if not dataclasses.is_dataclass(found) or all(_text(definition.body[place + 1]) for place in places):
        return []
    fields = [f"    {ast.unparse(definition.body[place])}," for place in places]
    return _code("\n".join([f"{definition.name}(", *fields, ")"]))


def _plain(statement: ast.stmt, module: dict[str, Any]) -> ast.stmt:
    """A type stands in place of what is annotated to it: ranges are said in words."""

    class Plain(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            alias = module.get(node.id)
            if not hasattr(alias, "__metadata__"):
                return node
            bare = alias.__origin__
            return ast.parse(bare.__name__ if isinstance(bare, type) else str(bare), mode="eval").body

        def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
            if ast.unparse(node.value) == "Annotated" and isinstance(node.slice, ast.Tuple):
                return node.slice.elts[0]
            return node

    return ast.fix_missing_locations(Plain().visit(statement))


def _text(statement: ast.stmt | None) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return " ".join(str(statement.value.value).split())
    return ""


def _member(member: ast.FunctionDef) -> list[str]:
    marks = {ast.unparse(mark) for mark in member.decorator_list}
    if any(mark.endswith(".setter") for mark in marks):
        return []
    if marks & {"property", "cached_property"}:
        said = f": {ast.unparse(member.returns)}" if member.returns else ""
        return [f"### {member.name}", "", *_code(f"{member.name}{said}"), _prose(member)]
    return [f"### {member.name}()", "", *_code(_signature(member, member.name)), _prose(member)]


def _signature(function: ast.FunctionDef, name: str) -> str:
    arguments = function.args
    first = arguments.posonlyargs or arguments.args
    if first and first[0].arg in {"self", "cls"}:
        first.pop(0)
    said = "" if function.name == "__init__" or function.returns is None else f" -> {ast.unparse(function.returns)}"
    listed, plain = _listed(arguments), len(arguments.posonlyargs) + len(arguments.args)
    starred = [f"*{ast.unparse(arguments.vararg)}"] if arguments.vararg else ["*"] * bool(arguments.kwonlyargs)
    doubled = [f"**{ast.unparse(arguments.kwarg)}"] if arguments.kwarg else []
    every = [*listed[:plain], *starred, *listed[plain:], *doubled]
    whole = f"{name}({', '.join(every)}){said}"
    return whole if len(whole) <= 100 else "\n".join([f"{name}(", *(f"    {each}," for each in every), f"){said}"])


def _listed(arguments: ast.arguments) -> list[str]:
    """Each argument as it is written, with its default."""
    plain = [*arguments.posonlyargs, *arguments.args]
    missing: list[ast.expr | None] = [None] * (len(plain) - len(arguments.defaults))
    defaults = [*missing, *arguments.defaults, *arguments.kw_defaults]
    return [
        ast.unparse(each) + ("" if default is None else f" = {ast.unparse(default)}")
        for each, default in zip([*plain, *arguments.kwonlyargs], defaults, strict=True)
    ]


def _code(text: str) -> list[str]:
    return ["```python", text, "```", ""]


def _prose(definition: Definition) -> str:
    """A docstring as Markdown: the sections' lists become lists, tables become tables."""
    lines: list[str] = []
    listing = False
    for line in TABLE.sub(_table, ast.get_docstring(definition) or "").splitlines():
        if re.fullmatch(r"-{3,}", line):
            lines[-1] = f"**{lines[-1]}**\n"
            listing = True
        elif listing and (entry := re.match(r"([\w, *]+): (.*)", line)):
            lines.append(f"- `{entry[1]}`: {entry[2]}")
        else:
            listing = listing and bool(line)
            lines.append(f"  {line.strip()}" if listing else line)
    return _inline("\n".join(lines)) + "\n"


def _table(found: re.Match[str]) -> str:
    columns = [slice(*column.span()) for column in re.finditer("=+", found[1])]
    columns[-1] = slice(columns[-1].start, None)
    head, *rows = [[row[column].strip() for column in columns] for row in [found[2], *found[3].splitlines()]]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def _inline(text: str) -> str:
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text)
    return text.replace("``", "`")


def main() -> None:
    """Write all pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
