"""A log as a file: whole or seen to be cut, checked elsewhere, streamed, and nothing in it acts on whoever opens it."""

import csv
import io
import json
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from accounts.audit import export, hashing, queries, signing, verify_export
from accounts.audit.queries import Filters
from accounts.models import AuditEvent

NASTY = (
    '=HYPERLINK("http://evil.example")', "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "'=1", "＝1",
    "a\r\nb,c", "red\x1b[31m", "right\u202eleft", "\u2067x", "\x00", "line\u2028end", "back\\slash", '"quoted"', "é漢😀",
)  # fmt: skip


def text(response):
    return b"".join(response.streaming_content).decode()


def made(organization, by, kind, **filters):
    begun = export.begin(organization=organization, filters=Filters(**filters), kind=kind, by=by)
    return "".join(begun.lines())


@pytest.fixture
def nasty(organization, admin, record):
    """An event with each of the nasty names in each of its columns."""
    from accounts.audit import origin

    for name in NASTY:
        admin.name = organization.name = name
        with origin.of_request(address=name[:45], user_agent=name, request_id=name[:40]):
            record(details={"name": name, "changes": {name: [name, None]}})
    return organization


@pytest.mark.django_db
def test_lines_of_json_can_be_checked_elsewhere(nasty, admin, tmp_path):
    written = made(nasty, admin, "jsonl")

    path = tmp_path / "log.jsonl"
    path.write_text(written)
    for name in ("verify_export.py", "hashing.py"):
        shutil.copy(Path(export.__file__).with_name(name), tmp_path)
    checked = subprocess.run(
        [sys.executable, "-I", tmp_path / "verify_export.py", path],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("verify_audit_log", "--export", str(path), stdout=out)

    assert checked.stdout.startswith(f"{len(NASTY)} events, as exported."), checked.stderr
    assert (ended.value.code, out.getvalue()) == (0, checked.stdout)
    lines = [json.loads(line) for line in written.splitlines()]
    assert (lines[0]["events"], lines[-1]["events"], lines[-1]["end"]) == (len(NASTY), len(NASTY), True)
    assert lines[1]["hash"] == AuditEvent.objects.get(sequence=1).hash
    assert written.isascii()
    assert not any(sign in written for sign in ("\x1b", "\r", "\0"))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines[:-1], "The file is cut"),
        (lambda lines: lines[:-3], "The file is cut"),
        (lambda lines: [*lines[:3], lines[3][:40]], "is cut or no JSON"),
        (lambda lines: lines[:2] + lines[3:], "is event 3, but 2 follows"),
        (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], "is event 3, but 2 follows"),
        (lambda lines: [one.replace('"cluster": ""', '"cluster": "x"') for one in lines], "was edited"),
        (lambda lines: lines[:-2] + lines[-1:], "The last line says"),
        (lambda lines: [lines[0].replace("acme", "other"), *lines[1:]], "SHA-256 is another"),
        (lambda lines: [*lines[:2], "7\n", *lines[2:]], "is no object"),
        (lambda lines: [*lines[:2], "{}\n", *lines[2:]], "is no event"),
        (lambda lines: [], "The file is cut"),
    ],
)
def test_a_file_that_was_changed_or_cut_is_found(organization, admin, record, change, said):
    record(6)
    lines = made(organization, admin, "jsonl").splitlines(keepends=True)
    assert verify_export.check(lines).startswith("6 events")

    with pytest.raises(verify_export.Wrong, match=said):
        verify_export.check(change(lines))


@pytest.mark.django_db
def test_a_filtered_file_can_be_checked_too(organization, admin, record):
    for number in range(12):
        record(action="organization.renamed" if number % 3 else "organization.closed")

    lines = made(organization, admin, "jsonl", actions=("organization.renamed",)).splitlines(keepends=True)

    assert verify_export.check(lines).startswith("8 events")
    with pytest.raises(verify_export.Wrong, match="says 8 events, but there are 7"):
        verify_export.check(lines[:3] + lines[4:])


