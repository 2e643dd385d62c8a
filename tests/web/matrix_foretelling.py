"""Who may look ahead: the office."""

from tests.web.matrix import Row, signed_in

ROWS: dict[tuple[str, str], Row] = {
    ("GET", "/buero/vorschau"): signed_in(reader=403, lead=403, other_lead=403, coordinator=200),
}
