"""A notebook's parameters are checked against its parameters cell before anything runs."""

import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

from kpi_research.run.parameters import check_parameters

NOTEBOOKS = Path(__file__).parent / "notebooks"


def problems(parameters, notebook="echo"):
    return [problem.text("en") for problem in check_parameters(NOTEBOOKS / f"{notebook}.ipynb", parameters)]


def test_good_parameters_have_no_problem():
    assert problems({"text": "x", "share": 1, "nothing": [1], "count": None}) == []


def test_an_unknown_name_suggests_the_nearest():
    (told,) = problems({"cuont": 1})
    assert "echo.ipynb: cuont" in told
    assert "Did you mean count?" in told


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [("count", "3", "int"), ("count", 0.5, "int"), ("count", True, "int"), ("flag", 1, "bool"), ("text", 1, "str"),
     ("many", {"a": 1}, "list"), ("nested", [1], "dict"), ("share", "0.5", "float")],
)  # fmt: skip
def test_a_value_of_another_type_is_named(name, value, expected):
    (told,) = problems({name: value})
    assert f"{expected} is expected" in told


@pytest.mark.parametrize("value", [(1,), {1}, np.int64(5), np.float64(0.5), b"x", [1, (2,)], {"a": {3: 4}}])
def test_a_value_that_would_arrive_changed_is_refused(value):
    (told,) = problems({"nothing": value})
    assert "cannot be passed to a notebook" in told


def test_two_assignments_on_a_line_are_named(tmp_path):
    cell = nbformat.v4.new_code_cell("a = 1\nb = 1; c = 2", metadata={"tags": ["parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "n.ipynb")
    (problem,) = check_parameters(tmp_path / "n.ipynb", {"a": 2, "c": 3})
    assert problem.where == "n.ipynb: parameters, line 2"


def test_checking_parameters_imports_nothing_heavy():
    code = (
        "import sys; from pathlib import Path; from kpi_research.run.batch import check_parameters, run_jobs; "
        f"check_parameters(Path({str(NOTEBOOKS / 'echo.ipynb')!r}), {{}}); "
        "print([n for n in ('papermill', 'nbformat', 'IPython', 'pandas', 'matplotlib') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