@pytest.mark.django_db
def test_a_cell_acts_on_nobody(nasty, admin):
    written = made(nasty, admin, "csv")

    rows = list(csv.reader(io.StringIO(written, newline="")))
    heading, body, end = rows[0], rows[1:-1], rows[-1]
    assert len(body) == len(NASTY)
    assert end[0] == f"#events={len(NASTY)}"
    assert end[2] == f"#hash={AuditEvent.objects.get(sequence=len(NASTY)).hash}"
    for row in body:
        for name, one in zip(heading, row, strict=True):
            assert not one.startswith(("=", "+", "-", "@", "\t", "\r", "＝")), name
            assert not set(one) & set("\r\n\x1b\u202e\u2067\0\u2028"), name
    assert body[5][heading.index("actor_name")] == "\\u000d=1"
    assert json.loads(body[11][heading.index("details")])["name"] == NASTY[11]


@given(st.text(st.characters(), max_size=30))
def test_whatever_a_cell_holds_is_one_line_of_plain_signs(value):
    one = export.cell(value)

    assert "\n" not in one
    assert one.isprintable() or any(sign.isspace() for sign in one)
    assert not one.lstrip(" ").startswith(("=", "+", "-", "@", "\t"))


@pytest.mark.django_db
def test_the_download_is_the_filter_of_the_page_and_leaves_an_event(sign_in, organization, auditor, record):
    record(3)
    record(2, action="organization.renamed")

    response = sign_in(auditor).get("/o/acme/audit/export/?action=organization.renamed&format=jsonl")

    lines = [json.loads(line) for line in text(response).splitlines()]
    assert response.headers["Content-Type"].startswith("application/jsonl")
    assert response.headers["Content-Disposition"].startswith('attachment; filename="acme-audit-')
    assert [line["sequence"] for line in lines[1:-1]] == [4, 5]
    event = AuditEvent.objects.get(action="audit.exported")
    assert event.details == {
        "format": "jsonl", "filter": {"actions": ["organization.renamed"]}, "events": 2, "through": 5,
    }  # fmt: skip
    assert (event.actor_id, event.origin) == (str(auditor.pk), "console")


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["format=xml", "start=someday"])
def test_what_cannot_be_exported_is_said(sign_in, auditor, query):
    assert sign_in(auditor).get(f"/o/acme/audit/export/?{query}").status_code == 422
    assert not AuditEvent.objects.filter(action="audit.exported").exists()


@pytest.mark.django_db
def test_digests_are_taken_away_with_their_keys(sign_in, organization, auditor, record):
    record(2)

    response = sign_in(auditor).get("/o/acme/audit/digests/")

    lines = [json.loads(line) for line in text(response).splitlines()]
    assert lines[0]["public_key"] == signing.public_key()
    assert lines[-1]["through"] == 3
    assert AuditEvent.objects.filter(action="audit.exported", details__format="digests").count() == 1


@pytest.mark.django_db
def test_a_large_log_is_never_in_memory_at_once(organization, admin, record, monkeypatch):
    record(600, details={"text": "x" * 1_500})
    monkeypatch.setattr(export, "BATCH", 50)

    def peak(rows):
        begun = export.begin(organization=organization, filters=Filters(until=rows), kind="jsonl", by=admin)
        tracemalloc.start()
        for _ in begun.lines():
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(None)
    hundred = AuditEvent.objects.get(sequence=101).at

    assert peak(None) < 1.5 * peak(hundred)


def test_the_columns_of_a_file_are_those_of_the_table():
    columns = {field.column for field in AuditEvent._meta.concrete_fields}

    assert set(hashing.COLUMNS) | {"scheme", "hash"} == columns
    assert set(export.COLUMNS) == columns - {"id", "organization_id", "scheme"}
    assert queries.SIZE == 50
