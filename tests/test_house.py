"""The house stands: imports point down only, torch stays upstairs, and importing does nothing but import."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import aesg_graph

PACKAGE = Path(aesg_graph.__file__).parent

# Every module and folder of the package, from top to bottom. A line may import what stands below it. A new part is
# written where it belongs; CONTRIBUTING says the same in words.
LINES = (
    {"cli"},
    {"nn", "training"},
    {"memory", "holding", "answering", "context", "retrieval_op", "heritage", "tensors", "observe"},
    {"packs"},
    {"interchange"},
    {"engine"},
    {"learning", "sync", "cache"},
    {"activation", "stores"},
    {"operations"},
    {"config", "settings", "relations", "validation", "concepts", "aging"},
    {"errors"},
)
HEIGHT = {part: -line for line, parts in enumerate(LINES) for part in parts}

# Arrows within a line.
BESIDE = {
    ("training", "nn"),
    ("memory", "context"),
    ("memory", "retrieval_op"),
    ("memory", "heritage"),
    ("memory", "holding"),
    ("memory", "answering"),
    ("memory", "tensors"),
    ("holding", "tensors"),
    ("answering", "retrieval_op"),
    ("heritage", "tensors"),
    ("config", "settings"),
    ("config", "relations"),
    ("config", "validation"),
    ("config", "concepts"),
    ("config", "aging"),
    ("settings", "validation"),
    ("relations", "validation"),
    ("relations", "concepts"),
}
# Downward arrows that are none: what is learned is planned from data alone.
FORBIDDEN = {("learning", "stores")}
TORCH = {"memory", "holding", "answering", "context", "retrieval_op", "tensors", "nn", "training"}
# What uses the torch face may not be imported by what must start without torch.
WITH_TORCH = TORCH | {"heritage"}


class Import(NamedTuple):
    source: str
    """The importing module: "stores.sqlite.store"; the package itself is ""."""
    target: str
    """A module of the package likewise, or the first name of another package."""
    inside: bool
    type_only: bool
    line: int


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(p for p in parts if p != "__init__"), path


MODULES = dict(modules())


def imports_of(module):
    tree = ast.parse(MODULES[module].read_text())
    guarded = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        for name in named_by(node, module):
            package, _, inner = name.partition(".")
            inside = package == "aesg_graph"
            yield Import(module, inner if inside else package, inside, id(node) in guarded, getattr(node, "lineno", 0))


def named_by(node, module):
    """The modules that an import statement names, in full."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        package = ["aesg_graph", *module.split(".")] if module else ["aesg_graph"]
        here = package if MODULES[module].name == "__init__.py" else package[:-1]
        base = ".".join([*here[: len(here) - node.level + 1], *filter(None, [node.module])])
    # `from package import module` is an arrow to the module; any other name is one to the package.
    full = [f"{base}.{alias.name}" for alias in node.names]
    return [name if name.removeprefix("aesg_graph.") in MODULES else base for name in full]


IMPORTS = [found for module in MODULES if module for found in imports_of(module)]


def part(module):
    return module.partition(".")[0]


def where(found):
    return f"{MODULES[found.source].relative_to(PACKAGE.parent)}:{found.line} imports {found.target or 'aesg_graph'}"


def points_down(found):
    ends = part(found.source), part(found.target)
    if ends[0] == ends[1]:
        return True
    if ends in FORBIDDEN or ends[1] not in HEIGHT:
        return False
    beside = ends in BESIDE or found.type_only
    return HEIGHT[ends[0]] > HEIGHT[ends[1]] or (HEIGHT[ends[0]] == HEIGHT[ends[1]] and beside)


def test_every_part_of_the_package_has_its_place():
    assert {part(module) for module in MODULES if module} <= set(HEIGHT)


def test_imports_point_down():
    assert [where(found) for found in IMPORTS if found.inside and not points_down(found)] == []


def test_modules_do_not_import_each_other_in_circles():
    below = {module: set() for module in MODULES}
    for found in IMPORTS:
        if found.inside and not found.type_only:
            below[found.source].add(found.target)
    try:
        TopologicalSorter(below).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_only_the_torch_face_imports_torch():
    assert [where(found) for found in IMPORTS if found.target == "torch" and part(found.source) not in TORCH] == []


def test_what_starts_without_torch_imports_nothing_that_needs_it():
    light = [found for found in IMPORTS if part(found.source) not in WITH_TORCH]
    assert [where(found) for found in light if found.inside and part(found.target) in WITH_TORCH] == []


def test_the_checks_see_an_arrow_that_points_up():
    up = Import("stores.abc", "sync.journal", True, False, 1)
    across = Import("cache", "learning", True, False, 1)
    unplaced = Import("engine", "utils", True, False, 1)
    assert not any(map(points_down, (up, across, unplaced, up._replace(type_only=True))))
    assert points_down(Import("sync.journal", "stores.abc", True, False, 1))
    assert any(found == ("stores.abc", "operations", True, False, found.line) for found in IMPORTS)


# In an interpreter of its own

WATCH = """
import os, sys, threading
done = []
def watch(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        if set(mode or "") & set("wax+") or (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            done.append(f"opens {path} to write")
    elif event in {"os.mkdir", "os.rename", "os.remove", "os.truncate", "socket.connect", "socket.bind",
                   "subprocess.Popen", "os.fork", "_thread.start_new_thread", "sqlite3.connect", "mmap.__new__"}:
        done.append(f"{event}{arguments}")
sys.addaudithook(watch)
"""


def fresh(code):
    """What a new interpreter prints; it writes no bytecode, which would be a file."""
    run = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_importing_the_package_opens_nothing_and_starts_nothing():
    code = WATCH + "import aesg_graph\nimport aesg_graph.config\nprint(done, threading.active_count())"
    assert fresh(code) == "[] 1"


def test_importing_the_package_loads_neither_torch_nor_numba():
    assert fresh("import aesg_graph, sys\nprint([m for m in ('torch', 'numba', 'numpy') if m in sys.modules])") == "[]"


def test_everything_but_the_torch_face_loads_without_torch():
    light = [f"aesg_graph.{module}" for module in MODULES if module and part(module) not in WITH_TORCH]
    light = [name for name in light if not name.endswith("__main__")]
    code = f"import importlib, sys\nfor m in {light}: importlib.import_module(m)\nprint('torch' in sys.modules)"
    assert fresh(code) == "False"


def test_the_command_line_loads_neither_torch_nor_the_kernels():
    code = "import aesg_graph.cli, sys\nprint([m for m in ('torch', 'numba') if m in sys.modules])"
    assert fresh(code) == "[]"
