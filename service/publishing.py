"""Show to the world what is planned: the public list, the session page, and who hears of edits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection

from calendars import invitation
from service import describing, feed_cache, obstacles, planning
from service.database import Database
from service.describing import Voice
from service.domain import working_days
from service.domain.errors import NotFoundError
from service.domain.shown import GroupName, ShownMeeting
from service.domain.words import Heading, Precision, State
from service.tables import feed_rows, shown_meetings
from service.tables.shown_meetings import SELECT

# More than anybody reads at once; the page then asks to narrow the period.
LIST_LIMIT = 300
_BERLIN = ZoneInfo("Europe/Berlin")

_SHOWN = f"{SELECT} FROM meeting WHERE meeting.state <> 'draft' AND meeting.visibility = 'public'"
# $1 is now, $2 the same as German wall time; nothing that still goes on began 100 days ago.
_COMING = """
AND (meeting.starts_at > $1::timestamptz - interval '100 days'
        AND coalesce(meeting.ends_at, meeting.starts_at + interval '1 hour') > $1
    OR meeting.starts_at IS NULL
        AND (meeting.state = 'postponed' OR meeting.previous_starts_local > $2::timestamp))
"""
_FILTERS = """
AND ($3::text[] = '{}' OR EXISTS (
    SELECT FROM meeting_group JOIN working_group ON working_group.id = meeting_group.group_id
    WHERE meeting_group.meeting_id = meeting.id AND working_group.slug = ANY($3)))
AND ($4::date IS NULL OR coalesce(meeting.ends_local, meeting.starts_local) >= $4)
AND ($5::date IS NULL OR meeting.starts_local::date <= $5)
AND ($6::text = '' OR meeting.mode IN ($6, 'hybrid'))
AND NOT ($7::boolean AND meeting.state = 'cancelled')
"""
_LIST = f"""{_SHOWN} {_COMING} {_FILTERS}
ORDER BY meeting.starts_local NULLS LAST, meeting.uid LIMIT {LIST_LIMIT + 1}
"""
_PAST = f"""{_SHOWN} AND coalesce(meeting.ends_at, meeting.starts_at + interval '1 hour') <= $1
    AND meeting.starts_local >= make_date($2, 1, 1)
    AND meeting.starts_local < make_date($2 + 1, 1, 1)
ORDER BY meeting.starts_local DESC, meeting.uid LIMIT {LIST_LIMIT}
"""
_PAST_YEARS = """
SELECT DISTINCT extract(year FROM starts_local)::int AS year FROM meeting
WHERE state <> 'draft' AND visibility = 'public' AND ends_at <= $1 ORDER BY year DESC
"""
_GROUPS = """
SELECT slug, name, heading FROM working_group WHERE ended_on IS NULL
ORDER BY array_position(ARRAY['alliance', 'groups', 'other'], heading), position, name
"""
_PAPERS = """
SELECT meeting_id, count(*) AS papers FROM document
WHERE meeting_id = ANY($1) AND published_at <= $2 GROUP BY meeting_id
"""
_BY_SLUG = f"{SELECT} FROM meeting WHERE meeting.slug = $1 AND meeting.state <> 'draft'"
_DOCUMENTS = """
SELECT title, kind, media_type, size_text, accessibility, locale, url FROM document
WHERE meeting_id = $1 AND published_at <= $2 ORDER BY kind, title
"""
_ATTENDED = """
SELECT count(*) FROM invitation
WHERE meeting_id = $1 AND presence IN ('present', 'online', 'represented')
"""
_NEIGHBOUR = f"""{_SHOWN} AND meeting.id <> $1 AND EXISTS (
    SELECT FROM meeting_group one JOIN meeting_group other USING (group_id)
    WHERE one.meeting_id = $1 AND other.meeting_id = meeting.id AND one.position = 0)
"""
_PREVIOUS = f"""{_NEIGHBOUR} AND meeting.starts_local < $2
ORDER BY meeting.starts_local DESC LIMIT 1
"""
_NEXT = f"{_NEIGHBOUR} AND meeting.starts_local > $2 ORDER BY meeting.starts_local LIMIT 1"
_ROUGH_PRECISIONS = frozenset({Precision.WEEK, Precision.MONTH})
# Dates known by week or month end at midnight after their last day.
_ROUGH = """
SELECT state, date_precision, starts_local, rough_on,
    (coalesce(ends_local, starts_local + interval '1 day') - interval '1 second')::date AS last_on
