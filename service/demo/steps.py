"""The steps of the check, in the order of a session's life."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from uuid import UUID

import icalendar

from service import authenticating
from service.demo.play import Failed, Play, expect, links, recipients
from service.demo.visitor import Page

GROUP_FEED = "/ics/g/klima/klima.ics"
PUBLIC_FEED = "/ics/alle/termine.ics"
TITLE = "17. Arbeitsgruppensitzung Klima"
MOVED_BY = timedelta(days=7)
# Each letter speaks its reader's language.
INVITATION = ("Einladung: 17.", "Invitation: 17.")
CHANGE = ("Termin geändert: 17.", "Date changed: 17.")
REMINDER = ("Erinnerung: Vorgespräch", "Reminder: Vorgespräch")
CANCELLATION = ("Abgesagt: 17.", "Cancelled: 17.")
UNCANCELLATION = ("Findet doch statt: 17.", "Takes place after all: 17.")

_INVITATION = """
SELECT i.id FROM invitation i JOIN person p ON p.id = i.person_id
WHERE i.meeting_id = $1 AND p.email = $2
"""
_MEMBERS = """
SELECT count(*) FROM membership s JOIN working_group g ON g.id = s.group_id
WHERE g.slug = 'klima' AND s.to_on IS NULL
"""
_LEFT_OVER = "SELECT count(*) FROM outbox WHERE state NOT IN ('sent', 'cancelled', 'expired')"


async def imported(play: Play) -> str:
    """Look at the public list: the alliance's sessions are there."""
    database = play.stage.services.database
    people = await database.fetchval("SELECT count(*) FROM person")
    page = await play.member.open("/")
    expect(page.status == 200, f"the list answers {page.status}")  # noqa: PLR2004 - OK
    for words in ("5. Bündnistreffen", "16. Arbeitsgruppensitzung Klima", "Voraussichtlich im"):
        expect(words in page.text, f"“{words}” is not on the public list")
    expect("set-cookie" not in page.headers, "the public list sets a cookie")
    return f"{people} people, the public list shows the programme and sets no cookie"


async def feeds_before(play: Play) -> str:
    """Read the feeds before anything happens."""
    counts = []
    for path in (PUBLIC_FEED, GROUP_FEED):
        answer = await play.member.fetch(path)
        expect(answer.status_code == 200, f"{path} answers {answer.status_code}")  # noqa: PLR2004
        again = await play.member.fetch(path, If_None_Match=answer.headers["etag"])
        expect(again.status_code == 304, f"{path} is sent twice")  # noqa: PLR2004 - Not Modified
        expect(TITLE not in answer.text, f"{TITLE} is in {path} already")
        counts.append(len(icalendar.Calendar.from_ical(answer.content).events))
    return f"{counts[0]} entries in all, {counts[1]} of the group; a second look is a 304"


async def signed_in(play: Play) -> str:
    """Open the sign-in link twice, press its button once."""
    services = play.stage.services
    path = await authenticating.print_link(
        services.database, services.keys, play.stage.coordinator_id, services.clock()
    )
    await play.office.open(path)
    page = await play.office.open(path)
    desk = await play.office.press(page, "Jetzt anmelden")
    expect("/buero" in desk.address, f"signing in leads to {desk.address}")
    used = await play.member.open(path)
    expect(used.status != 200, "the link opens a second time")  # noqa: PLR2004 - OK
    return "the link shows, its button signs in, and it works once"


async def planned(play: Play) -> str:
    """Plan the 17th session of a working group, up to the preview."""
    page = await play.office.open("/buero/termin/neu")
    page = await play.office.open(page.link("Klima"))
    play.mark_box()
    preview = await play.office.press(
        page,
        "Weiter zur Vorschau",
        status="confirmed",
        start_date=play.day.isoformat(),
        start_time="10:00",
        end_time="12:00",
        mode="on_site",
        place_name="Rathaus",
        room="Saal 1",
        town="Gotha",
        capacity="40",
        agenda="TOP 1 Begrüßung\nTOP 2 Hitzeschutz",
    )
    expect(TITLE in preview.text, f"the preview shows no {TITLE}: {preview.text[:200]}")
    expect("Einladung" in preview.text, "the preview shows no letter")
    expect(not play.new_letters(*INVITATION), "a letter left before anybody pressed a button")
    play.session = preview
    return f"{TITLE} is previewed with letter and calendar entry; no letter has left"


