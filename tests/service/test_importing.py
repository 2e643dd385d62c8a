"""Lists as offices have them, taken in against a real database."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from service import barring, import_files, importing, importing_command, publishing
from service.auditing import COMMAND
from service.barring import File, ListForm
from service.database import Database
from service.domain.errors import FieldsError, StaleFormError
from service.domain.imports import Choice, Decision, Kind, Outcome, Verdict
from service.domain.obstacles import Treatment
from service.pages.catalogue import texts
from service.reading_facts import ListedMeeting
from service.settings import Settings
from tests import builders
from tests.builders import NOW

DEMO = Path(__file__).parents[2] / "service" / "demo"
PLENARY_DAY = "2027-06-09"
HEADER = "nr;partner;name;funktion;email;telefon;sprache;gruppen"


async def members(database: Database, *rows: str, choice: Choice | None = None) -> Outcome:
    content = "\n".join((HEADER, *rows))
    return await importing.apply(
        database, COMMAND, Kind.MEMBERS, content, NOW, choice=choice or Choice()
    )


async def klima(database: Database) -> builders.Row:
    return await builders.a_group(database, slug="klima", name="Klima")


async def person(database: Database, name: str) -> dict[str, Any]:
    row = await database.fetchrow("SELECT * FROM person WHERE full_name = $1", name)
    assert row is not None
    return dict(row)


def verdicts(outcome: Outcome) -> Mapping[str, int]:
    return {verdict.value: n for verdict, n in outcome.plan.counts.items() if n}


def errors(outcome: Outcome) -> list[str]:
    de = texts("de")
    return [de.t(n.text, **n.values) for line in outcome.plan.lines for n in line.errors]


def notes(outcome: Outcome) -> list[str]:
    return [note.text for line in outcome.plan.lines for note in line.notes]


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-8", b""), ("utf-8", b"\xef\xbb\xbf"), ("cp1252", b""), ("utf-16", b"")],
)
@pytest.mark.parametrize("separator", [";", ",", "\t"])
async def test_every_usual_encoding_and_separator_is_read(
    database: Database, encoding: str, mark: bytes, separator: str
) -> None:
    text = f"Name{separator}E-Mail\r\nJörg Weiß{separator}j@example.org\r\n"

    plan = await importing.plan(database, "members", mark + text.encode(encoding), NOW)

    assert [("Jörg Weiß", Verdict.NEW)] == [(line.label, line.verdict) for line in plan.lines]


def test_only_the_header_decides_about_the_separator() -> None:
    table = import_files.read_table("Name,E-Mail\na;b;c;d;e,x@example.org\n")

    assert ("a;b;c;d;e", "x@example.org") == table.rows[0].cells


def test_quoted_cells_may_hold_line_ends_and_rows_keep_their_numbers() -> None:
    table = import_files.read_table('Name;"E-\nMail"\n"Ada\nB.";a@x.de\n\nBo;b@x.de\n')

    assert [(2, "Ada B."), (4, "Bo")] == [(row.number, row.cells[0]) for row in table.rows]


def test_the_line_that_names_the_separator_is_no_header() -> None:
    table = import_files.read_table("sep=;\r\nName;E-Mail\r\nAda;a@x.de\r\n")

    assert ("Name", "E-Mail") == table.header


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        (
            "Nr|Institution|Vorname|Nachname|E-Mail-Adresse|AG",
            "ref partner first last email groups",
        ),
        ("Name|Vorname|Mail", "last first email"),
        ("Name, Vorname|E-Mail|E-Mail", "last_first email -"),
        ("No|Organization|Full name|Email|Phone|Language", "ref partner name email phone locale"),
        ("Farbe|Name|email", "- name email"),
    ],
)
def test_header_words_tell_what_a_column_is(header: str, columns: str) -> None:
    guessed = import_files.guess_columns("members", header.split("|"))

    assert columns.split() == [column or "-" for column in guessed]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "imp.err_empty"),
        (b"Name;Ort\nAda;Gotha\n", "imp.err_col"),
        (b"E-Mail\na@example.org\n", "imp.err_col_name"),
        (b"Name;E-Mail\n" + b"A;a@x.de\n" * 5001, "imp.err_rows"),
        (b";" * 200 + b"\nx", "imp.err_columns"),
        (b"Name;E-Mail\n" + b"x" * 1001 + b";a@x.de", "imp.err_long"),
        (b'Name;E-Mail\n"Ada;a@x.de\n', "imp.err_quote"),
        (b"x" * 2_000_001, "imp.err_size"),
        ("Name;E-Mail\nA;a@x.de".encode("utf-16-le"), "imp.err_encoding"),
        (b"\xff\xfeN", "imp.err_encoding"),
    ],
)
async def test_a_file_past_the_limits_is_refused_with_its_reason(
    database: Database, content: bytes, said: str
) -> None:
    with pytest.raises(FieldsError) as refused:
        await importing.plan(database, "members", content, NOW)

    assert said == refused.value.fields["source"][0]


async def test_a_dry_run_writes_nothing(database: Database) -> None:
    await importing.plan(database, "members", f"{HEADER}\n;Amt;Ada;;a@example.org;;;", NOW)

    assert (await database.fetchval("SELECT count(*) FROM person")) == 0
    assert (await database.fetchval("SELECT count(*) FROM organisation")) == 0


async def test_a_new_person_belongs_to_partner_and_groups_from_today(database: Database) -> None:
    await klima(database)

    await members(database, "M1;Amt Gotha;Ada Berg;Leitung;ada@example.org;123;en;Klima")

    found = await database.fetchrow(
        "SELECT p.external_ref, p.locale, p.phone, o.name, a.role_title, a.from_on, s.from_on "
        "AS joined_on FROM person p JOIN affiliation a ON a.person_id = p.id "
        "JOIN organisation o ON o.id = a.organisation_id JOIN membership s ON s.person_id = p.id"
    )
    today = date(2027, 1, 4)
    assert found is not None
    assert ("M1", "en", "123", "Amt Gotha", "Leitung", today, today) == tuple(found)


async def test_the_demos_lists_change_nothing_when_taken_in_again(database: Database) -> None:
    files = {"partners": "partners.csv", "meetings": "alliance.json", "members": "members.csv"}
    counts = []

    for _ in range(2):
        for kind, name in files.items():
            content = (DEMO / name).read_bytes()
            done = await importing.apply(database, COMMAND, kind, content, NOW)
            counts.append((done.added, done.changed, done.skipped))

    assert [(45, 0, 0), (21, 0, 0), (176, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0)] == counts


async def test_the_id_finds_a_person_whatever_else_changed(database: Database) -> None:
    await members(database, "M1;Amt;Ada Berg;;old@example.org;;;")

    outcome = await members(database, "M1;Amt;Ada Tal;;new@example.org;;;")

    changes = {change.name: (change.old, change.new) for change in outcome.plan.lines[0].changes}
    assert {
        "name": ("Ada Berg", "Ada Tal"),
        "email": ("old@example.org", "new@example.org"),
    } == changes
    assert (await database.fetchval("SELECT count(*) FROM person")) == 1


async def test_a_former_address_is_kept_and_still_finds_its_person(database: Database) -> None:
    await members(database, "M1;Amt;Ada Berg;;old@example.org;;;")
    await members(database, "M1;Amt;Ada Berg;;new@example.org;;;")

    outcome = await members(database, ";Amt;Ada Berg;;OLD@example.org;77;;")

    former = await database.fetch("SELECT email_normal FROM former_address")
    assert {"changed": 1} == verdicts(outcome)
    # The old address is the present one again, so the other one is the former now.
    assert ["new@example.org"] == [row["email_normal"] for row in former]


async def test_address_with_family_name_finds_a_person_with_another_first_name(
    database: Database,
) -> None:
    await members(database, ";Amt;Frau Berg;;berg@example.org;;;")

    outcome = await members(database, ";Amt;Dr. Ada Berg;;Berg@Example.org;;;")

    assert {"changed": 1} == verdicts(outcome)


async def test_the_same_name_at_the_same_partner_is_asked_about(database: Database) -> None:
    await members(database, ";Amt;Ada Berg;;one@example.org;;;")

    outcome = await members(database, ";Amt;Ada Berg;;two@example.org;;;")

    assert ({"uncertain": 1}, 1) == (verdicts(outcome), outcome.skipped)
    assert (await person(database, "Ada Berg"))["email"] == "one@example.org"


@pytest.mark.parametrize(
    ("decision", "addresses"),
    [
        (Decision.MATCH, ["two@example.org"]),
        (Decision.NEW, ["one@example.org", "two@example.org"]),
        (Decision.SKIP, ["one@example.org"]),
    ],
)
async def test_an_answer_decides_about_an_uncertain_row(
    database: Database, decision: Decision, addresses: list[str]
) -> None:
    await members(database, ";Amt;Ada Berg;;one@example.org;;;")

    choice = Choice(decisions={2: decision})
    await members(database, ";Amt;Ada Berg;;two@example.org;;;", choice=choice)

    rows = await database.fetch("SELECT email FROM person ORDER BY email")
    assert addresses == [row["email"] for row in rows]


async def test_another_id_is_another_person_even_at_the_same_address(database: Database) -> None:
    await members(database, "M1;Amt;Ada Berg;;info@example.org;;;")

    outcome = await members(database, "M2;Amt;Bo Berg;;info@example.org;;;")

    assert {"new": 1, "missing": 1} == verdicts(outcome)


async def test_an_address_beside_two_names_is_a_shared_mailbox(database: Database) -> None:
    rows = (";Amt;Ada Berg;;info@example.org;;;", ";Amt;Bo Tal;;info@example.org;;;")

    first = await members(database, *rows)
    second = await members(database, *rows)

    assert ({"new": 2}, 1) == (verdicts(first), notes(first).count("imp.note_shared"))
    assert {"same": 2} == verdicts(second)


async def test_a_second_person_of_one_family_does_not_become_the_first(database: Database) -> None:
    await members(database, ";Amt;Ada Berg;;berg@example.org;;;")

    outcome = await members(
        database, ";Amt;Bo Berg;;berg@example.org;;;", ";Amt;Ada Berg;;berg@example.org;;;"
    )

    assert {"new": 1, "same": 1} == verdicts(outcome)


async def test_errors_name_row_and_reason_and_leave_the_other_rows(database: Database) -> None:
    await klima(database)

    outcome = await members(
        database,
        ";Amt;Ada Berg;;ada@example.org;;;klima",
        ";Amt;Bo Tal;;erika@stadt;;;",
        ";Amt;;;leer@example.org;;;",
        ";Amt;Ada Berg;;ada@example.org;;;",
        ";Amt;Cy Au;;cy@example.org;;fr;",
        ";Amt;Di See;;di@example.org;;;klima,foo",
        ";Amt;Ed Feld;;ed@example.org;;;;;;zu viel",
    )

    assert errors(outcome) == [
        "Zeile 3: „erika@stadt“ ist keine vollständige E-Mail-Adresse",
        "Zeile 4: Der Name fehlt",
        "Zeile 5: Diese Adresse steht schon in Zeile 2",
        "Zeile 6: Die Sprache „fr“ kennen wir nicht. Möglich sind de und en.",
        "Zeile 7: Die Gruppe „foo“ gibt es nicht",
        "Zeile 8: Es gibt mehr Felder als Spalten. Vielleicht fehlt ein Anführungszeichen.",
    ]
    assert (1, 6) == (outcome.added, outcome.skipped)


async def test_a_member_without_address_is_kept_with_a_note(database: Database) -> None:
    outcome = await members(database, ";Amt;Ada Berg;;;;;")

    assert ["imp.note_new_partner", "imp.note_no_mail"] == notes(outcome)
    assert (await person(database, "Ada Berg"))["email"] is None


async def test_empty_cells_leave_what_is_there(database: Database) -> None:
    await klima(database)
    await members(database, "M1;Amt;Ada Berg;Leitung;ada@example.org;123;en;klima")

    outcome = await members(database, "M1;;Ada Berg;;;;;")

    assert {"same": 1} == verdicts(outcome)


async def test_another_partner_ends_the_old_belonging(database: Database) -> None:
    await members(database, "M1;Amt Gotha;Ada Berg;Leitung;ada@example.org;;;")
    await database.fetch("UPDATE affiliation SET from_on = '2026-01-01'")

    await members(database, "M1;Amt Jena;Ada Berg;;;;;")

    rows = await database.fetch(
        "SELECT o.name, a.role_title, a.from_on, a.to_on FROM affiliation a "
        "JOIN organisation o ON o.id = a.organisation_id ORDER BY a.from_on"
    )
    assert [
        ("Amt Gotha", "Leitung", date(2026, 1, 1), date(2027, 1, 3)),
        ("Amt Jena", "Leitung", date(2027, 1, 4), None),
    ] == [tuple(row) for row in rows]


async def test_groups_begin_and_end_by_the_list(database: Database) -> None:
    await klima(database)
    await builders.a_group(database, slug="wulis", name="Wohnen", short_name="WULIS")
    await members(database, "M1;Amt;Ada Berg;;ada@example.org;;;klima")
    await database.fetch("UPDATE membership SET from_on = '2026-01-01'")

    await members(database, "M1;Amt;Ada Berg;;ada@example.org;;;AG WULIS")

    rows = await database.fetch(
        "SELECT g.slug, s.from_on, s.to_on FROM membership s "
        "JOIN working_group g ON g.id = s.group_id ORDER BY s.from_on"
    )
    assert [
        ("klima", date(2026, 1, 1), date(2027, 1, 3)),
        ("wulis", date(2027, 1, 4), None),
    ] == [tuple(row) for row in rows]


async def test_a_newcomer_is_planned_for_open_sessions_and_no_letter_leaves(
    database: Database,
) -> None:
    group = await klima(database)
    await builders.a_meeting(database, of=group)

    await members(database, "M1;Amt;Ada Berg;;ada@example.org;;;klima")

    rows = await database.fetch("SELECT state, invited_at FROM invitation")
    assert [("planned", None)] == [tuple(row) for row in rows]
    assert await builders.letters(database) == []


async def test_who_is_missing_stays_unless_told(database: Database) -> None:
    group = await klima(database)
    await builders.a_person(database, full_name="Bo Tal", member_of=group)

    kept = await members(database, "M1;Amt;Ada Berg;;ada@example.org;;;")
    before = (await person(database, "Bo Tal"))["ended_on"]
    ended = await members(
        database, "M1;Amt;Ada Berg;;ada@example.org;;;", choice=Choice(ends_missing=True)
    )

    assert (0, None, 1) == (kept.ended, before, ended.ended)
    assert (await person(database, "Bo Tal"))["ended_on"] == date(2027, 1, 4)
    assert (await database.fetchval("SELECT to_on FROM membership")) == date(2027, 1, 3)


async def test_rows_that_were_left_out_stay_out(database: Database) -> None:
    outcome = await members(
        database,
        ";Amt;Ada Berg;;ada@example.org;;;",
        ";Amt;Bo Tal;;bo@example.org;;;",
        choice=Choice(left_out={2}),
    )

    assert (1, 1) == (outcome.added, outcome.skipped)
    assert (await database.fetchval("SELECT full_name FROM person")) == "Bo Tal"


async def test_a_plan_that_would_read_differently_by_now_is_not_followed(
    database: Database,
) -> None:
    content = f"{HEADER}\n;Amt;Ada Berg;;ada@example.org;;;"
    seen = (await importing.plan(database, "members", content, NOW)).fingerprint
    await builders.a_person(database, full_name="Ada Berg", email="ada@example.org")

    with pytest.raises(StaleFormError):
        await importing.apply(database, COMMAND, "members", content, NOW, choice=Choice(seen=seen))

    assert (await database.fetchval("SELECT count(*) FROM person")) == 1


async def test_two_imports_at_once_add_everybody_once(database: Database) -> None:
    content = f"{HEADER}\n;Amt;Ada Berg;;ada@example.org;;;"

    done = await asyncio.gather(
        *(importing.apply(database, COMMAND, "members", content, NOW) for _ in range(3))
    )

    assert [0, 0, 1] == sorted(one.added for one in done)
    assert (await database.fetchval("SELECT count(*) FROM person")) == 1


async def test_a_cell_like_a_formula_is_kept_as_it_is(database: Database) -> None:
    await members(database, ";Amt;=1+1;@SUM(A1);a@example.org;+49 361 1;;")

    assert (await person(database, "=1+1"))["phone"] == "+49 361 1"


async def test_partners_are_found_by_name_whatever_case_and_blanks(database: Database) -> None:
    first = "partner,art,ort,telefon\nStadt Gotha,Kommune,Gotha,1\n"
    second = "partner,art,ort,telefon\nSTADT  Gotha,Kommune,Gotha,2\n"
    await importing.apply(database, COMMAND, "partners", first, NOW)

    done = await importing.apply(database, COMMAND, "partners", second, NOW)

    assert (0, 1) == (done.added, done.changed)
    assert (await database.fetchval("SELECT phone FROM organisation")) == "2"


async def test_a_missing_partner_with_people_is_not_ended(database: Database) -> None:
    kept = await builders.an_organisation(database, name="Mit Leuten")
    await builders.a_person(database, of=kept)
    await builders.an_organisation(database, name="Ohne Leute")

    await importing.apply(
        database, COMMAND, "partners", "partner\nNeu\n", NOW, choice=Choice(ends_missing=True)
    )

    rows = await database.fetch(
        "SELECT name FROM organisation WHERE ended_on IS NOT NULL ORDER BY name"
    )
    assert ["Ohne Leute"] == [row["name"] for row in rows]


async def test_sessions_without_a_date_get_one_in_the_future_and_say_so(
    database: Database,
) -> None:
    content = (DEMO / "alliance.json").read_bytes()

    done = await importing.apply(database, COMMAND, "meetings", content, NOW)

    rows = await database.fetch(
        "SELECT m.state, m.date_precision, m.starts_local, g.slug FROM meeting m "
        "JOIN meeting_group mg ON mg.meeting_id = m.id JOIN working_group g ON g.id = mg.group_id "
        "WHERE m.state <> 'held'"
    )
    firm = [row["starts_local"] for row in rows if row["state"] == "confirmed"]
    soonest = (NOW + timedelta(weeks=6)).replace(tzinfo=None)
    assert notes(done).count("imp.note_placed") == 6
    assert {"month"} == {row["date_precision"] for row in rows if row["state"] == "tentative"}
    assert len(set(firm)) == 4
    assert all(start.weekday() in {1, 2, 3} and start.date() >= soonest.date() for start in firm)


async def test_an_import_says_what_stands_in_the_way_of_a_session(database: Database) -> None:
    plenary = f"{PLENARY_DAY};;Plenum\n2020-01-01;;Alt".encode()
    form = ListForm(name="Landtag", treatment=Treatment.NOTE)
    await barring.add_list(database, COMMAND, uuid4(), form, File("a.csv", plenary), NOW)
    dates = {"Tag der Arbeit": "2027-05-01", "Plenum": PLENARY_DAY, "frei": "2027-06-16"}
    meetings = [
        {"group": "klima", "title": title, "status": "confirmed", "date": day}
        for title, day in dates.items()
    ]
    facts = {
        "groups": [{"slug": "klima", "name": "Klima"}],
        "holidays": {"country": "DE", "subdivision": "TH"},
        "meetings": [*meetings, {**meetings[0], "title": "vorbei", "date": "2020-05-01"}],
    }

    plan = await importing.plan(database, "meetings", json.dumps(facts), NOW)

    said = [
        note.values["what"]
        for line in plan.lines
        for note in line.notes
        if note.text == "imp.note_obstacle"
    ]
    assert ["Erster Mai", "Plenum (Landtag)"] == said


async def test_a_session_without_a_date_is_put_beside_the_days_of_a_list(
    database: Database,
) -> None:
    facts = {
        "groups": [{"slug": "klima", "name": "Klima"}],
        "meetings": [{"group": "klima", "title": "Wann?", "status": "confirmed"}],
    }
    found = []
    for treatment in (Treatment.NOTE, Treatment.MOVE):
        plan = await importing.plan(database, "meetings", json.dumps(facts), NOW)
        day = next(line.row.day for line in plan.lines if isinstance(line.row, ListedMeeting))
        found.append(day)
        form = ListForm(name=f"Liste {treatment}", treatment=treatment)
        file = File("a.csv", f"{day.isoformat()};;Plenum".encode())
        await barring.add_list(database, COMMAND, uuid4(), form, file, NOW)
    plan = await importing.plan(database, "meetings", json.dumps(facts), NOW)
    last = next(line.row.day for line in plan.lines if isinstance(line.row, ListedMeeting))

    assert found[0] == found[1]
    assert last > found[0]


async def test_imported_numbers_are_kept_and_the_counters_stand_above_them(
    database: Database,
) -> None:
    facts = {
        "groups": [{"slug": "klima", "name": "Klima", "next_number": 3}],
        "meetings": [{"group": "klima", "number": 9, "status": "confirmed"}],
    }

    await importing.apply(database, COMMAND, "meetings", json.dumps(facts), NOW)

    assert (await database.fetchval("SELECT number FROM meeting_group")) == 9
    assert (await database.fetchval("SELECT next_number FROM working_group")) == 10
    assert (await database.fetchval("SELECT title FROM meeting")) == "9. Sitzung Klima"


async def test_calendars_follow_a_group_that_a_file_gives_another_name(
    database: Database,
) -> None:
    await klima(database)
    await publishing.ensure_all_feeds(database)
    facts = {"groups": [{"slug": "klima", "name": "Klima und Stadtgrün"}]}

    await importing.apply(database, COMMAND, "meetings", json.dumps(facts), NOW)

    assert {2} == {row["revision"] for row in await database.fetch("SELECT revision FROM feed")}


async def test_imported_sessions_send_no_letter(database: Database) -> None:
    group = await klima(database)
    await builders.a_person(database, member_of=group)
    facts = {"meetings": [{"group": "klima", "number": 20, "status": "confirmed"}]}

    await importing.apply(database, COMMAND, "meetings", json.dumps(facts), NOW)

    assert (await database.fetchval("SELECT count(*) FROM notice")) == 0
    assert await builders.letters(database) == []


async def test_facts_with_errors_name_them_and_leave_the_rest(database: Database) -> None:
    facts = {
        "groups": [{"slug": "klima", "name": "Klima"}],
        "meetings": [
            {"group": "klima", "title": "Ohne Datum", "status": "held"},
            {"group": "nirgends", "title": "Fremd", "status": "tentative"},
            {"group": "klima", "title": "Gut", "status": "tentative", "date": "31.3.2027"},
            {"group": "klima", "title": "Ja", "status": "tentative"},
            {"group": "klima", "title": "Ja", "status": "tentative"},
        ],
    }

    done = await importing.apply(database, COMMAND, "meetings", json.dumps(facts), NOW)

    assert errors(done) == [
        "„Ohne Datum“ braucht den Status tentative oder confirmed, oder held mit einem Datum",
        "Die Gruppe „nirgends“ gibt es nicht",
        "„31.3.2027“ ist kein Datum der Form 2027-03-25",
        "„Ja“ steht zweimal in der Datei",
    ]
    assert ["Ja"] == [row["title"] for row in await database.fetch("SELECT title FROM meeting")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "imp.err_json"),
        ("[" * 100_000, "imp.err_json"),
        ("[]", "imp.err_facts"),
        ('{"meetings": {}}', "imp.err_facts"),
        ('{"meetings": [1]}', "imp.err_facts"),
    ],
)
async def test_a_file_that_holds_no_facts_is_refused(
    database: Database, content: str, said: str
) -> None:
    with pytest.raises(FieldsError) as refused:
        await importing.plan(database, "meetings", content, NOW)

    assert said == refused.value.fields["source"][0]


def in_this_database(settings: Settings, database: Database) -> Settings:
    return replace(settings, database_url=database.dsn)


async def run_command(
    settings: Settings, file: Path, *, kind: str = "members", applies: bool = False
) -> int:
    return await importing_command.run(settings, kind, file, applies=applies, end_missing=False)


async def test_the_command_prints_a_line_a_row_and_writes_only_when_told(
    settings: Settings, database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "list.csv"
    file.write_text("Name;E-Mail\nAda Berg;ada@example.org\nBo Tal;bo@stadt\n")
    own = in_this_database(settings, database)

    dry = await run_command(own, file)
    said = capsys.readouterr().out
    before = await database.fetchval("SELECT count(*) FROM person")
    done = await run_command(own, file, applies=True)

    assert (1, 0, 1) == (dry, before, done)
    assert "row 2  new        Ada Berg" in said
    assert "Row 3: “bo@stadt” is not a complete email address" in said
    assert "Nothing was changed" in said
    assert "1 added, 0 changed, 0 ended, 1 skipped" in capsys.readouterr().out


async def test_the_command_says_why_a_file_cannot_be_read(
    settings: Settings, database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "list.csv"
    file.write_text("Name\nAda Berg\n")

    code = await run_command(in_this_database(settings, database), file)

    assert (2, "list.csv: The file has no email column\n") == (code, capsys.readouterr().err)


async def test_the_command_shows_a_bar_for_a_long_list(
    settings: Settings, database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "list.csv"
    rows = [f"Person {number};p{number}@example.org" for number in range(600)]
    file.write_text("\n".join(("Name;E-Mail", *rows)))

    code = await run_command(in_this_database(settings, database), file, applies=True)

    assert code == 0
    assert "600 added" in capsys.readouterr().out
