"""The two cookies of this service; public, answer and feed addresses set none."""

from litestar.datastructures import Cookie

from service.keeping_sessions import ABSOLUTE
from service.settings import Settings

_PREFIX = "__Host-"


def session_name(settings: Settings) -> str:
    """Return the name of the session cookie: browsers keep the prefix on https only."""
    return "sid" if settings.is_local else f"{_PREFIX}sid"


def browser_name(settings: Settings) -> str:
    """Return the name of the cookie that ties a sign-in code to the asking browser."""
    return "anmelden" if settings.is_local else f"{_PREFIX}anmelden"


def session(settings: Settings, secret: str) -> Cookie:
    """Make the cookie of a new session."""
    return _cookie(session_name(settings), secret, int(ABSOLUTE.total_seconds()), settings)


def browser(settings: Settings, secret: str, seconds: int) -> Cookie:
    """Make the short-lived cookie of a browser that asked for a sign-in letter."""
    return _cookie(browser_name(settings), secret, seconds, settings)


def removed(settings: Settings, name: str) -> Cookie:
    """Make the cookie that removes another one."""
    return _cookie(name, "", 0, settings)


def _cookie(name: str, value: str, seconds: int, settings: Settings) -> Cookie:
    return Cookie(
        key=name,
        value=value,
        path="/",
        max_age=seconds,
        secure=not settings.is_local,
        httponly=True,
        samesite="lax",
    )