async def invited(play: Play) -> str:
    """Invite the group, and end the countdown by hand."""
    members = await play.stage.services.database.fetchval(_MEMBERS)
    page = await play.office.press(play.page, f"Jetzt einladen ({members} Personen)")
    play.meeting_id = UUID(page.address.split("?", maxsplit=1)[0].rsplit("/", 1)[-1])
    expect(not play.new_letters(*INVITATION), "the countdown was skipped")
    play.session = await play.office.press(page, "jetzt senden")
    letters = await play.letters(members, *INVITATION)
    play.invited = recipients(letters)
    expect(len(play.invited) == members, "somebody got two letters")
    for letter in letters:
        expect(str(letter.message["To"]).count("@") == 1, "a letter names several people")
    calendar = icalendar.Calendar.from_ical(letters[0].part("text/calendar").encode())
    (event,) = calendar.events
    play.uid = str(event["UID"])
    expect(str(calendar["METHOD"]) == "PUBLISH", "the calendar file asks for answers")
    expect("/a/" not in event.to_ical().decode(), "the private link is in the calendar file")
    play.notes["invitation"] = letters[0].subject
    return f"{members} letters, one a person: “{letters[0].subject}”"


async def accepted_by_link(play: Play) -> str:
    """Answer as a member would: open the letter's link, look, press."""
    letter = min(play.new_letters("Einladung"), key=lambda each: each.recipient)
    play.notes["accepts"] = letter.recipient
    (address,) = links(letter, ending="?w=vor-ort")
    page = await play.member.open(address)
    expect("Noch nicht gesendet" in page.text, "the choice of the letter is not announced")
    expect(await _answer_of(play, letter.recipient) is None, "opening the link stored an answer")
    thanks = await play.member.press(page, "Antwort senden")
    expect(thanks.address.endswith("/danke"), f"sending leads to {thanks.address}")
    expect("set-cookie" not in thanks.headers, "an answer page sets a cookie")
    (receipt,) = await play.letters(1, "Ihre Antwort (vor Ort)")
    expect(receipt.recipient == letter.recipient, "the receipt went elsewhere")
    return f"{letter.recipient} comes; looking stored nothing, the receipt is there"


async def declined_by_link(play: Play) -> str:
    """Decline as another member."""
    letter = sorted(play.new_letters("Einladung"), key=lambda each: each.recipient)[1]
    play.notes["declines"] = letter.recipient
    (address,) = links(letter, ending="?w=absage")
    page = await play.member.open(address)
    await play.member.press(page, "Antwort senden")
    await play.letters(1, "Ihre Antwort (abgesagt)")
    return f"{letter.recipient} declines"


async def entered_by_telephone(play: Play) -> str:
    """Enter what somebody said on the telephone."""
    letter = sorted(play.new_letters("Einladung"), key=lambda each: each.recipient)[2]
    play.notes["calls"] = letter.recipient
    invitation_id = await play.stage.services.database.fetchval(
        _INVITATION, play.meeting_id, letter.recipient
    )
    page = await play.office.open(f"/buero/termin/{play.meeting_id}/antwort/{invitation_id}")
    await play.office.press(page, "Antwort speichern", answer="in_person", way="phone")
    play.session = await play.office.open(f"/buero/termin/{play.meeting_id}")
    expect("Telefon" in play.session.text, "the session page does not say how the answer came")
    return f"{letter.recipient} comes, by telephone"


async def moved(play: Play) -> str:
    """Move the date, and look at letters and feed."""
    before = await play.entry(GROUP_FEED, "STATUS:CONFIRMED")
    play.mark_box()
    play.day += MOVED_BY
    page = await play.office.open(play.page.link("Verschieben"))
    preview = await play.office.press(page, "Weiter zur Vorschau", start_date=play.day.isoformat())
    expect(not play.new_letters(*CHANGE), "a letter left before anything was saved")
    saved = await play.office.press(preview, "Speichern und")
    play.session = await play.office.press(saved, "jetzt senden")
    letters = await play.letters(len(play.invited), *CHANGE)
    expect(recipients(letters) == play.invited, "somebody was not told")
    told = min(letters, key=lambda each: each.subject[0] != "T").part("text/plain")
    expect("bisher:" in told and "neu:" in told, "the letter does not say old and new")
    after = await play.entry(GROUP_FEED, f"{play.day:%Y%m%d}T100000")
    raised = int(str(after["SEQUENCE"])) - int(str(before["SEQUENCE"]))
    expect(raised == 1, f"SEQUENCE rose by {raised}")
    return f"{len(letters)} told of the new day; the feed keeps the UID, SEQUENCE rose by 1"


