"""What a client file asks for beyond scores is held to the client's data before anything runs."""

from __future__ import annotations

from kpi_research.errors import InputError, Problem
from kpi_research.run.change_studies import changes_asked, claims_asked
from kpi_research.run.client import Client
from kpi_research.run.event_file import read_events
from kpi_research.run.pay_file import bases_of


def check_asked(client: Client) -> None:
    """Changes, claims, bonus bases and events, all at once.

    Raises
    ------
    InputError
        Everything that is wrong with them.
    """
    problems: list[Problem] = []
    for ask in (changes_asked, claims_asked, bases_of, read_events):
        try:
            ask(client)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
