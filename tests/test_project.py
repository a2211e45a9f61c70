"""The project's ground files say what is true of the code: environment, lock, generated documents, README."""

import ast
import itertools
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from ruamel.yaml import YAML

import kpi_research as kr
from kpi_research import cli
from kpi_research.crm.contract import hold_to_contract
from kpi_research.run.settings import read_client_file
from kpi_research.sources.read import read_source
from kpi_research.sources.workspace import Workspace

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

import check  # noqa: E402
import generate  # noqa: E402

import run  # noqa: E402

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "data").glob("**/README.md")])
MACHINE_PATH = re.compile(r"(?:^|[^\w.<>~])/(?:home|root|work|Users|mnt|srv)/\w|[A-Z]:\\\\?Users", re.MULTILINE)
INDEX_ADDRESS = re.compile(r"https?://\S*(?:pypi|pythonhosted|simple|mirror)", re.IGNORECASE)


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a page in one language, indentation of list items taken off."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", code, flags=re.MULTILINE) for indent, code in found]


def code_blocks(language: str) -> list:
    return [
        pytest.param(code, id=f"{page.stem}-{n}") for page in PAGES for n, code in enumerate(blocks(page, language))
    ]


def files_in_the_repository() -> list[Path]:
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = (
        subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=False) if shutil.which("git") else None
    )
    if not found or found.returncode:
        pytest.skip("not a git checkout")
    return [path for name in found.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_environment_has_pythons_and_every_requirements_bounds():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    environment = YAML(typ="safe").load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *packages, pip, last = environment["dependencies"]
    bounds = {name: SpecifierSet(spec) for name, _, spec in (line.partition(" ") for line in packages)}
    wanted = {(one := Requirement(line)).name: one.specifier for line in project["dependencies"]}
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    assert (pip, last) == ("pip", {"pip": ["-e ."]})
    assert bounds.pop("python") == SpecifierSet(project["requires-python"])
    assert {generate.CONDA_NAMES.get(name, name): bound for name, bound in wanted.items()} == bounds


def test_generated_files_are_current():
    assert list(check.stale()) == []


def test_a_stale_file_is_found(monkeypatch):
    monkeypatch.setattr(generate, "generated", lambda: {ROOT / "environment.yml": "name: other\n"})
    assert list(check.stale()) == ["environment.yml is out of date: run docs/check.py --write"]


def test_the_dictionary_has_every_kpi_in_both_languages():
    text = generate.DICTIONARY.read_text(encoding="utf-8")
    for kpi in generate.catalogue().values():
        assert f"## {kpi.id} {kpi.label.zh} · {kpi.label.en}" in text
        assert kpi.meaning.zh in text and kpi.meaning.en in text and kpi.why in text


def test_the_lock_satisfies_pyproject_and_holds_no_address():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert list(check.lock_problems(lock)) == []
    assert lock.count("==") >= len(check.required())
    assert "://" not in lock


@pytest.mark.parametrize(
    "pattern, instead, problem",
    [
        (r"^papermill==\S+", "papermill==1.0", "pins papermill 1.0"),
        (r"^papermill==", "papermillx==", "lacks papermill"),
        (r"(^nh3==\S+)( \\\n    --hash=\S+)+", r"\1", "nh3 has no hash"),
        (r"\A", "--index-url elsewhere\n", "holds an address"),
    ],
)
def test_a_wrong_lock_is_found(pattern: str, instead: str, problem: str):
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    wrong = re.sub(pattern, instead, lock, count=1, flags=re.MULTILINE)
    assert wrong != lock
    if problem == "holds an address":
        assert problem in next(iter(check.lock_problems(wrong)))
    else:
        assert any(problem in found for found in check.lock_problems(wrong))


@pytest.mark.parametrize("code", code_blocks("python"))
def test_python_in_the_documents_compiles_and_names_what_there_is(code: str):
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "kr":
            assert node.attr in kr.__all__


@pytest.mark.slow
def test_python_in_the_readme_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    names: dict = {}
    for code in blocks(ROOT / "README.md", "python"):
        exec(compile(code, "README.md", "exec"), names)
    assert set(names["own"].verdicts["kpi"]) == {"visits", "demos"}
    assert names["score"].totals["score"].notna().sum() == 6


ASSIGNMENT = re.compile(r"[A-Z_]+=")


def is_known(program: str, words: list[str]) -> bool:
    """Whether a command line of the documents would be taken by what it calls; the product's own parser may exit."""
    if program.endswith("kpi-research"):
        return bool(cli.parser("en").parse_args(words).run)
    script, *rest = words
    if not (ROOT / script).is_file() or program not in ("python", "python3", "papermill"):
        return False
    if script != "run.py":
        return True
    if rest[0] in run.DEVELOPMENT:
        return all((ROOT / word).is_file() for word in rest[1:] if word.endswith(".py"))
    return bool(cli.parser("en").parse_args(rest).run)


@pytest.mark.parametrize("code", code_blocks("bash"))
def test_commands_in_the_documents_exist(code: str):
    if bash := shutil.which("bash"):
        assert subprocess.run([bash, "-n"], input=code, text=True, check=False).returncode == 0
    for line in code.splitlines():
        # a variable may be set for one command: ACME_CRM=... python3 run.py ...
        program, *words = itertools.dropwhile(ASSIGNMENT.match, shlex.split(line, comments=True))
        assert is_known(program, words), line


@pytest.mark.parametrize("alias", ["demo", "test", "check", "lab"])
def test_every_alias_is_a_command(alias: str):
    targets = re.findall(r"^([a-z ]+):$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert alias in " ".join(targets).split()
    assert alias in run.DEVELOPMENT or cli.parser("en").parse_args([alias]).run


def test_the_client_file_in_the_readme_reads_the_files_beside_it(tmp_path: Path):
    """The five tables come out whole, and nothing is turned away."""
    text, _ = blocks(ROOT / "README.md", "yaml")
    client = tmp_path / "acme.yaml"
    client.write_text(text.replace("../data/raw/acme", "."), encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, header, row in re.findall(r"^(\w+\.csv) +(\S+)\n +(\S+)$", readme, re.MULTILINE):
        (tmp_path / name).write_text(f"{header}\n{row}\n", encoding="utf-8")
    with Workspace(tmp_path / "work") as workspace:
        found = hold_to_contract(read_source(read_client_file(client).source, tmp_path, workspace))
        assert {name: len(found.frame(name)) for name in found.tables} == dict.fromkeys(
            ["people", "teams", "assignments", "activities", "contracts"], 1
        )
        assert found.rejected.empty and found.counted.empty
        assert found.frame("activities")["kind"].tolist() == ["visit"]


def test_the_shortest_client_file_is_valid(tmp_path: Path):
    (text,) = blocks(ROOT / "docs" / "client-file.md", "yaml")
    path = tmp_path / "acme.yaml"
    path.write_text(text, encoding="utf-8")
    assert read_client_file(path).client == "acme"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_within_the_repository_lead_somewhere(page: Path):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]*)[^)]*\)", text):
        assert not target or target.startswith("http") or (page.parent / target).exists(), target
    for anchor in re.findall(r"\]\(#([^)]+)\)", text):
        assert f'<a id="{anchor}">' in text, anchor


