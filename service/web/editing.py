"""The two forms of a thing that has a revision: add one, save one.

What the rules refuse is shown again with all that was typed, and what somebody else saved meanwhile
beside it.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar
from uuid import UUID, uuid4

from litestar.response import Response

from service.domain.errors import FieldsError, StaleFormError
from service.web import respond, stale
from service.web.forms import Form
from service.web.visitors import Visitor

Page = Response[bytes]


class Revised(Protocol):
    """Something that counts how often it was saved."""

    @property
    def revision(self) -> int:
        """How often, and so which state of it a form was filled in over."""


Thing = TypeVar("Thing", bound=Revised)


def new_id(form: Form) -> UUID:
    """Return the id that the form brought: the same form sent twice adds one thing."""
    return form["id"] or uuid4()


async def add(
    visitor: Visitor,
    form: Form,
    path: str,
    *,
    write: Callable[[], Awaitable[object]],
    show: Callable[[], Awaitable[Page]],
) -> Page:
    """Add a thing and lead to its page at `path`, or show the form again."""
    if form.is_valid:
        try:
            await write()
        except FieldsError as error:
            form.refuse_fields(error)
        else:
            return _saved(visitor, path)
    return await show()


async def save(
    visitor: Visitor,
    form: Form,
    path: str,
    *,
    find: Callable[[], Awaitable[Thing]],
    write: Callable[[], Awaitable[object]],
    show: Callable[..., Awaitable[Page]],
) -> Page:
    """Save a thing and lead to its page at `path`, or show the form again.

    `show` takes the thing, and `is_stale` when somebody else saved it meanwhile.
    """
    thing = await find()
    if not form.is_valid:
        return await show(thing)
    try:
        await write()
    except FieldsError as error:
        form.refuse_fields(error)
        return await show(thing)
    except StaleFormError as error:
        thing = await find()
        stale.explain(form, visitor, error, thing.revision)
        return await show(thing, is_stale=True)
    return _saved(visitor, path)


def _saved(visitor: Visitor, path: str) -> Page:
    return respond.see_other(visitor, f"{path}?gespeichert=1")
