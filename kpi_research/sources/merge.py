"""Several systems of one client as one: people matched across them, ids kept apart, customers matched by name.

Each system numbers its own records, so `12` may be two customers. Ids of a table that several systems give therefore
carry the system's name in all but the first, in the table and in every reference to it. People are matched by the
surest key that both lists hold; who matches nobody, or two, stays a person of their own and is counted.
"""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Sequence

import ibis
import ibis.expr.types as ir
import pandas as pd

from kpi_research.crm.raw import COUNTED, LEFT_OUT, RawTable, Step
from kpi_research.crm.tables import TABLES
from kpi_research.crm.typing import blank_to_null
from kpi_research.errors import InputError, Problem
from kpi_research.sources.mapping import PERSON_KEYS, MergedSource, PersonKey

Raw = dict[str, list[RawTable]]
UNMATCHED, AMBIGUOUS = "person_not_matched", "person_matches_several"


def merge(source: MergedSource, raws: dict[str, Raw]) -> Raw:
    """The tables of several systems as those of one client.

    Parameters
    ----------
    source
        Says whose list of people is the list, and by what keys others are matched to it.
    raws
        By the systems' names; all on one engine.

    Raises
    ------
    InputError
        If the system that should have the list of people has none.
    """
    if "people" not in raws[source.people]:
        raise InputError(Problem("merge.no_people", values={"source": source.people}))
    listed = _people(raws[source.people]["people"])
    shared = {table for table in TABLES if sum(table in raw for raw in raws.values()) > 1 and table != "people"}
    merged: Raw = {}
    for name, raw in raws.items():
        same = _same_accounts(name, raws)
        persons = None
        if name != source.people:
            persons = _matched(name, raw, listed, keys=source.match, holds=source.sources[name].persons)
            merged.setdefault("people", []).extend(_own_people(raw, persons))
        else:
            merged.setdefault("people", []).extend(raw["people"])
        first = {table for table in shared if next(one for one in raws if table in raws[one]) == name}
        for table, parts in raw.items():
            if table == "people":
                continue
            for part in parts:
                rows = _own_ids(part.rows, table, name=name, apart=(shared & set(raw)) - first)
                rows = _accounts_as_known(rows, table, same)
                rows = _persons_renamed(rows, table, persons) if persons is not None else rows
                merged.setdefault(table, []).append(dataclasses.replace(part, rows=rows))
    return merged


def _people(parts: Sequence[RawTable]) -> pd.DataFrame:
    """`person_id` and what people can be matched by, as comparable texts."""
    frames = []
    for part in parts:
        rows = part.rows.filter(part.rows[LEFT_OUT].isnull()) if LEFT_OUT in part.rows.columns else part.rows
        known = [name for name in ("person_id", *PERSON_KEYS) if name in rows.columns]
        frames.append(rows.select(**{name: blank_to_null(rows[name]) for name in known}).to_pandas())
    people = pd.concat(frames, ignore_index=True).reindex(columns=["person_id", *PERSON_KEYS])
    return people.dropna(subset=["person_id"]).drop_duplicates("person_id")


def _matched(
    name: str, raw: Raw, listed: pd.DataFrame, *, keys: Sequence[PersonKey], holds: PersonKey | None
) -> pd.DataFrame:
    """`own, person_id, by`: each person of a system, whom it is in the list, and by what that was seen."""
    own = _people(raw["people"]) if "people" in raw else _referred(raw)
    if "people" not in raw:
        own = own.assign(**dict.fromkeys([holds] if holds else keys, own["person_id"]))
    rows = []
    for person in own.to_dict("records"):
        tried = ["person_id", *keys] if holds is None and "people" not in raw else [*keys]
        found = [(key, _holders(listed, key, person[key])) for key in tried if pd.notna(person[key])]
        one = next(((key, ids[0]) for key, ids in found if len(ids) == 1), None)
        several = any(len(ids) > 1 for _, ids in found)
        by, who = one if one else (AMBIGUOUS if several else UNMATCHED, f"{name}:{person['person_id']}")
        rows.append((person["person_id"], who, by, person["name"]))
    return pd.DataFrame(rows, columns=["own", "person_id", "by", "name"])


def _holders(listed: pd.DataFrame, key: str, value: str) -> list[str]:
    """Ids of those whose key is this value."""
    return list(listed.loc[listed[key].map(_comparable) == _comparable(value), "person_id"])


def _comparable(value: object) -> str | None:
    """A name, address or number without what does not tell people or companies apart: width, case, space."""
    return None if pd.isna(value) else "".join(unicodedata.normalize("NFKC", str(value)).casefold().split())


