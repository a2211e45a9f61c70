"""Every dictionary that `list` knows is printed in both languages, and as JSON."""

import json

import pytest

from kpi_research.cli import LISTED, main


@pytest.mark.parametrize("what", LISTED)
def test_dictionaries_are_printed(what, capsys):
    printed = []
    for language in ("zh", "en"):
        assert main(["list", what, "--language", language]) == 0
        printed.append(capsys.readouterr().out)
    assert all(printed) and printed[0] != printed[1]
    assert main(["list", what, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) >= 1


def test_every_preset_says_how_sure_it_is(capsys):
    main(["list", "presets", "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) >= 16 and all(row["confidence"] in "DSIN" and row["tables"] for row in rows)
