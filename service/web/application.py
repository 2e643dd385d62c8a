"""Put the routes together, once per language, behind one guard and one way to answer errors."""

import pkgutil
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from litestar import Litestar, Request, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler

from service import web
from service.services import Services
from service.web import errors, policy
from service.web.direct import Direct
from service.web.feeds import FeedApplication
from service.web.guard import guard
from service.web.outermost import Outermost
from service.web.visitors import VISITOR, Visitor

# Far more than any page's form; handlers that take files or long texts say so themselves.
FORM_BYTES = 64 * 1024


def create_app(services: Services) -> Outermost:
    """Return the ASGI application; refuse to start with a route that declares no policy."""
    router = create_router(services, collect_routes())
    return Outermost(Direct(router), FeedApplication(services), services)


def collect_routes() -> list[HTTPRouteHandler]:
    """Return the handlers of every module of this package that has `ROUTES`."""
    names = sorted(module.name for module in pkgutil.iter_modules(web.__path__))
    modules = (import_module(f"service.web.{name}") for name in names)
    return [handler for module in modules for handler in getattr(module, "ROUTES", ())]


def create_router(services: Services, routes: Sequence[HTTPRouteHandler]) -> Litestar:
    """Register every route in both languages."""
    policy.check(routes)
    spoken = [handler for handler in routes if not handler.opt.get("one_language")]
    return Litestar(
        route_handlers=[*routes, Router(path="/en", route_handlers=spoken)],
        guards=[guard],
        dependencies={
            "services": Provide(_provide_services, sync_to_thread=False),
            "visitor": Provide(_provide_visitor, sync_to_thread=False),
        },
        exception_handlers=dict(errors.HANDLERS),
        state=State({"services": services}),
        request_max_body_size=FORM_BYTES,
        openapi_config=None,
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
    )


def _provide_services(state: State) -> Services:
    services: Services = state.services
    return services


def _provide_visitor(request: Request[Any, Any, Any]) -> Visitor:
    visitor: Visitor = request.scope[VISITOR]  # type: ignore[literal-required]
    return visitor
