"""No page is forgotten when pages are looked at in a browser."""

from service.web import application
from tests.end_to_end.pages import NO_PAGES, is_listed


def test_every_page_of_the_product_is_looked_at() -> None:
    routes = {
        path
        for handler in application.collect_routes()
        for path in handler.paths
        if "GET" in handler.http_methods
    }

    assert set() == {route for route in routes - NO_PAGES if not is_listed(route)}
