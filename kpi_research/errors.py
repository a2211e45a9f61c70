"""What is wrong with an input, said so that its owner can mend it: all of it at once, in both languages.

A `Problem` names the place, what was given, what is allowed, the nearest valid name and what to do next. `InputError`
carries any number of them to the command line, which prints them and exits with status 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kpi_research.language import Language, say

ALLOWED_SHOWN = 12


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Parameters
    ----------
    key
        The sentence in `text/*.toml` that says what is wrong and what to do next.
    where
        File, line, row or key: where its owner finds it.
    values
        What the sentence's placeholders are filled with.
    given, allowed
        What stood there and what may stand there; the nearest allowed value is suggested.
    """

    key: str
    where: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    given: Any = None
    allowed: Sequence[str] = ()

    def text(self, language: Language) -> str:
        """The problem as one or two lines."""
        parts = [f"{self.where}: " if self.where else "", say(self.key, language, **self.values)]
        if self.allowed:
            shown = ", ".join(self.allowed[:ALLOWED_SHOWN]) + (" …" if len(self.allowed) > ALLOWED_SHOWN else "")
            parts.append(" " + say("error.allowed", language, allowed=shown))
            near = nearest(str(self.given), self.allowed)
            parts.append(" " + say("error.did_you_mean", language, name=near) if near else "")
        return "".join(parts)


class KpiResearchError(Exception):
    """Anything that this package says to its user instead of a traceback."""

    def text(self, language: Language) -> str:
        """The message in `language`."""
        raise NotImplementedError

    def __str__(self) -> str:
        return self.text("en")


class InputError(KpiResearchError, ValueError):
    """The input is wrong: every problem that was found, in the order of finding."""

    def __init__(self, problems: Iterable[Problem] | Problem) -> None:
        self.problems = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__(self.problems)

    def text(self, language: Language) -> str:
        """One line a problem."""
        return "\n".join(problem.text(language) for problem in self.problems)


class RunError(KpiResearchError, RuntimeError):
    """Something failed while running, though the input was well formed."""

    def __init__(self, key: str, **values: Any) -> None:
        self.key, self.values = key, values
        super().__init__(key, values)

    def text(self, language: Language) -> str:
        """The sentence with its values."""
        return say(self.key, language, **self.values)


def nearest(given: str, allowed: Iterable[str]) -> str | None:
    """The allowed name that `given` was probably meant to be, or None."""
    by_lower = {name.lower(): name for name in allowed}
    found = difflib.get_close_matches(given.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None
