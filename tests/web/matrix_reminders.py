"""Rows of the reminder rules: the office for everybody's, leads for their own group's."""

from collections.abc import Mapping
from uuid import UUID

from service import reminding
from service.auditing import COMMAND
from service.domain.reminders import DEFAULT_RULES, Kind
from service.ruling import Scope, save_rule
from tests.web.matrix import Row, World, signed_in
from tests.web.matrix_office import _add

ALL = "/buero/erinnerungen"
GROUP = "/buero/gruppe/{group_id:uuid}/erinnerungen"
SESSION = "/buero/termin/{meeting_id:uuid}/erinnerungen"
_TYPED = {"audience": "coming", "amount": "60", "unit": "minutes", "anchor": "start"}


async def _rule(world: World, scope: Scope) -> UUID:
    """Give the scope a rule of its own beside those for everybody."""
    async with world.services.database.unit_of_work() as unit:
        await reminding.ensure_rules(unit.connection)
    now = world.services.clock()
    rule = next(rule for rule in DEFAULT_RULES[::-1] if rule.kind is Kind.REMINDER)
    return await save_rule(world.services.database, COMMAND, scope, rule, now)


async def _in_all(world: World) -> Mapping[str, str]:
    return {"rule_id": str(await _rule(world, Scope()))}


async def _in_group(world: World) -> Mapping[str, str]:
    rule_id = await _rule(world, Scope(group_id=world.own_group))
    return {"group_id": str(world.own_group), "rule_id": str(rule_id)}


async def _in_session(world: World) -> Mapping[str, str]:
    meeting = await _add(world)
    rule_id = await _rule(world, Scope(meeting_id=meeting["id"]))
    return {"meeting_id": str(meeting["id"]), "rule_id": str(rule_id)}


def _rows() -> dict[tuple[str, str], Row]:
    rows: dict[tuple[str, str], Row] = {}
    acts = [("GET", tail, 200, None) for tail in ("", "/neu", "/{rule_id:uuid}", "/verwerfen")]
    posts = [
        ("POST", "/neu", 303, _TYPED),
        ("POST", "/{rule_id:uuid}", 303, _TYPED),
        ("POST", "/{rule_id:uuid}/schalten", 303, {"on": "0"}),
        ("POST", "/verwerfen", 303, None),
    ]
    for method, tail, ok, data in [*acts, *posts]:
        is_post = method == "POST"
        for base, make in ((GROUP, _in_group), (SESSION, _in_session)):
            rows[method, base + tail] = signed_in(
                reader=403 if is_post else 404,
                lead=ok,
                other_lead=404,
                coordinator=ok,
                make=make,
                data=data,
                posts=is_post,
            )
        if tail != "/verwerfen":
            rows[method, ALL + tail] = signed_in(
                reader=403,
                lead=403,
                other_lead=403,
                coordinator=ok,
                make=_in_all,
                data=data,
                posts=is_post,
            )
    for method, tail, ok in (
        ("GET", "keine", 200),
        ("POST", "keine", 303),
        ("POST", "wieder", 303),
    ):
        is_post = method == "POST"
        rows[method, f"{GROUP}/{tail}"] = signed_in(
            reader=403 if is_post else 404,
            lead=ok,
            other_lead=404,
            coordinator=ok,
            make=_in_group,
            posts=is_post,
        )
    return rows


ROWS = _rows()
