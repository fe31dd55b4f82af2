"""What spreadsheets read out of a cell of ours."""

import pytest

from reseller.web.csv_text import csv_text


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("=1+1", "'=1+1"),
        ("Acme;=1+1", "Acme;'=1+1"),
        ("Acme; @SUM(A1)", "Acme; '@SUM(A1)"),
        ("a\t=1;-2", "a\t'=1;'-2"),
        ("Acme; Sons - since 1900", "Acme; Sons - since 1900"),
        ("Acme\n=1", "Acme\n'=1"),
        ("a=b", "a=b"),
    ],
)
def test_no_part_of_a_text_is_a_formula_where_semicolons_separate_cells(given: str, written: str) -> None:
    """Excel in much of Europe splits at them, also inside our quotes."""
    assert csv_text(given) == written
