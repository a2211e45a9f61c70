#!/usr/bin/env python3
"""Set everything up, then do one thing: `python3 run.py demo | test | check | lab | <kpi-research command>`.

Needs only the standard library of Python 3.11 to 3.13. The first call makes `.venv` from `requirements.lock`
(versions pinned with hashes); later calls start at once. uv is used where it is found or can be installed, pip where
not.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
LOCK = ROOT / "requirements.lock"
STAMP = VENV / ".installed"
SUPPORTED = ((3, 11), (3, 14))


def main(arguments: list[str]) -> int:
    command, *rest = arguments or ["--help"]
    if command in ("-h", "--help"):
        print(__doc__)
        return 0
    set_up()
    development = command in DEVELOPMENT and not names_a_client(command, rest)
    words = DEVELOPMENT[command] if development else ["-m", "kpi_research", command]
    return subprocess.call([str(PYTHON), *words, *rest], cwd=ROOT if development else None)


def names_a_client(command: str, rest: list[str]) -> bool:
    """`check params/acme.yaml` is the product's command; `check` alone looks after this repository."""
    return command == "check" and bool(rest) and not rest[0].startswith("-")


DEVELOPMENT = {
    "test": ["-m", "pytest", "-n", "2"],
    "check": [str(ROOT / "docs" / "check.py")],
    "lab": ["-m", "jupyterlab", "--notebook-dir", str(ROOT)],
}


def set_up() -> None:
    """Make or renew `.venv`; do nothing when the lock file and pyproject are those it was made from."""
    if not SUPPORTED[0] <= sys.version_info[:2] < SUPPORTED[1]:
        sys.exit(f"Python 3.11, 3.12 or 3.13 is needed; this is {sys.version.split()[0]}. / 需要 Python 3.11-3.13。")
    if not LOCK.is_file():
        sys.exit(f"{LOCK.name} is missing beside run.py: clone the repository again. / 缺少 {LOCK.name}。")
    wanted = fingerprint()
    if STAMP.is_file() and PYTHON.is_file() and STAMP.read_text() == wanted:
        return
    print("Setting up .venv (once; needs the package index) / 正在准备环境(仅首次)…", file=sys.stderr, flush=True)
    uv = shutil.which("uv")
    make_venv(with_pip=uv is None)
    try:
        install(uv or uv_in_venv())
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"Setting up failed (exit {error.returncode}): {' '.join(map(str, error.cmd))}\n"
            "Is the package index reachable? Set PIP_INDEX_URL (pip) or UV_DEFAULT_INDEX (uv) to your mirror, "
            "then run the same command again.\n安装失败:请检查网络,或设置镜像后重试。"
        )
    STAMP.write_text(wanted)


def fingerprint() -> str:
    parts = [LOCK.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), str(ROOT).encode(), sys.version.encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def make_venv(with_pip: bool) -> None:
    if with_pip and importlib.util.find_spec("ensurepip") is None:
        sys.exit("Python's venv module is incomplete: run 'apt install python3-venv' or install uv, then try again.")
    STAMP.unlink(missing_ok=True)
    venv.create(VENV, clear=True, with_pip=with_pip, symlinks=os.name != "nt")


def uv_in_venv() -> str | None:
    if os.environ.get("KPI_NO_UV") == "1":
        return None
    quiet = subprocess.run([str(PYTHON), "-m", "pip", "install", "-q", "uv"], check=False, capture_output=True)
    return str(BIN / "uv") if quiet.returncode == 0 else None


def install(uv: str | None) -> None:
    pip = [uv, "pip", "install", "-q", "--python", str(PYTHON)] if uv else [str(PYTHON), "-m", "pip", "install", "-q"]
    subprocess.run([*pip, "--require-hashes", "-r", str(LOCK)], check=True, cwd=ROOT)
    subprocess.run([*pip, "--no-deps", "-e", str(ROOT)], check=True, cwd=ROOT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
