"""The floors hold: a file imports its own folder and lower floors, nothing else; notebooks stay thin."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "kpi_research"
FLOORS = {
    "language": 0, "policy": 0, "errors": 0.1, "proportion": 0.1, "periods": 0.2, "crm": 1, "sources": 2, "kpis": 3, "panel": 4,
    "evidence": 5, "appraisal": 5, "integrity": 5, "customers": 5, "funnel": 5, "report": 6, "run": 7, "commands": 7.5, "cli": 8, "__main__": 9, "__init__": 10,
}  # fmt: skip
HEAVY = ("statsmodels", "matplotlib", "papermill", "nbconvert", "nbformat", "nbclient", "IPython", "ipykernel")
FILES = sorted(path for path in PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    """The top-level file or folder of the package that a file belongs to."""
    part = path.relative_to(PACKAGE).parts[0]
    return part.removesuffix(".py")


def imported(path: Path, source: str) -> list[str]:
    """Dotted names inside the package that a source imports, relative ones resolved."""
    package = ["kpi_research", *path.relative_to(PACKAGE).parts[:-1]]
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names += [f"{module}.{alias.name}" for alias in node.names]
    return [name for name in names if name.split(".")[0] == "kpi_research"]


def broken_floors(path: Path, source: str) -> list[str]:
    own = room(path)
    rooms = {name: name.split(".")[1] for name in imported(path, source) if "." in name}
    known = {name: target for name, target in rooms.items() if target in FLOORS}
    return [name for name, target in known.items() if target != own and FLOORS[target] >= FLOORS[own]]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_only_lower_floors(path):
    assert room(path) in FLOORS, "a new room needs its floor"
    assert broken_floors(path, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "from kpi_research.run.client import Client",
        "from kpi_research.run import client",
        "from kpi_research import run",
        "import kpi_research.run.client",
        "from ..run import client",
        "from ..evidence.study import study",
        "def late():\n    from kpi_research.report import page",
    ],
)
def test_the_floor_test_itself_sees_every_kind_of_import(source):
    assert broken_floors(PACKAGE / "appraisal" / "score.py", source)


def test_no_utils_and_no_large_files():
    assert not [path for path in FILES if path.stem in ("utils", "helpers", "common", "misc")]
    assert {path.name: n for path in FILES if (n := len(path.read_text(encoding="utf-8").splitlines())) > 310} == {}


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_are_thin_and_carry_nothing(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        assert not cell.get("outputs") and cell.get("execution_count") is None
        assert not any(
            isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda) for node in ast.walk(ast.parse(source))
        )
    assert "parameters" in notebook["cells"][0]["metadata"]["tags"]


@pytest.mark.parametrize("arguments", [["--help"], ["list", "kpis", "--json"], ["check", "CLIENT"]])
def test_light_commands_import_nothing_heavy(arguments, small_client):
    arguments = [str(small_client) if word == "CLIENT" else word for word in arguments]
    script = (
        "import sys\nfrom kpi_research.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("LOADED []"), done.stdout[-300:]


def file_of(name: str) -> Path | None:
    """The file of the package that a dotted name is, or is in."""
    parts = name.split(".")[1:]
    for length in range(len(parts), 0, -1):
        place = PACKAGE.joinpath(*parts[:length])
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.is_file():
                return path
    return None


def test_what_makes_stored_data_is_in_their_fingerprint():
    """What `run/store.py` reaches by imports, but for the client file's model, whose values are in the key themselves."""
    from kpi_research.run.code import DATA_CODE

    apart = {"run/settings.py", "run/code.py", "appraisal/scheme.py", "language.py"}
    reached, waiting = set(), {PACKAGE / "run" / "store.py"}
    while waiting:
        path = waiting.pop()
        reached.add(path)
        if path.relative_to(PACKAGE).as_posix() not in apart:
            found = {file_of(name) for name in imported(path, path.read_text(encoding="utf-8"))}
            waiting |= {each for each in found if each is not None} - reached
    names = {
        path.relative_to(PACKAGE).as_posix() for path in reached if path.read_text(encoding="utf-8").count("\n") > 1
    }
    covered = {name for name in names if name.split("/")[0] in DATA_CODE or name in DATA_CODE}
    assert names - covered <= apart
