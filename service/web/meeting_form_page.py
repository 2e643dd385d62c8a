"""The scheduling form as a page: with what was typed, what is wrong, and what others saved."""

from typing import Any
from uuid import UUID

from litestar.response import Response

from service import overseeing, planning
from service.domain.errors import NotFoundError, StaleFormError
from service.domain.words import State
from service.overseeing import GroupChoice, Session
from service.services import Services
from service.web import audiences, meeting_previews, respond, rule_ticks
from service.web.forms import Form
from service.web.meeting_entries import differences, typed_values
from service.web.visitors import Visitor

Page = Response[bytes]


async def show(
    services: Services,
    visitor: Visitor,
    form: Form,
    groups: list[GroupChoice] | None = None,
    *,
    session: Session | None = None,
    others: Any = (),
    status: int = 200,
) -> Page:
    """Show the form; the group that was chosen decides what it asks for."""
    if groups is None:
        groups = await overseeing.list_groups(services.database, visitor.staff, visitor.today)
    if not groups:
        raise NotFoundError
    chosen = next((one for one in groups if str(one.id) == form.values.get("group")), groups[0])
    own = session.meeting.id if session else None
    group_ids = (chosen.id, *(session.group_ids[1:] if session else ()))
    rules = await rule_ticks.fill(services, visitor, form, chosen.id, own)
    return respond.page(
        services,
        visitor,
        "office/form.html",
        status,
        form=form,
        group_options=[(str(one.id), one.name) for one in groups],
        chosen_group=chosen,
        session=session,
        state=session.meeting.state if session else State.DRAFT.value,
        others=others,
        rules=rules,
        offered=await audiences.offer(services, visitor, form, group_ids, own),
        look=await meeting_previews.look_at_day(services, visitor, form),
    )


async def show_stale(
    services: Services, visitor: Visitor, form: Form, meeting_id: UUID, error: StaleFormError
) -> Page:
    """Show the typed entries beside what somebody else has saved meanwhile."""
    kept, revision = await planning.load_form(services.database, meeting_id, visitor.staff)
    session = await overseeing.find_session(services.database, visitor.staff, meeting_id)
    others = differences(form.values, typed_values(kept))
    form.values["revision"] = str(revision)
    time = meeting_previews.clock_of(visitor, error.values["at"])
    form.refuse("", "plan.err_stale", name=error.values["by"], time=time)
    return await show(services, visitor, form, session=session, others=others, status=409)