FROM meeting WHERE id = $1
"""
_SET_ROUGH = "UPDATE meeting SET rough_on = $2 WHERE id = $1"
_UNSETTLED = """
SELECT id FROM meeting WHERE starts_local IS NOT NULL AND CASE
    WHEN date_precision IN ('week', 'month')
    THEN rough_on IS NULL OR rough_on < starts_local::date OR rough_on >= ends_local
    ELSE rough_on IS NOT NULL END
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a visitor of the list wants to see; empty fields leave everything."""

    groups: tuple[str, ...] = ()
    from_on: date | None = None
    to_on: date | None = None
    mode: str = ""
    hides_cancelled: bool = False

    @property
    def is_set(self) -> bool:
        """Tell whether anything is left out."""
        return self != Filter()


@dataclass(frozen=True, slots=True)
class Section:
    """One heading of the public list."""

    heading: str
    meetings: tuple[ShownMeeting, ...]


@dataclass(frozen=True, slots=True)
class PublicList:
    """The coming dates under their headings; `papers` counts documents by meeting."""

    sections: tuple[Section, ...]
    groups: tuple[GroupName, ...]
    papers: Mapping[UUID, int]
    count: int
    is_cut: bool


@dataclass(frozen=True, slots=True)
class PastList:
    """What took place, or was cancelled, in one year."""

    year: int
    years: tuple[int, ...]
    meetings: tuple[ShownMeeting, ...]
    papers: Mapping[UUID, int]


@dataclass(frozen=True, slots=True)
class Paper:
    """One published document; the address is empty where only its existence is told."""

    title: str
    kind: str
    media_type: str
    size_text: str
    accessibility: str
    locale: str
    url: str


@dataclass(frozen=True, slots=True)
class SessionPage:
    """Everything that the page of one session shows; `attended` is None until it was counted."""

    meeting: ShownMeeting
    papers: tuple[Paper, ...]
    minutes: tuple[Paper, ...]
    attended: int | None
    previous: ShownMeeting | None
    next: ShownMeeting | None


async def list_coming(database: Database, wanted: Filter, now: datetime) -> PublicList:
    """Return the public dates that are not over, under the three headings in their order."""
    local = now.astimezone(_BERLIN).replace(tzinfo=None)
    filters = (
        list(wanted.groups),
        wanted.from_on,
        wanted.to_on,
        wanted.mode,
        wanted.hides_cancelled,
    )
    async with database.reading() as connection:
        rows = await connection.fetch(_LIST, now, local, *filters)
        groups = await connection.fetch(_GROUPS)
        meetings = [shown_meetings.from_row(row) for row in rows[:LIST_LIMIT]]
        papers = await _count_papers(connection, meetings, now)
    sections = tuple(
        Section(heading, tuple(m for m in meetings if m.heading == heading)) for heading in Heading
    )
    names = tuple(GroupName(row["slug"], row["name"], row["heading"]) for row in groups)
    return PublicList(sections, names, papers, len(meetings), is_cut=len(rows) > LIST_LIMIT)


async def list_past(database: Database, year: int | None, now: datetime) -> PastList:
    """Return the public dates of one year that are over, newest first; None takes the last year."""
    async with database.reading() as connection:
        years = [row["year"] for row in await connection.fetch(_PAST_YEARS, now)]
        last = years[0] if years else now.year
        chosen = year if year is not None and year in years else last
        rows = await connection.fetch(_PAST, now, chosen)
        meetings = tuple(shown_meetings.from_row(row) for row in rows)
        papers = await _count_papers(connection, meetings, now)
    return PastList(chosen, tuple(years), meetings, papers)


async def find_session(database: Database, slug: str, now: datetime) -> SessionPage:
    """Return the page of a public or link-protected session; NotFoundError for any other."""
    async with database.reading() as connection:
        meeting = await _find(connection, slug)
        rows = await connection.fetch(_DOCUMENTS, meeting.id, now)
        papers = [Paper(*row.values()) for row in rows]
        attended = None
        if meeting.sheet_saved_at is not None and State(meeting.state) is State.HELD:
            attended = await connection.fetchval(_ATTENDED, meeting.id)
        return SessionPage(
            meeting,
            tuple(paper for paper in papers if paper.kind != "minutes"),
            tuple(paper for paper in papers if paper.kind == "minutes"),
            attended,
            await _neighbour(connection, _PREVIOUS, meeting),
            await _neighbour(connection, _NEXT, meeting),
        )


async def make_download(database: Database, slug: str, voice: Voice) -> bytes:
    """Return one session as a file to take along; NotFoundError where it has no exact date."""
    async with database.reading() as connection:
        meeting = await _find(connection, slug)
    entry = describing.public_entry(meeting, voice)
    if entry is None:
        raise NotFoundError
    return invitation.render_download(entry)


async def touch_feeds(connection: Connection, meeting_id: UUID, now: datetime) -> None:
    """Let the feeds follow a saved meeting; call it after its own rows, in the same transaction."""
    await _settle_rough_date(connection, meeting_id)
    feed_cache.expect_changes(await feed_rows.touch_meeting(connection, meeting_id, now))
    await feed_rows.tell(connection)


async def touch_person_feed(connection: Connection, person_id: UUID, now: datetime) -> None:
    """Let a person's own feed follow an answer, in the transaction of the answer."""
    feed_cache.expect_changes(await feed_rows.touch_person(connection, person_id, now))