def _referred(raw: Raw) -> pd.DataFrame:
    """The people whom a system without a list of its own refers to."""
    texts = [
        blank_to_null(part.rows[column]).name("person_id").as_table().distinct()
        for table, parts in raw.items()
        for part in parts
        for column in _references(table, "people")
        if column in part.rows.columns
    ]
    frames = [text.to_pandas() for text in texts]
    ids = pd.concat(frames)["person_id"].dropna().drop_duplicates() if frames else pd.Series([], dtype=str)
    return pd.DataFrame({"person_id": sorted(ids)}).reindex(columns=["person_id", *PERSON_KEYS])


def _own_people(raw: Raw, persons: pd.DataFrame) -> list[RawTable]:
    """Who is on no other list, as people; how many were matched stands in the steps."""
    alone = persons[persons["by"].isin([UNMATCHED, AMBIGUOUS])]
    parts = raw.get("people") or [part for parts in raw.values() for part in parts][:1]
    step = Step("match", len(persons), len(persons) - len(alone), parts[0].file)
    named = alone["name"].astype("string").fillna(alone["own"])
    frame = pd.DataFrame({"person_id": alone["person_id"], "name": named, COUNTED: alone["by"]}, dtype="string")
    engine = parts[0].rows.get_backend()
    schema = ibis.schema(dict.fromkeys(frame.columns, "string"))
    rows = engine.create_table(ibis.util.gen_name("own_people"), frame, schema=schema)
    return [RawTable(rows, parts[0].file, steps=(step,))]


def _references(table: str, to: str) -> list[str]:
    return [name for name, column in TABLES[table].columns.items() if column.refers == to]


def _persons_renamed(rows: ir.Table, table: str, persons: pd.DataFrame) -> ir.Table:
    """References to a system's own people as references to the list."""
    pairs = dict(zip(persons["own"], persons["person_id"], strict=True))
    return _renamed(rows, [name for name in _references(table, "people") if name in rows.columns], pairs)


def _renamed(rows: ir.Table, columns: list[str], pairs: dict[str, str]) -> ir.Table:
    """Some ids by others; those that are not named stay."""
    if not pairs or not columns:
        return rows
    engine = rows.get_backend()
    frame = pd.DataFrame({"_own": list(pairs), "_known": list(pairs.values())}, dtype="string")
    schema = ibis.schema({"_own": "string", "_known": "string"})
    known = engine.create_table(ibis.util.gen_name("pairs"), frame, schema=schema)
    for name in columns:
        order = rows.columns
        text = rows.mutate(**{name: blank_to_null(rows[name])})
        joined = text.left_join(known, text[name] == known["_own"])
        rows = joined.mutate(**{name: ibis.coalesce(joined["_known"], joined[name])}).select(order)
    return rows


def _own_ids(rows: ir.Table, table: str, *, name: str, apart: set[str]) -> ir.Table:
    """Ids of shared tables, and references to them, with the system's name before them."""
    columns = [column for other in apart for column in _references(table, other)]
    columns += ["opportunity_id"] if "opportunities" in apart else []
    columns += [TABLES[table].key[0]] if table in apart else []
    changed = {
        column: ibis.literal(f"{name}:") + blank_to_null(rows[column])
        for column in dict.fromkeys(columns)
        if column in rows.columns and TABLES[table].columns[column].kind == "id"
    }
    return rows.mutate(**changed) if changed else rows


def _same_accounts(name: str, raws: dict[str, Raw]) -> dict[str, str]:
    """A system's customers, as `_own_ids` calls them, whom the first list of customers has under the same name.

    A name that two customers of one list share tells nothing.
    """
    first = next((one for one in raws if "accounts" in raws[one]), name)
    if name == first or "accounts" not in raws[name]:
        return {}
    known, own = (_accounts(raws[one]).dropna().drop_duplicates("name", keep=False) for one in (first, name))
    both = own.merge(known, on="name", suffixes=("", "_known"))
    return dict(zip(name + ":" + both["account_id"], both["account_id_known"], strict=True))


def _accounts(raw: Raw) -> pd.DataFrame:
    frames = []
    for part in raw["accounts"]:
        named = part.rows["name"] if "name" in part.rows.columns else ibis.null("string")
        rows = part.rows.select(account_id=blank_to_null(part.rows["account_id"]), name=blank_to_null(named))
        frames.append(rows.to_pandas())
    frame = pd.concat(frames, ignore_index=True)
    return frame.assign(name=frame["name"].map(_comparable))


def _accounts_as_known(rows: ir.Table, table: str, same: dict[str, str]) -> ir.Table:
    """References to customers as the first list calls them; there they stand only once."""
    columns = [name for name in _references(table, "accounts") if name in rows.columns]
    if table != "accounts":
        return _renamed(rows, columns, same)
    if not same:
        return rows
    before = rows[LEFT_OUT] if LEFT_OUT in rows.columns else ibis.null("string")
    known = rows.account_id.isin(list(same)).ifelse(ibis.literal("merged account_id"), ibis.null("string"))
    return rows.mutate(**{LEFT_OUT: ibis.coalesce(before, known)})
