"""`python3 run.py check`: style, types, generated files and the lock; with `--write` it writes the generated files.

Tests are not run here: `python3 run.py test`.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import generate
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCK = generate.ROOT / "requirements.lock"
ADDRESS = re.compile(r"https?://|--(extra-)?index-url|--find-links|@ file:")
SOURCES = ["kpi_research", "tests", "docs", "benchmarks", "notebooks", "run.py"]
"""Named one by one: without git nothing says that the notebooks in `reports/` are not ours to format."""
TOOLS = (["ruff", "check", *SOURCES], ["ruff", "format", "--check", *SOURCES], ["mypy"])


def main() -> int:
    """Run every check and say what failed; 1 if anything did."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--write", action="store_true", help="write the generated files and do nothing else")
    if arguments.parse_args().write:
        for path, text in generate.generated().items():
            path.write_text(text, encoding="utf-8")
        return 0
    failed = [" ".join(tool) for tool in TOOLS if run(tool)]
    problems = [*(f"{name} failed" for name in failed), *stale(), *lock_problems(LOCK.read_text(encoding="utf-8"))]
    print("\n".join(problems) or "All checks passed.")  # noqa: T201
    return int(bool(problems))


def run(tool: list[str]) -> int:
    """Exit status of a tool of this environment."""
    return subprocess.call([sys.executable, "-m", *tool], cwd=generate.ROOT)  # noqa: S603 - the tools named above


def stale() -> Iterator[str]:
    """Generated files that are not what the code says."""
    for path, text in generate.generated().items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            yield f"{_shown(path)} is out of date: run docs/check.py --write"


def lock_problems(lock: str) -> Iterator[str]:
    """Where the lock holds an address or a pin without hash, or does not satisfy `pyproject.toml`."""
    if found := ADDRESS.search(lock):
        yield f"{LOCK.name} holds an address: {found[0]}"
    pins, bare = locked(lock)
    yield from (f"{LOCK.name}: {name} has no hash" for name in bare)
    for wanted in required():
        versions = pins.get(canonicalize_name(wanted.name), [])
        if not versions:
            yield f"{LOCK.name} lacks {wanted.name}"
        yield from (
            f"{LOCK.name} pins {wanted.name} {version}, pyproject.toml wants {wanted.specifier}"
            for version in versions
            if not wanted.specifier.contains(version, prereleases=True)
        )


def locked(lock: str) -> tuple[dict[str, list[str]], list[str]]:
    """Pinned versions by package (several where they depend on the Python), and the pins without a hash."""
    pins: dict[str, list[str]] = {}
    bare = []
    for block in re.split(r"\n(?=[A-Za-z0-9])", lock.strip()):
        line = re.split(r"\\\n| --hash", re.sub(r"^#.*\n", "", block, flags=re.MULTILINE))[0]
        requirement = Requirement(line.strip())
        pins.setdefault(canonicalize_name(requirement.name), []).append(str(requirement.specifier).removeprefix("=="))
        if "--hash=sha256:" not in block:
            bare.append(requirement.name)
    return pins, bare


def required() -> list[Requirement]:
    """What `pyproject.toml` wants installed: the runtime, the lab extra and the development group."""
    project = generate.pyproject()
    lines = [*project["dependencies"], *project["optional-dependencies"]["lab"], *generate.development()]
    return [Requirement(line) for line in lines]


def _shown(path: Path) -> str:
    return path.relative_to(generate.ROOT).as_posix()


if __name__ == "__main__":
    sys.exit(main())
