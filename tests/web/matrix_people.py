"""Who gets what at the pages of people, partners, groups and imports."""

from uuid import UUID, uuid4

from service import publishing
from tests import builders
from tests.web.matrix import Row, World, signed_in

_MEMBER = {"full_name": "Ada Beispiel", "locale": "de"}
_PARTNER = {"name": "Stadtverwaltung Neustadt"}
_GROUP = {
    "name": "Neue Gruppe",
    "heading": "groups",
    "title_pattern": "{number}. Sitzung",
    "next_number": "1",
    "invite_weeks_before": "6",
    "answer_working_days_before": "5",
    "answer_by_time": "12:00",
}
_LIST = {"kind": "members", "text": "Name;E-Mail\nAda;ada@example.org", "legal": "1"}
_CHECKED = _LIST | {"column_0": "name", "column_1": "email"}


async def _member(world: World) -> dict[str, str]:
    person = await builders.a_person(world.services.database)
    return {"person_id": str(person["id"])}


async def _calendar(world: World) -> dict[str, str]:
    parameters = await _member(world)
    await publishing.ensure_all_feeds(world.services.database)
    return parameters | {"act": "erneuern"}


async def _renewing(world: World) -> dict[str, str]:
    return {"act": "erneuern"}


async def _partner(world: World) -> dict[str, str]:
    partner = await builders.an_organisation(world.services.database, name=f"Amt {uuid4()}")
    return {"partner_id": str(partner["id"])}


async def _group(world: World) -> dict[str, str]:
    return {"group_id": str(world.own_group)}


def _office(status: int, **details: object) -> Row:
    is_post = status == 303 or "data" in details
    return signed_in(
        reader=403,
        lead=403,
        other_lead=403,
        coordinator=status,
        posts=is_post,
        **details,  # type: ignore[arg-type]
    )


ROWS: dict[tuple[str, str], Row] = {
    ("GET", "/buero/mitglieder"): signed_in(reader=200, lead=200, other_lead=200, coordinator=200),
    ("GET", "/buero/mitglied/neu"): _office(200),
    ("POST", "/buero/mitglied/neu"): _office(303, data=_MEMBER | {"anyway": "1"}),
    ("GET", "/buero/mitglied/{person_id:uuid}"): _office(200, make=_member),
    ("POST", "/buero/mitglied/{person_id:uuid}"): _office(303, make=_member, data=_MEMBER),
    ("POST", "/buero/mitglied/{person_id:uuid}/beenden"): _office(303, make=_member),
    ("POST", "/buero/mitglied/{person_id:uuid}/kalender/{act:str}"): _office(303, make=_calendar),
    ("POST", "/buero/kalender/{act:str}"): _office(303, make=_renewing),
    ("GET", "/buero/partner"): _office(200),
    ("GET", "/buero/partner/neu"): _office(200),
    ("POST", "/buero/partner/neu"): _office(303, data=_PARTNER | {"id": str(UUID(int=7))}),
    ("GET", "/buero/partner/{partner_id:uuid}"): _office(200, make=_partner),
    ("POST", "/buero/partner/{partner_id:uuid}"): _office(422, make=_partner, data={"name": ""}),
    ("POST", "/buero/partner/{partner_id:uuid}/beenden"): _office(303, make=_partner),
    ("GET", "/buero/gruppen"): _office(200),
    ("GET", "/buero/gruppe/neu"): _office(200),
    ("POST", "/buero/gruppe/neu"): _office(303, data=_GROUP | {"id": str(UUID(int=8))}),
    ("GET", "/buero/gruppe/{group_id:uuid}"): _office(200, make=_group),
    ("POST", "/buero/gruppe/{group_id:uuid}"): _office(303, make=_group, data=_GROUP),
    ("GET", "/buero/import"): _office(200),
    ("POST", "/buero/import/spalten"): _office(200, data=_LIST),
    ("POST", "/buero/import/pruefen"): _office(200, data=_CHECKED),
    # Without the mark of the dry run there is nothing that was looked at.
    ("POST", "/buero/import/ausfuehren"): _office(422, data=_CHECKED),
}
