from __future__ import annotations

import re

import pytest

from sbwork.render.blocks import compose_picture, describe_status
from sbwork.specs.cohort import Cohort

INVENTED = Cohort(name="made-up", data_status="invented")
REAL = Cohort(name="pilot")


def draw(ax):
    ax.plot([1, 2], [3, 4])


def compose(cohort, alt="A line from 3 to 4."):
    return compose_picture(cohort, "line", [("", draw)], size=(4, 3), alt=alt, caption="A line.")


def test_invented_data_are_named_on_the_drawing_in_the_words_and_below():
    picture = compose(INVENTED)
    assert picture.figure._suptitle.get_text() == "INVENTED DATA"
    assert picture.alt == "Invented data. A line from 3 to 4."
    assert picture.caption.endswith("Invented data.")


def test_real_data_carry_no_stamp():
    picture = compose(REAL)
    assert picture.figure._suptitle is None
    assert picture.alt == "A line from 3 to 4."


@pytest.mark.parametrize(
    ("cohort", "words"),
    [
        (Cohort(name="a", data_status="reported"), "As reported, not measured."),
        (Cohort(name="a", rehearsal=True), "Rehearsal: nothing was done in these areas."),
    ],
)
def test_status_in_words(cohort, words):
    assert describe_status(cohort) == words


def test_hostile_words_are_escaped():
    html = compose(REAL, alt='"><script>alert(1)</script>')._repr_html_()
    assert "<script>" not in html
    assert "&quot;&gt;&lt;script&gt;" in html


def test_html_needs_no_other_file():
    html = compose(REAL)._repr_html_()
    assert re.findall(r'src="([^"]{0,26})', html) == ["data:image/svg+xml;base64,"]
    assert 'alt="A line from 3 to 4."' in html


def test_the_same_figure_gives_the_same_bytes(tmp_path):
    one, other = compose(REAL), compose(REAL)
    for kind in ("svg", "png"):
        assert one.render(kind) == other.render(kind)
    one.save(tmp_path / "figures")
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        "line.png",
        "line.svg",
    ]
