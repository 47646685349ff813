"""instruments/NAME.yml: what is right is read, what is wrong is named in one clear message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sbwork.specs.errors import InputError
from sbwork.specs.instrument import Instrument, Item, Option, read_instrument

ROOT = Path(__file__).parents[2]

GOOD = """\
name: residents
options:
  agreement:
    - {code: 1, label: Disagree}
    - {code: 2, label: Agree}
    - {code: 8, label: Don't know, nonresponse: dont_know}
items:
  q1: {text: One, options: agreement}
  q2: {text: Two?, options: agreement, reverse: true}
  q3:
    options:
      - {code: 1, label: No}
      - {code: 2.0, label: Yes}
scales:
  trust: {items: [q1, q2]}
  vision: {items: [q3]}
  capital: {title: Social capital, scales: [trust, vision]}
"""

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def run(content: str) -> Path:
        (tmp_path / "instruments").mkdir(exist_ok=True)
        (tmp_path / "instruments" / "residents.yml").write_text(content, encoding="utf-8")
        return tmp_path

    return run


@pytest.fixture
def residents(write: Write) -> Instrument:
    return read_instrument("residents", write(GOOD))


def test_an_item_may_name_a_set_or_list_its_own_options(residents: Instrument) -> None:
    assert [option.code for option in residents.list_options("q1")] == [1, 2, 8]
    assert [option.label for option in residents.list_options("q3")] == ["No", "Yes"]


def test_an_item_may_be_made_from_options_in_python() -> None:
    options = (Option(code=1), Option(code=2))
    assert Item(options=options).options == options
    assert Item(options="agreement").options == "agreement"


def test_options_items_and_titles_are_looked_up(residents: Instrument) -> None:
    assert [option.code for option in residents.list_answers("q1")] == [1, 2]
    assert residents.find_range("q1") == (1, 2)
    assert residents.find_scale_range("capital") == (1, 2)
    assert residents.list_scale_items("capital") == ("q1", "q2", "q3")
    assert residents.list_scale_items("trust") == ("q1", "q2")
    titles = [residents.title_scale(scale) for scale in ("capital", "trust", "not_there")]
    assert titles == ["Social capital", "Trust", "Not there"]


@pytest.mark.parametrize(("parts", "required"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)])
def test_half_of_the_items_rounded_up_are_needed(parts: int, required: int) -> None:
    items = {f"q{n}": {"options": [{"code": 1}, {"code": 2}]} for n in range(parts)}
    spec = {"name": "x", "items": items, "scales": {"s": {"items": list(items)}}}
    assert Instrument.model_validate(spec).scales["s"].required == required


def test_the_items_needed_can_be_set(write: Write) -> None:
    content = GOOD.replace("items: [q1, q2]", "items: [q1, q2], minimum_answered: 2")
    assert read_instrument("residents", write(content)).scales["trust"].required == 2


def test_the_committed_instruments_are_good() -> None:
    names = [path.stem for path in (ROOT / "data" / "instruments").glob("*.yml")]
    assert "residents-illustrative" in names
    for name in names:
        assert read_instrument(name, ROOT / "data").items


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: residents", "name: resident", ", line 1, key 'name': the name 'resident' differs "
         "from the file's, 'residents'. Make them the same."),
        ("text: One", "txt: One", ", line 8, key 'items.q1.txt': 'txt' is not a key that is known "
         "here. Did you mean 'text'? Allowed: 'text', 'options', 'reverse'."),
        ("text: One, options: agreement", "options: agreemnt", ", line 8, key 'items.q1.options': "
         "there is no option set 'agreemnt'. Did you mean 'agreement'? Option sets: 'agreement'."),
        ("text: One, options: agreement", "text: One", ", line 8, key 'items.q1': no options"),
        ("text: One, options: agreement", "options: {code: 1}", ", line 8, key "
         "'items.q1.options': a block of 'key: value' lines stands here. A list is needed"),
        ("code: 2.0, label: Yes", "label: Yes", ", line 13, key 'items.q3.options': the key 'code' "
         "is missing, or nothing stands after it."),
        ("code: 2.0", "code: ten", ", line 13, key 'items.q3.options.code': 'ten' stands here. A "
         "number is needed here."),
        ("code: 2.0", "cod: 2, code: 2", ", line 13, key 'items.q3.options.cod': 'cod' is not a "
         "key that is known here. Did you mean 'code'? Allowed: 'code', 'label', 'nonresponse'."),
        ("code: 2.0", "code: 1", ", line 11, key 'items.q3.options': two options share a code."),
        ("label: Yes", "label: ' NO'", "two options share a label."),
        ("code: 2, label: Agree}", "code: 2, label: Agree, nonresponse: dont_know}", ", line 3, "
         "key 'options.agreement': at least two options must be real answers."),
        ("nonresponse: dont_know", "nonresponse: dontknow", "Did you mean 'dont_know'? Allowed: "
         "'dont_know', 'prefer_not_to_say'."),
        ("items: [q1, q2]", "items: [q1, q22]", ", line 15, key 'scales.trust.items': there is no "
         "item 'q22'. Did you mean 'q2'?"),
        ("items: [q1, q2]", "items: [q1, q1]", ", line 15, key 'scales.trust': a part stands"),
        ("items: [q1, q2]", "title: x", "a scale is made of 'items' or of 'scales'"),
        ("items: [q1, q2]", "items: [q1], scales: [vision]", "give one of the two"),
        ("items: [q1, q2]", "items: [q1, q2], minimum_answered: 3", "but there are 2 parts"),
        ("[trust, vision]", "[trust, visoin]", ", line 17, key 'scales.capital.scales': there is "
         "no scale 'visoin'. Did you mean 'vision'?"),
        ("[trust, vision]", "[trust, capital]", "'capital' is itself made of scales."),
        ("code: 2.0", "code: 10", ", line 17, key 'scales.capital.scales': "
         "the scores of its parts have different ranges: trust 1 to 2; vision 1 to 10."),
        ("  vision:", "  q1:", ", line 16, key 'scales.q1': the name 'q1' is taken."),
        ("  vision:", "  wave:", "the name 'wave' is taken."),
        ("  q1: {", "  weight: {", ", line 8, key 'items.weight': an item may not be called"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(write: Write, old: str, new: str, said: str) -> None:
    assert GOOD.count(old) == 1, "the case changes one place"
    with pytest.raises(InputError) as caught:
        read_instrument("residents", write(GOOD.replace(old, new)))
    lines = [line.partition("residents.yml")[2] for line in str(caught.value).splitlines()]
    assert len([line for line in lines if said in line]) == 1, lines


@pytest.mark.parametrize(("old", "new"), [("code: 2.0", "code: ten"), ("code: 8", "code: 2")])
def test_one_mistake_makes_one_message_also_in_a_shared_set(
    write: Write, old: str, new: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_instrument("residents", write(GOOD.replace(old, new)))
    assert len(caught.value.problems) == 1


def test_no_items_is_refused(write: Write) -> None:
    with pytest.raises(InputError, match="key 'items': nothing stands here"):
        read_instrument("residents", write("name: residents\nitems: {}\n"))


def test_a_missing_instrument_is_told_with_the_nearest(write: Write) -> None:
    with pytest.raises(InputError, match=r"no such file\. Did you mean 'residents\.yml'"):
        read_instrument("resident", write(GOOD))
