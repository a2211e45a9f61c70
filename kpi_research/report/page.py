"""A page: its data and its sections. A section that fails becomes a block that says so; none is dropped."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from kpi_research.errors import InputError, Problem
from kpi_research.language import say
from kpi_research.report.block import Block
from kpi_research.report.data import PageData
from kpi_research.report.format import format_day
from kpi_research.report.html import block_bundle
from kpi_research.report.words import period_title

HEAD_MIME = "application/vnd.kpi-research.head+json"
PACKAGE = Path(__file__).parents[1]
SECTIONS = Path(__file__).parent / "sections"


@dataclass(frozen=True)
class Section:
    """One part of a report.

    Parameters
    ----------
    name
        What a notebook's cell calls it.
    build
        From the page's data to one block or several.
    """

    name: str
    build: Callable[[PageData], Iterable[Block]]


@dataclass(frozen=True)
class Shown:
    """Blocks as a notebook's cell shows them."""

    blocks: tuple[Block, ...]
    page: PageData

    def _ipython_display_(self) -> None:
        from IPython.display import display

        for block in self.blocks:
            display(block_bundle(block, self.page.language, currency=self.page.currency), raw=True)


@dataclass(frozen=True)
class Page:
    """What a report notebook holds in its hand.

    Parameters
    ----------
    report
        Which report it is: names the title.
    """

    data: PageData
    report: str = "appraisal"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:  # noqa: ARG002
        """What the page says of itself; the run takes its head from here."""
        head = self.head()
        return {"text/plain": " · ".join(part for part in head.values() if part), HEAD_MIME: head}

    def head(self) -> dict[str, str]:
        """Title, subtitle, last day of the data, and for whom the page is."""
        page = self.data
        return {
            "title": say(f"report.title.{self.report}", page.language, name=page.entity_name),
            "subtitle": f"{page.client_title} · {period_title(page.period, page.language)}"
            if page.client_title != page.entity_name
            else period_title(page.period, page.language),
            "freshness": say("page.freshness", page.language, day=format_day(page.until, page.language)),
            "audience": page.audience,
        }

    def show(self, name: str) -> Shown:
        """The blocks of a section, made now.

        Raises
        ------
        InputError
            If there is no such section.
        """
        known = sections()
        if name not in known:
            raise InputError(Problem("report.unknown_section", values={"section": name}, given=name, allowed=[*known]))
        return Shown(build(known[name], self.data), self.data)


def build(section: Section, data: PageData) -> tuple[Block, ...]:
    """The section's blocks, or one that says what went wrong where."""
    try:
        return tuple(section.build(data))
    except Exception as error:  # any failure at all must show in the page rather than stop the other sections
        traceback.print_exc()
        return (_failed(section, data, error),)


@functools.cache
def sections() -> dict[str, Section]:
    """Every section by name.

    Raises
    ------
    ValueError
        If two share a name.
    """
    found: dict[str, Section] = {}
    for path in sorted(SECTIONS.glob("[!_]*.py")):
        section: Section = import_module(f"kpi_research.report.sections.{path.stem}").SECTION
        if section.name in found:
            raise ValueError(f"two sections are called {section.name}")
        found[section.name] = section
    return found


def _failed(section: Section, data: PageData, error: Exception) -> Block:
    frames = traceback.extract_tb(error.__traceback__)
    where = next((frame for frame in reversed(frames) if PACKAGE in Path(frame.filename).parents), frames[-1])
    facts: dict[str, Any] = {"error": type(error).__name__, "file": Path(where.filename).name, "line": where.lineno}
    text = say(
        "report.section_failed", data.language, section=section.name, error=type(error).__name__, **_place(facts)
    )
    return Block(section.name, say("report.failed_title", data.language), text=(text,), facts=facts, status="failed")


def _place(facts: dict[str, Any]) -> dict[str, Any]:
    return {"file": facts["file"], "line": facts["line"]}
