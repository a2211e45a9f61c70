"""The stages of a client's funnel: from the client file, or from the order in which records pass through them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import ibis
import ibis.expr.types as ir
import pandas as pd

from kpi_research.sources.synonyms import outcome_of

Kind = Literal["lead", "qualified", "converted", "opened", "stage", "won", "collected"]
Part = Literal["leads", "deals"]
Order = Literal["settings", "observed", "none"]
MOSTLY = 0.9
"""From this share on, what is true of the decided deals in a stage is taken as its meaning."""
HARDLY = 0.05
ENOUGH = 20
"""Decided deals from which on a stage's meaning is read from them rather than from its name."""


@dataclass(frozen=True)
class Stage:
    """One stage.

    Parameters
    ----------
    name
        The client's own word; the kind where the client has none.
    kind
        `stage` is one of the CRM's own. `opened` stands for all of them where their history is not on file; `won` is
        entered on the day of closing; `collected` when the contract is paid in full; the other three are of leads.
    """

    name: str
    kind: Kind


@dataclass(frozen=True)
class StageModel:
    """The stages of leads and of deals, each in its order.

    Parameters
    ----------
    deals
        From the first stage to `won`, and to `collected` where contracts and payments are on file.
    leads
        `lead, qualified, converted`, or none where there are no leads.
    order
        Where the order of the CRM's stages comes from; `none` without a history of stages.
    unmeasured
        Stages of the client file of which nothing is on file.
    unlisted
        Stages of the CRM that the client file does not name: deals pass through them unseen.
    """

    deals: tuple[Stage, ...]
    leads: tuple[Stage, ...] = ()
    order: Order = "none"
    unmeasured: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()

    @property
    def open(self) -> tuple[Stage, ...]:
        """The stages in which a deal is not decided."""
        return tuple(stage for stage in self.deals if stage.kind in ("opened", "stage"))

    @property
    def has_collection(self) -> bool:
        """Whether it is known when contracts are paid."""
        return self.deals[-1].kind == "collected"

    def of(self, part: Part) -> tuple[Stage, ...]:
        """The stages of leads or of deals."""
        return self.deals if part == "deals" else self.leads

    @property
    def meta(self) -> dict[str, Any]:
        """The same for JSON."""
        return {
            "deals": [[stage.name, stage.kind] for stage in self.deals],
            "leads": [[stage.name, stage.kind] for stage in self.leads],
            "order": self.order,
            "unmeasured": list(self.unmeasured),
            "unlisted": list(self.unlisted),
        }

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any]) -> StageModel:
        """Back from JSON."""
        deals, leads = (tuple(Stage(name, kind) for name, kind in meta[part]) for part in ("deals", "leads"))
        return cls(deals, leads, meta["order"], tuple(meta["unmeasured"]), tuple(meta["unlisted"]))


def stage_model(tables: Mapping[str, ir.Table], listed: Sequence[str] = ()) -> StageModel:
    """The stage model of a client.

    Parameters
    ----------
    tables
        Canonical tables by name; `opportunities` must be there, `stage_changes`, `leads`, `contracts` and `payments`
        add to it.
    listed
        The client file's `stages`, in order. Without it, or where the CRM knows none of them, the order is the one in
        which deals pass through the stages.

    Notes
    -----
    Which stage means that a deal is won, and which that it is lost, is read from its name, or from what became of the
    deals in it. Names before the CRM's own stages are those of leads, names after the winning one that of collection.
    """
    meanings = _meanings(tables)
    known, won = [*meanings["stage"]], _winning(meanings)
    lost = {*meanings.loc[meanings["is_lost"], "stage"]}
    own = [name for name in dict.fromkeys(listed) if name in known and name not in lost]
    order: Order = "settings" if own else "observed" if known else "none"
    if order == "observed":
        own = [name for name in in_observed_order(tables) if name not in lost]
    middle = [name for name in own if name not in won]
    before, after = _around(listed, middle, won=won)
    winner = next((name for name in (*own, *listed) if name in won or outcome_of(name) == "won"), "won")
    deals = [*([Stage(name, "stage") for name in middle] or [Stage("opened", "opened")]), Stage(winner, "won")]
    if {"contracts", "payments"} <= tables.keys():
        deals.append(Stage(after or _free("collected", deals), "collected"))
    leads = _leads(before) if "leads" in tables else ()
    named = {stage.name for stage in (*deals, *leads)}
    unmeasured = tuple(name for name in dict.fromkeys(listed) if name not in named | won | lost)
    unlisted = tuple(name for name in known if name not in {*own, *lost, *won}) if order == "settings" else ()
    return StageModel(tuple(deals), leads, order, unmeasured, unlisted)


