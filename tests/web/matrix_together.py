"""Who may send at once what waits: each account only what it may change."""

from tests.web.matrix import Row, signed_in

ROWS: dict[tuple[str, str], Row] = {
    ("GET", "/buero/wartet"): signed_in(reader=200, lead=200, other_lead=200, coordinator=200),
    ("POST", "/buero/wartet"): signed_in(
        reader=403, lead=422, other_lead=422, coordinator=422, posts=True
    ),
}
