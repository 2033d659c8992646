"""A journal cut anywhere loses at most its last line, and goes on after it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from modelops.jobs.journal import FileJournal, read_lines

RECORDS = st.lists(
    st.dictionaries(st.text(max_size=5), st.one_of(st.text(max_size=8), st.integers()), max_size=3),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(RECORDS, st.data())
def test_a_cut_journal_keeps_its_whole_lines_and_continues(
    records: list[dict[str, object]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        journal = FileJournal(path)
        for record in records:
            journal.append(record)
        journal.close()
        whole = path.read_bytes()
        assert list(read_lines(path)) == records

        cut = data.draw(st.integers(0, len(whole)))
        path.write_bytes(whole[:cut])
        kept = whole[:cut].count(b"\n")
        assert list(read_lines(path)) == records[:kept]

        again = FileJournal(path)
        again.append({"after": 1})
        again.close()
        assert list(again.records()) == [*records[:kept], {"after": 1}]
