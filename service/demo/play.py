"""What the steps of the check share: the stage, two visitors, and what was seen so far."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

import icalendar

from service.demo.catcher import Caught
from service.demo.staging import Stage
from service.demo.visitor import Page, Visitor

# A letter whose writing met a busy database is tried again after a minute.
LETTER_SECONDS = 300
# These are through in a moment; a busy machine takes its time.
FEED_SECONDS = 100
# A tick that met a busy database is tried again after a minute, too.
READY_SECONDS = 300
POLL_SECONDS = 0.25


class Failed(Exception):  # noqa: N818 - it tells the outcome of a step
    """A step saw something else than what had to be there."""


@dataclass
class Play:
    """The state of one run of the check."""

    stage: Stage
    office: Visitor
    member: Visitor
    day: date
    session: Page | None = None
    meeting_id: UUID | None = None
    invited: frozenset[str] = frozenset()
    uid: str = ""
    box_mark: int = 0
    notes: dict[str, str] = field(default_factory=dict)

    async def close(self) -> None:
        """Close both visitors' connections."""
        await self.office.close()
        await self.member.close()

    @property
    def page(self) -> Page:
        """The session page as the office saw it last."""
        if self.session is None:
            raise Failed("the office has no session open")
        return self.session

    def mark_box(self) -> None:
        """Remember how many letters there are; `new_letters` counts from here."""
        self.box_mark = len(self.stage.catcher.letters)

    def new_letters(self, *subjects: str) -> list[Caught]:
        """Return the letters since the mark whose subject begins like one of these."""
        fresh = self.stage.catcher.letters[self.box_mark :]
        return [letter for letter in fresh if letter.subject.startswith(subjects or ("",))]

    async def letters(self, count: int, *subject: str) -> list[Caught]:
        """Wait for that many letters with such a subject; more would be a failure too."""
        catcher = self.stage.catcher
        try:
            await catcher.wait_for(
                lambda _: len(self.new_letters(*subject)) >= count, LETTER_SECONDS
            )
        except TimeoutError:
            found = len(self.new_letters(*subject))
            rest = await self._unsent()
            raise Failed(f"{found} of {count} letters “{subject[0]}…” came; {rest}") from None
        await asyncio.sleep(0.3)
        found_letters = self.new_letters(*subject)
        expect(len(found_letters) == count, f"{len(found_letters)} letters, {count} were due")
        return found_letters

    async def _unsent(self) -> str:
        """Say what the outbox knows of letters that did not arrive."""
        rows = await self.stage.services.database.fetch(
            "SELECT l.kind, o.state, coalesce(o.reason, o.last_text, '') AS why, count(*) AS n"
            " FROM outbox o JOIN letter l USING (id) WHERE o.state <> 'sent' GROUP BY 1, 2, 3"
        )
        told = (f"{row['n']} {row['kind']} {row['state']} {row['why']}".strip() for row in rows)
        return ", ".join(told) or "none is left in the outbox"

    async def entry(self, path: str, wanted: str) -> icalendar.Event:
        """Return the session's entry of a feed once it says what is wanted (`STATUS:…`)."""
        body, end = "", time.monotonic() + FEED_SECONDS
        while time.monotonic() < end:
            answer = await self.member.fetch(path)
            body = answer.text
            for event in icalendar.Calendar.from_ical(answer.content).events:
                if str(event["UID"]) == self.uid and wanted in event.to_ical().decode():
                    return event
            await asyncio.sleep(POLL_SECONDS)
        raise Failed(f"the feed {path} never said {wanted} ({len(body)} bytes)")

    async def until(self, lacks: Callable[[], Awaitable[str]]) -> None:
        """Wait until nothing is lacking any more; fail with what was lacking last."""
        end = time.monotonic() + READY_SECONDS
        while lacking := await lacks():
            expect(time.monotonic() < end, lacking)
            await asyncio.sleep(POLL_SECONDS)


def expect(condition: object, otherwise: str) -> None:
    """Fail the step unless the condition holds."""
    if not condition:
        raise Failed(otherwise)


def recipients(letters: Iterable[Caught]) -> frozenset[str]:
    """Return who got these letters."""
    return frozenset(letter.recipient for letter in letters)


def links(letter: Caught, *, ending: str = "") -> list[str]:
    """Return the addresses that stand on lines of their own in a letter's text."""
    lines = (line.strip() for line in letter.part("text/plain").splitlines())
    return [line for line in lines if line.startswith("http") and line.endswith(ending)]
