"""The office's pages: a lead finds the own group's sessions only, a reader only looks."""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from tests import builders
from tests.web.matrix import Make, Row, World, signed_in

_B = "/buero/termin/{meeting_id:uuid}"


async def _add(world: World, state: str = "confirmed") -> builders.Row:
    group = await builders.read(world.services.database, "working_group", world.own_group)
    starts = world.services.clock() + timedelta(days=60)
    return await builders.a_meeting(
        world.services.database,
        of=group,
        number=None,
        state=state,
        starts_local=starts.replace(tzinfo=None, second=0, microsecond=0),
    )


def _session(state: str = "confirmed") -> Make:
    async def make(world: World) -> Mapping[str, str]:
        return {"meeting_id": str((await _add(world, state))["id"])}

    return make


async def _invited(world: World) -> Mapping[str, str]:
    meeting = await _add(world)
    invitation = await builders.an_invitation(world.services.database, meeting)
    return {"meeting_id": str(meeting["id"]), "invitation_id": str(invitation["id"])}


async def _notice(world: World) -> Mapping[str, str]:
    meeting = await _add(world)
    await builders.an_invitation(world.services.database, meeting)
    notice = await builders.a_notice(world.services.database, meeting)
    return {"meeting_id": str(meeting["id"]), "notice_id": str(notice["id"])}


async def _invitation_notice(world: World) -> Mapping[str, str]:
    meeting = await _add(world)
    await builders.an_invitation(world.services.database, meeting, state="planned")
    notice = await builders.a_notice(world.services.database, meeting, kind="invitation")
    return {"meeting_id": str(meeting["id"]), "notice_id": str(notice["id"])}


def _get(make: Make, *, reader: int = 200, changing: bool = False) -> Row:
    return signed_in(
        reader=404 if changing else reader, lead=200, other_lead=404, coordinator=200, make=make
    )


def _post(make: Make, data: Mapping[str, str] | None = None, *, ok: int = 303) -> Row:
    return signed_in(
        reader=403, lead=ok, other_lead=404, coordinator=ok, make=make, data=data, posts=True
    )


async def _doubted(world: World) -> Mapping[str, str]:
    meeting = await _add(world)
    invitation = await builders.an_invitation(
        world.services.database, meeting, answer="declined", looks_automatic=True
    )
    return {"meeting_id": str(meeting["id"]), "invitation_id": str(invitation["id"])}


_CHANGED = {"action": "back", "group": str(UUID(int=0)), "title": "X"}
_REPLY = {"answer": "declined", "way": "phone"}

ROWS: dict[tuple[str, str], Row] = {
    ("GET", "/buero"): signed_in(reader=200, lead=200, other_lead=200, coordinator=200),
    ("GET", "/buero/termin/neu"): signed_in(reader=200, lead=200, other_lead=200, coordinator=200),
    ("POST", "/buero/termin/neu"): signed_in(
        reader=403, lead=422, other_lead=422, coordinator=422, posts=True
    ),
    ("GET", _B): _get(_session()),
    ("GET", f"{_B}/bearbeiten"): _get(_session(), changing=True),
    ("POST", f"{_B}/bearbeiten"): _post(_session(), _CHANGED, ok=200),
    ("GET", f"{_B}/verschieben"): _get(_session(), changing=True),
    ("POST", f"{_B}/verschieben"): _post(_session(), ok=422),
    ("GET", f"{_B}/vorschau"): _get(_session("draft"), changing=True),
    ("POST", f"{_B}/veroeffentlichen"): _post(_session("draft")),
    ("GET", f"{_B}/bestaetigen"): _get(_session("tentative"), changing=True),
    ("POST", f"{_B}/bestaetigen"): _post(_session("tentative")),
    ("GET", f"{_B}/aussetzen"): _get(_session(), changing=True),
    ("POST", f"{_B}/aussetzen"): _post(_session()),
    ("GET", f"{_B}/absagen"): _get(_session(), changing=True),
    ("POST", f"{_B}/absagen"): _post(_session()),
    ("GET", f"{_B}/doch-stattfinden"): _get(_session("cancelled"), changing=True),
    ("POST", f"{_B}/doch-stattfinden"): _post(_session("cancelled")),
    ("GET", f"{_B}/verwerfen"): _get(_session("draft"), changing=True),
    ("POST", f"{_B}/verwerfen"): _post(_session("draft")),
    ("GET", f"{_B}/einladen"): _get(_session(), changing=True),
    ("POST", f"{_B}/einladen"): _post(_session()),
    ("GET", f"{_B}/erinnern"): _get(_session(), changing=True),
    ("POST", f"{_B}/erinnern"): _post(_session()),
    ("POST", f"{_B}/mitteilung/{{notice_id:uuid}}/senden"): _post(_notice),
    ("POST", f"{_B}/mitteilung/{{notice_id:uuid}}/zuruecknehmen"): _post(_notice),
    ("GET", f"{_B}/mitteilung/{{notice_id:uuid}}/zeit"): _get(_invitation_notice, changing=True),
    ("POST", f"{_B}/mitteilung/{{notice_id:uuid}}/zeit"): _post(_invitation_notice, ok=422),
    ("GET", f"{_B}/erneut-senden/{{invitation_id:uuid}}"): _get(_invited, changing=True),
    ("POST", f"{_B}/erneut-senden/{{invitation_id:uuid}}"): _post(_invited),
    ("GET", f"{_B}/antwort/{{invitation_id:uuid}}"): _get(_invited, changing=True),
    ("POST", f"{_B}/antwort/{{invitation_id:uuid}}"): _post(_invited, _REPLY),
    ("POST", f"{_B}/antwort/{{invitation_id:uuid}}/echt"): _post(_doubted, {"stand": "1"}),
    ("POST", f"{_B}/antwort/{{invitation_id:uuid}}/zuruecksetzen"): _post(_doubted, {"stand": "1"}),
    ("GET", f"{_B}/code/{{invitation_id:uuid}}"): signed_in(
        reader=403, lead=403, other_lead=403, coordinator=200, make=_invited
    ),
    ("POST", f"{_B}/code/{{invitation_id:uuid}}"): signed_in(
        reader=403, lead=403, other_lead=403, coordinator=200, make=_invited, posts=True
    ),
    ("GET", f"{_B}/link/{{invitation_id:uuid}}"): _get(_invited, changing=True),
    ("POST", f"{_B}/link/{{invitation_id:uuid}}"): _post(_invited),
    ("GET", f"{_B}/ausladen/{{invitation_id:uuid}}"): _get(_invited, changing=True),
    ("POST", f"{_B}/ausladen/{{invitation_id:uuid}}"): _post(_invited),
    ("GET", f"{_B}/person"): signed_in(
        reader=403, lead=403, other_lead=403, coordinator=200, make=_session()
    ),
    ("POST", f"{_B}/person"): signed_in(
        reader=403, lead=403, other_lead=403, coordinator=303, make=_session(), posts=True
    ),
    ("GET", f"{_B}/tabelle"): _get(_session()),
    ("GET", f"{_B}/drucken"): _get(_session()),
    ("GET", f"{_B}/anrufliste"): signed_in(
        reader=403, lead=403, other_lead=403, coordinator=200, make=_session()
    ),
}