async def reminded(play: Play) -> str:
    """Wait for the reminder of the prepared session, which names only whom it is for."""
    rows = await play.stage.services.database.fetch(
        "SELECT p.email FROM invitation i JOIN person p ON p.id = i.person_id"
        " WHERE i.meeting_id = $1 AND i.answer IN ('online', 'undecided')",
        play.stage.soon_id,
    )
    due = frozenset(row["email"] for row in rows)
    play.box_mark = 0
    letters = await play.letters(len(due), *REMINDER)
    await asyncio.sleep(1)
    expect(recipients(play.new_letters(*REMINDER)) == due, "others were reminded")
    return f"{len(letters)} who come or are undecided were reminded, nobody else, nobody twice"


async def cancelled(play: Play) -> str:
    """Cancel with a reason."""
    play.mark_box()
    page = await play.office.open(play.page.link("Absagen"))
    saved = await play.office.press(page, "Sitzung absagen", reason="Der Saal ist gesperrt.")
    play.session = await _send_now(play, saved)
    told = play.invited - {play.notes["declines"]}
    letters = await play.letters(len(told), *CANCELLATION)
    expect(recipients(letters) == told, "the cancellation went to others")
    expect("Der Saal ist gesperrt." in letters[0].part("text/plain"), "the reason is missing")
    entry = await play.entry(GROUP_FEED, "STATUS:CANCELLED")
    return f"{len(letters)} told; the feed says “{entry['SUMMARY']}”"


async def taken_back(play: Play) -> str:
    """Take the cancellation back."""
    play.mark_box()
    page = await play.office.open(play.page.link("Findet doch statt"))
    saved = await play.office.press(page, "Absage zurücknehmen")
    play.session = await _send_now(play, saved)
    told = play.invited - {play.notes["declines"]}
    letters = await play.letters(len(told), *UNCANCELLATION)
    entry = await play.entry(GROUP_FEED, "STATUS:CONFIRMED")
    return f"{len(letters)} told; the feed has it again with SEQUENCE {entry['SEQUENCE']}"


async def healthy(play: Play) -> str:
    """Ask the machine how it is."""

    async def left_over() -> str:
        # A letter is in the box a moment before its end is on record.
        count = await play.stage.services.database.fetchval(_LEFT_OVER)
        return f"{count} letters are left over" if count else ""

    async def unready() -> str:
        # A loop that was held up for seconds is told of for a minute.
        answer = await play.member.fetch("/health/ready")
        return "" if answer.status_code == 200 else f"/health/ready: {answer.text}"  # noqa: PLR2004 - OK

    await play.until(left_over)
    await play.until(unready)
    return "ready; no letter is left over"


async def _send_now(play: Play, page: Page) -> Page:
    try:
        return await play.office.press(page, "jetzt senden")
    except Exception as problem:
        raise Failed(f"no countdown to end: {problem}") from problem


async def _answer_of(play: Play, address: str) -> str | None:
    found: str | None = await play.stage.services.database.fetchval(
        "SELECT i.answer FROM invitation i JOIN person p ON p.id = i.person_id"
        " WHERE i.meeting_id = $1 AND p.email = $2",
        play.meeting_id,
        address,
    )
    return found


STEPS: Sequence[tuple[str, Callable[[Play], Awaitable[str]]]] = (
    ("import", imported),
    ("feeds before", feeds_before),
    ("sign in", signed_in),
    ("plan and preview", planned),
    ("invite", invited),
    ("accept by link", accepted_by_link),
    ("decline by link", declined_by_link),
    ("answer by telephone", entered_by_telephone),
    ("move", moved),
    ("reminder", reminded),
    ("cancel", cancelled),
    ("un-cancel", taken_back),
    ("health", healthy),
)