def in_observed_order(tables: Mapping[str, ir.Table]) -> list[str]:
    """The CRM's stages in the order in which deals first enter them: each before those that it mostly comes before."""
    changes = tables["stage_changes"]
    first = changes.group_by(["opportunity_id", "stage"]).aggregate(at=changes.entered_at.min())
    other = first.view()
    pairs = first.join(other, first.opportunity_id == other.opportunity_id).select(
        a=first.stage, b=other.stage, earlier=(first.at < other.at).ifelse(1, 0)
    )
    counts = pairs.group_by(["a", "b"]).aggregate(earlier=pairs.earlier.sum()).execute()
    table = counts.pivot(index="a", columns="b", values="earlier").fillna(0).sort_index().sort_index(axis=1)
    ahead = (table.to_numpy() > table.to_numpy().T).sum(axis=1)
    return [str(table.index[i]) for i in sorted(range(len(table)), key=lambda i: (-ahead[i], str(table.index[i])))]


def _meanings(tables: Mapping[str, ir.Table]) -> pd.DataFrame:
    """`stage, n, won, lost, open, of_won, is_lost, some_lost` of every stage with a history; `of_won` is a share."""
    if "stage_changes" not in tables:
        return pd.DataFrame({"stage": [], "is_lost": pd.Series(dtype=bool)})
    changes, deals = tables["stage_changes"], tables["opportunities"]
    entered = (
        changes.select("opportunity_id", "stage")
        .distinct()
        .join(deals.select("opportunity_id", "outcome"), "opportunity_id")
    )
    kinds = {name: (entered.outcome == name).ifelse(1, 0).sum() for name in ("won", "open")}
    kinds["lost"] = entered.outcome.isin(["lost", "void"]).ifelse(1, 0).sum()
    found = entered.group_by("stage").aggregate(n=entered.count(), **kinds).execute().sort_values("stage")
    all_won, all_lost = (int(deals.filter(deals.outcome == kind).count().execute()) for kind in ("won", "lost"))
    by_name = found["stage"].map(outcome_of).isin(["lost", "void"])
    by_fate = (found["lost"] == found["n"]) & (found["n"] >= ENOUGH)
    return found.assign(
        of_won=found["won"] / max(all_won, 1),
        is_lost=by_name | by_fate,
        some_lost=all_won < MOSTLY * (all_won + all_lost),
    )


def _winning(meanings: pd.DataFrame) -> set[str]:
    """Stages that mean that a deal is won."""
    if meanings.empty:
        return set()
    decided = meanings["won"] + meanings["lost"]
    by_fate = (decided >= ENOUGH) & (meanings["won"] >= MOSTLY * decided) & (meanings["of_won"] >= MOSTLY)
    # where hardly any deal is lost, all stages are full of won ones and tell nothing
    by_fate &= (meanings["open"] <= HARDLY * meanings["n"]) & meanings["some_lost"]
    return {*meanings.loc[by_fate | (meanings["stage"].map(outcome_of) == "won"), "stage"]}


def _around(listed: Sequence[str], middle: Sequence[str], *, won: set[str]) -> tuple[list[str], str]:
    """Of the client file's names those before the CRM's stages, and that of collection."""
    names = [*dict.fromkeys(listed)]
    wins = [i for i, name in enumerate(names) if name in won or outcome_of(name) == "won"]
    after = names[wins[0] + 1 :] if wins else []
    first = next((i for i, name in enumerate(names) if name in middle), 0)
    return names[:first], after[-1] if after else ""


def _leads(names: Sequence[str]) -> tuple[Stage, ...]:
    kinds: tuple[Kind, ...] = ("lead", "qualified", "converted")
    given = [*names[: len(kinds)]]
    return tuple(Stage(given[i] if i < len(given) else kind, kind) for i, kind in enumerate(kinds))


def _free(name: str, stages: Sequence[Stage]) -> str:
    taken = {stage.name for stage in stages}
    return next(each for each in _variants(name) if each not in taken)


def _variants(name: str) -> Iterator[str]:
    yield name
    for number in range(2, 100):
        yield f"{name}_{number}"


def place_of(stage: ir.StringValue, stages: Sequence[Stage]) -> ir.IntegerValue:
    """A stage's place in the order, null where it is none of them."""
    return stage.cases(*[(each.name, place) for place, each in enumerate(stages)], else_=ibis.null("int64"))
