"""YAML files: read as text, refused with file, line and key, and never with anything else."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field

from sbwork.specs.documents import Mistake, MistakesError, Spec, load_spec
from sbwork.specs.errors import InputError

SLOWEST = 10.0


class Part(Spec):
    start: str = ""
    size: int = Field(default=1, gt=0)
    share: float = 0.5
    wanted: bool = False
    tags: tuple[str, ...] = ()


class Whole(Spec):
    name: str
    part: Part | None = None
    parts: tuple[Part, ...] = ()
    named: dict[str, Part] = Field(default_factory=dict)
    words: dict[str, str] = Field(default_factory=dict)


Load = Callable[..., Whole]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def run(content: str | bytes) -> Whole:
        path = tmp_path / "whole.yml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return load_spec(path, Whole)

    return run


def refuse(load: Load, content: str | bytes) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(content)
    lines = str(caught.value).splitlines()
    assert all(len(line) < 1000 and "whole.yml" in line for line in lines)
    return [line.partition("whole.yml")[2] for line in lines]


def test_values_become_what_the_model_says(load: Load) -> None:
    whole = load("name: a\npart: {start: 2016-07, size: 3, share: 0.25, wanted: true, tags: [x]}\n")
    assert whole.part == Part(start="2016-07", size=3, share=0.25, wanted=True, tags=("x",))


@pytest.mark.parametrize(
    "value",
    [
        "No",
        "yes",
        "on",
        "2016-07-01",
        "0012",
        "1.50",
        "1e3",
        "0x1F",
        "12:30:00",
        ".inf",
        "E01007359",
    ],
)
def test_text_stays_as_it_was_typed(load: Load, value: str) -> None:
    assert load(f"name: {value}\n").name == value
    assert load(f"name: a\nwords: {{{value!r}: x, k: {value}}}\n").words == {value: "x", "k": value}


def test_codes_may_be_keys(load: Load) -> None:
    assert load("name: a\nwords: {1: before, 2: after}\n").words == {"1": "before", "2": "after"}


@pytest.mark.parametrize("nothing", ["", " ~", " null", " # later"])
def test_a_key_with_nothing_after_it_is_left_out(load: Load, nothing: str) -> None:
    assert load(f"name: a\npart:{nothing}\nparts:{nothing}\n") == Whole(name="a")


def test_a_byte_order_mark_and_windows_line_ends_are_read(load: Load) -> None:
    assert load(b"\xef\xbb\xbfname: a\r\npart:\r\n  size: 3\r\n").part == Part(size=3)


def test_a_specification_can_not_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Part().size = 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name: a\nprat: a\n", ", line 2, key 'prat': 'prat' is not a key that is known here. "
         "Did you mean 'part'? Allowed: 'name', 'part', 'parts', 'named', 'words'."),
        ("name: a\npart:\n  sizes: 1\n", ", line 3, key 'part.sizes': 'sizes' is not a key that "
         "is known here. Did you mean 'size'? Allowed: 'start', 'size', 'share',"),
        ("name: a\nparts:\n  - size: 1\n  - wantd: true\n", ", line 4, key 'parts.wantd': "
         "'wantd' is not a key that is known here. Did you mean 'wanted'?"),
        ("name: a\nnamed:\n  part:\n    siz: 1\n", ", line 4, key 'named.part.siz': 'siz' is not a "
         "key that is known here. Did you mean 'size'? Allowed: 'start', 'size',"),
        ("name: a\npart: {size: many}\n", ", line 2, key 'part.size': 'many' stands here. "
         "A whole number is needed here."),
        ("name: a\npart: {size: 0}\n", ", line 2, key 'part.size': '0' stands here. It must be "
         "greater than 0."),
        ("name: a\npart: {size: 1.5}\n", "A whole number is needed here."),
        ("name: a\npart: {share: .nan}\n", "'.nan' stands here. A number is needed here."),
        ("name: a\npart: {share: nan}\n", "'nan' stands here. A number is needed here."),
        ("name: a\npart: {share: 1e999}\n", "'1e999' stands here. A number is needed here."),
        ("name: a\npart: {wanted: perhaps}\n", "'perhaps' stands here. 'true' or 'false' is"),
        ("name: a\npart: {tags: x}\n", "'x' stands here. A list is needed here"),
        ("name: a\npart: {tags: {x: y}}\n", "a block of 'key: value' lines stands here. A list"),
        ("name: a\npart: [x]\n", "a list stands here. Lines of 'key: value' are needed here."),
        ("name: a\nnamed:\n  x:\n", ", line 3, key 'named.x': nothing stands here. Lines of"),
        ("name: [x]\n", ", line 1, key 'name': a list stands here. Text is needed here."),
        ("", ", line 1: the key 'name' is missing"),
        ("# only a comment\n", ", line 1: the key 'name' is missing"),
        ("name:\n", "the key 'name' is missing, or nothing stands after it."),
        ("- name: a\n", ", line 1: the file is not made of 'key: value' lines."),
        ("just words\n", ", line 1: the file is not made of 'key: value' lines."),
        ("name: a\nname: b\n", ", line 2, key 'name': the key 'name' stands twice."),
        ("name: a\npart:\n  size: 1\n  size: 2\n", ", line 4, key 'part.size': the key 'size'"),
        ("name: a\n\tpart: b\n", ", line 2: the line is indented with a tab. Indent with spaces."),
        ("name: a\npart:\n\tsize: 1\n", ", line 3: the line is indented with a tab."),
        ("name: 'a\nparts: []\n", ", line 1: a quote or bracket is opened and never closed."),
        ("name: a\nparts: [\n", "a quote or bracket is opened and never closed"),
        ("name: a\nparts: [x\nwords: {}\n", "a bracket is opened and never closed"),
        ("name: a: b\n", ", line 1: two ': ' stand in one line"),
        ("name: a\nparts\n", "this is not a 'key: value' line. Put ': ' after the key."),
        ("name: a\npart:\n  size: 1\n wanted: true\n", ", line 4: the line does not line up"),
        ('name: "surveys\\march.csv"\n', "within double quotes, a backslash stands for something"),
        ('name: "\\U00110000"\n', "names no character"),
        ('name: "a\\0b"\n', ", line 1, key 'name': the text holds a control character."),
        ('name: "a\\ud800b"\n', ", line 1, key 'name': the text holds a control character."),
        ("name: a\nwords: {x: \x07}\n", ", line 2: a character stands here that text may not hold"),
        ("name: &n a\nwords: {x: *n}\n", ", line 2: aliases (*name) are not read here."),
        ("name: a\n<<: {part: x}\n", ", line 2, key '<<': '<<' is not a key"),
        ("name: !!python/object/apply:os.system [ls]\n", ", line 1, key 'name': the tag "),
        ("name: !!binary aGk=\n", "the tag 'tag:yaml.org,2002:binary' is not read here."),
        ("name: !secret a\n", "the tag '!secret' is not read here."),
        ("name: a\n? [x, y]\n: b\n", ", line 2: a key must be a word, not a list or block."),
        ("name: a\n---\nname: b\n", ", line 2: a second document begins here."),
        ("name: a\nparts: " + "[" * 5000, ", line 2: lists or blocks are nested too deeply."),
        ("\n".join(" " * n + "a:" for n in range(60)), "lists or blocks are nested too deeply."),
        (b"\xff\xfen\x00a\x00", ", line 1: the text is not UTF-8. Save the file again"),
        ("name: a\ntitle: café\n".encode("latin-1"), ", line 2: the text is not UTF-8."),
        (b"PK\x03\x04\x14\x00\x06\x00", ", line 1: a character stands here that text may not hold"),
        ("name: " + "a" * 200_000, "the file is larger than 200 kB. This is meant to be a short"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(load: Load, content: str | bytes, said: str) -> None:
    (line,) = refuse(load, content)
    assert said in line


def test_everything_wrong_is_told_at_once_in_reading_order(load: Load) -> None:
    lines = refuse(load, "part: {size: x, wanted: z9}\nparts:\n  - {share: z}\nnmae: a\n")
    assert [line.partition(":")[0] for line in lines] == [
        ", line 1",
        ", line 1, key 'part.size'",
        ", line 1, key 'part.wanted'",
        ", line 3, key 'parts.share'",
        ", line 4, key 'nmae'",
    ]


@pytest.mark.parametrize(
    "hostile",
    [
        "a" * 100_000,
        "\u202egnp.exe" * 1000,
        "<script>alert(1)</script>",
        "=HYPERLINK(1)",
        "a\u2028b",
    ],
)
def test_hostile_keys_and_values_make_one_short_line(load: Load, hostile: str) -> None:
    (line,) = refuse(load, f"name: a\npart: {{size: {hostile!r}}}\n")
    assert line.isprintable()
    assert len(line) < 300
    assert len(refuse(load, f"name: a\nwords: {{k: [{hostile!r}]}}\n")) == 1
    assert all(line.isprintable() for line in refuse(load, f"name: a\n? {hostile!r}\n: x\n"))


def test_a_bomb_of_aliases_is_refused_at_once(load: Load) -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
    )
    start = time.process_time()
    (line,) = refuse(load, bomb)
    assert "aliases" in line
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    "content",
    [
        "name: a\nparts:\n" + "".join(f"  - {{x{n}: 1}}\n" for n in range(13_000)),
        "name: a\npart:\n  tags:\n" + "".join(f"    - E{n:08d}\n" for n in range(13_000)),
        "name: a\nwords: {" + "".join(f"k{n}: v, " for n in range(15_000)) + "}\n",
        "name: a\nx: " + "- " * 95_000,
        "name: a\n" + ": " * 95_000,
    ],
    ids=["unknown keys", "a long list", "many words", "dashes", "colons"],
)
def test_a_long_file_takes_no_long_time(load: Load, content: str) -> None:
    start = time.process_time()
    with contextlib.suppress(InputError):
        load(content)
    assert time.process_time() - start < SLOWEST


@pytest.mark.parametrize("name", ["missing/whole.yml", "a" * 5000, "a\0b", "wohle.yml", ""])
def test_a_path_that_cannot_be_read_is_refused_in_one_line(
    load: Load, tmp_path: Path, name: str
) -> None:
    load("name: a\n")
    with pytest.raises(InputError) as caught:
        load_spec(tmp_path / name, Whole)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 500
    assert "no such file" in str(caught.value) or name not in {"wohle.yml", ""}
    assert ("Did you mean 'whole.yml'" in str(caught.value)) == (name == "wohle.yml")


def test_a_check_of_the_caller_is_told_with_the_lines_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "whole.yml"
    path.write_text("name: a\nparts:\n  - {size: 1}\n  - {size: 2}\n")

    def check(whole: Whole) -> list[Mistake]:
        assert whole.parts[1].size == 2
        return [Mistake(("parts", 1, "size"), "two is too many", "One", "1")]

    with pytest.raises(InputError) as caught:
        load_spec(path, Whole, check)
    assert str(caught.value).endswith(
        "whole.yml, line 4, key 'parts.size': two is too many. Did you mean '1'? One."
    )


def test_mistakes_read_well_without_a_file() -> None:
    error = MistakesError([Mistake(("pairs", 0, "control"), "unknown"), Mistake(("a",), "wrong")])
    assert str(error) == "pairs.control: unknown; a: wrong"


PIECES = st.sampled_from(
    [
        "name", "part", "parts", "size", "words", ": ", ":", "- ", "\n", "\n  ", "\n\t", " ", "[",
        "]", "{", "}", ",", "'", '"', "|", ">", "&a ", "*a", "!", "!!int ", "%", "#", "?", "? ",
        "\\", "\\x", "\\U00110000", "~", "null", "1e999", "---\n", "...", "@", "`", "<<", "é",
        "\ufeff", "\u2028", "\x00", "\x85", "true", "-1",
    ]
)  # fmt: skip


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.one_of(
        st.lists(PIECES, max_size=40).map("".join).map(lambda text: f"name: a\n{text}"),
        st.lists(PIECES, max_size=40).map("".join),
        st.text(max_size=60),
        st.binary(max_size=60),
    )
)
def test_nothing_but_an_input_error_comes_of_any_text(load: Load, content: str | bytes) -> None:
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    try:
        load(raw)
    except InputError as error:
        lines = str(error).split("\n")
        assert all("whole.yml" in line and line.isprintable() for line in lines)
