"""Rows of one's own access."""

from tests.web.matrix import Row, signed_in

ROWS: dict[tuple[str, str], Row] = {
    ("GET", "/buero/zugang"): signed_in(reader=200, lead=200, other_lead=200, coordinator=200),
    ("POST", "/buero/zugang"): signed_in(
        reader=303, lead=303, other_lead=303, coordinator=303, data={"summaries": "1"}, posts=True
    ),
}
