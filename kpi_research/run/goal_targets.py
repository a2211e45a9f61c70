"""`goals`: the client file's goals down to everybody, as targets that a client file can name as its source."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from kpi_research.appraisal.decompose import Split, target_rows
from kpi_research.errors import InputError, Problem
from kpi_research.language import Language, say
from kpi_research.panel import COMPANY
from kpi_research.periods import Grain, Period
from kpi_research.run.client import Client, open_client
from kpi_research.run.goals import split_goal, write_targets
from kpi_research.sources.workspace import Progress

PARTS: dict[Grain, Grain] = {"year": "quarter", "half_year": "quarter", "quarter": "month"}
"""What a goal's period is shown in on the terminal; everything else is in the file."""


def split_goals(path: Path, progress: Progress | None = None) -> tuple[Client, list[Split]]:
    """Every goal of a client file, split.

    Raises
    ------
    InputError
        If the client file has no goals, or anything in it is wrong.
    """
    client = open_client(path, progress)
    if not client.settings.goals:
        raise InputError(Problem("goals.none", path.name))
    return client, [split_goal(client, goal) for goal in client.settings.goals]


def targets_of(client: Client, splits: list[Split]) -> pd.DataFrame:
    """Rows of the table `targets`, each goal as a version of its own name from its first day on; approved by nobody."""
    starts = client.settings.fiscal_year_starts
    return pd.concat(
        [
            target_rows(
                split,
                version=split.goal.name,
                effective_from=Period.parse(split.goal.period, starts).start,
                reason=split.goal.label.model_dump()[_language(client)],
            )
            for split in splits
        ],
        ignore_index=True,
    )


def _language(client: Client) -> Language:
    return "en" if client.settings.language == "en" else "zh"


def print_split(client: Client, split: Split, language: Language, out: Path | None) -> None:
    """The goal by team and month for the terminal; people's weeks are in the file."""
    teams, goal = client.data.teams, split.goal
    names = {} if teams.empty else dict(zip(teams["team_id"], teams["name"], strict=True))
    whole = Period.parse(goal.period, client.settings.fiscal_year_starts)
    shown = [whole.grain, PARTS.get(whole.grain, whole.grain)]
    rows = split.rows[split.rows["scope"].isin(["company", "team"]) & split.rows["grain"].isin(shown)]
    wide = rows.pivot_table(index="scope_id", columns="period", values="base", sort=False)
    title = say("goals.terminal.title", language, name=goal.label.model_dump()[language], base=f"{goal.base:,.0f}")
    table = Table(title=title)
    table.add_column("")
    for period in wide.columns:
        table.add_column(str(period), justify="right", overflow="fold")
    for entity, values in wide.iterrows():
        label = say("goals.terminal.company", language) if entity == COMPANY else names.get(entity, str(entity))
        table.add_row(label, *("" if pd.isna(value) else f"{value:,.0f}" for value in values))
    console = Console()
    console.print(table)
    people = split.rows.loc[split.rows["scope"] == "person", "scope_id"].nunique()
    key = "goals.terminal.whole" if split.spread == "split" else "goals.terminal.same"
    console.print(say(key, language, people=people), highlight=False)
    if out:
        console.print(out.as_posix(), markup=False, highlight=False)


def write_goals(client: Client, splits: list[Split], out: Path) -> None:
    """The targets as CSV, in one step."""
    building = out.with_suffix(f"{out.suffix}.part")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_targets(targets_of(client, splits), building)
    building.replace(out)
