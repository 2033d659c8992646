"""The table of failures says what was said last; the whole text is one command away."""

from __future__ import annotations

from support.consoles import Consoles, check_against_schema


def test_a_traceback_is_one_line_in_the_table_and_whole_elsewhere(eggs: Consoles) -> None:
    model = eggs.folder / "models" / "eggs.py"
    raising = "print('here', 'I', 'am'); print('last words'); raise ValueError('one\\ntwo')"
    model.write_text(
        model.read_text().replace("left, broken = state", f"{raising}; left, _ = state")
    )
    assert eggs.run("cb sampling sobol models.eggs:Eggs -n 2").code == 0
    assert eggs.run("mops run study.json --no-check").code == 1
    shown = eggs.run("mops results show --table failures")
    _header, *rows, hint = shown.out.splitlines()
    assert len(rows) == 2
    assert all("two" in row and "Traceback" not in row and "\\n" not in row for row in rows)
    full = eggs.run(hint.removeprefix("In full: "))
    assert full.code == 0
    assert full.out.count("Traceback (most recent call last)") == 2
    table = eggs.run("mops results show --table failures --json").json
    check_against_schema(table)
    column = table["table"]["columns"].index("traceback")
    assert table["table"]["rows"][0][column].startswith("Traceback")
