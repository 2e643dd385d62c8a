"""Rows of tables as blocks on a phone."""

from service.pages.stacking import make_stackable

ROWS = """
<thead>
<tr><th scope="col">Name</th><th scope="col" class="tb-number">Zahl <br> alle</th></tr></thead>
<tbody>
<tr><th scope="rowgroup" colspan="2">Stadt</th></tr>
<tr><th scope="row">Erika</th><td class="tb-number">3</td></tr>
<tr><th scope="row">Otto</th><td>–</td></tr>
<tr><td colspan="2">eine Zeile für sich</td></tr>
</tbody>
"""


def test_a_cell_says_the_header_of_its_column() -> None:
    rows = make_stackable(ROWS)

    assert '<td class="tb-number" role="cell" data-label="Zahl alle:">3</td>' in rows


def test_every_part_of_a_table_says_its_role() -> None:
    rows = make_stackable(ROWS)

    assert '<th scope="col" role="columnheader">Name' in rows
    assert '<th scope="row" role="rowheader">Erika' in rows
    assert '<th scope="rowgroup" colspan="2" role="rowheader">Stadt' in rows


def test_a_cell_that_says_nothing_is_marked() -> None:
    rows = make_stackable(ROWS)

    assert '<td role="cell" data-none>–</td>' in rows


def test_a_cell_over_several_columns_has_no_header() -> None:
    rows = make_stackable(ROWS)

    assert '<td colspan="2" role="cell">eine Zeile' in rows


def test_rows_without_a_head_stay_without_headers() -> None:
    assert '<tr role="row"><td role="cell">1</td></tr>' == make_stackable("<tr><td>1</td></tr>")