async def touch_people_feeds(
    connection: Connection, person_ids: Sequence[UUID], now: datetime
) -> None:
    """Let the own feeds of several people follow what was taken off their answers."""
    feed_cache.expect_changes(await feed_rows.touch_people(connection, person_ids, now))


async def touch_all_feeds(connection: Connection, now: datetime) -> None:
    """Let every feed follow a change of the office's own data, or of a meeting's groups."""
    await _settle_rough_dates(connection)
    feed_cache.expect_changes(await feed_rows.touch_all(connection, now))
    await feed_rows.tell(connection)


async def ensure_all_feeds(database: Database) -> None:
    """Make the feed rows that are missing, in a transaction of its own."""
    async with database.unit_of_work() as unit:
        await ensure_feeds(unit.connection)


async def ensure_feeds(connection: Connection) -> None:
    """Make the feed rows that are missing, and the days of rough dates; safe to repeat."""
    await feed_rows.ensure(connection)
    await _settle_rough_dates(connection)


async def _settle_rough_dates(connection: Connection) -> None:
    for row in await connection.fetch(_UNSETTLED):
        await _settle_rough_date(connection, row["id"])


async def _settle_rough_date(connection: Connection, meeting_id: UUID) -> None:
    """Keep the one day on which a date known by week or month stands in calendars.

    It is the first working day as the holidays were known when the date was published: a later
    table of holidays must not move it.
    """
    row = await connection.fetchrow(_ROUGH, meeting_id)
    if row is None or row["starts_local"] is None:
        return
    first, last = row["starts_local"].date(), row["last_on"]
    day: date | None = row["rough_on"]
    if row["date_precision"] not in _ROUGH_PRECISIONS:
        day = None
    elif row["state"] == State.DRAFT or day is None or not first <= day <= last:
        is_holiday = obstacles.is_holiday(await planning.find_region(connection))
        day = working_days.first_within(first, last, is_holiday)
    if day != row["rough_on"]:
        await connection.execute(_SET_ROUGH, meeting_id, day)


async def _find(connection: Connection, slug: str) -> ShownMeeting:
    row = await connection.fetchrow(_BY_SLUG, slug)
    if row is None or row["visibility"] == "internal":
        raise NotFoundError
    return shown_meetings.from_row(row)


async def _neighbour(
    connection: Connection, sql: str, meeting: ShownMeeting
) -> ShownMeeting | None:
    if meeting.starts_local is None:
        return None
    row = await connection.fetchrow(sql, meeting.id, meeting.starts_local)
    return None if row is None else shown_meetings.from_row(row)


async def _count_papers(
    connection: Connection, meetings: Sequence[ShownMeeting], now: datetime
) -> Mapping[UUID, int]:
    rows = await connection.fetch(_PAPERS, [meeting.id for meeting in meetings], now)
    return {row["meeting_id"]: row["papers"] for row in rows}