def test_files_tell_nothing_of_the_machine_they_were_written_on():
    found = {}
    for path in files_in_the_repository():
        text = path.read_bytes().decode("utf-8", errors="ignore")
        if hits := [pattern.search(text) for pattern in (MACHINE_PATH, INDEX_ADDRESS) if pattern.search(text)]:
            found[path.relative_to(ROOT).as_posix()] = hits[0][0]
    assert found == {}


def test_what_must_be_there_is_there():
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")
    kept = {path.relative_to(ROOT).as_posix() for path in files_in_the_repository()}
    assert {"data/raw/README.md", "data/interim/README.md", "reports/README.md", ".ci/run"} <= kept
    assert not [
        name for name in kept if name.startswith(("data/raw/", "data/interim/", "reports/")) and "README" not in name
    ]


def test_every_demand_of_the_articles_is_in_the_table_with_a_test_that_is_there():
    text = (ROOT / "docs" / "requirements.md").read_text(encoding="utf-8")
    counts = {"GD": 11, "W": 13, "A": 7, "I": 10, "N": 10}
    wanted = {f"{group}{number:02d}" for group, count in counts.items() for number in range(1, count + 1)}
    assert wanted <= set(re.findall(r"\b(?:GD|W|A|I|N)\d\d\b", text))
    assert not [name for name in re.findall(r"test_\w+\.py", text) if not (ROOT / "tests" / name).is_file()]
