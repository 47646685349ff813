"""Two reports of one cohort, or three: what changed between them, played as an attack."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from sbwork import evaluation
from sbwork.evaluation import Evaluation
from sbwork.grade.disclosure import Ledger
from sbwork.grade.releases import CELLS, RELEASE, RESULTS, Earlier, deduce
from sbwork.report.release import keep_release
from sbwork.specs.errors import InputError
from sbwork.stats import Reason
from sbwork.stats.findings import combine_findings

ITEMS = ("t1", "t2")
SMALL = 10
Sizes = dict[tuple[str, str], int]
FIRST: Sizes = {
    (site, wave): 40 + 7 * at
    for at, (site, wave) in enumerate(itertools.product("abcd", ("before", "after")))
}


def draw_answers(sizes: Sizes) -> pd.DataFrame:
    """Draw answers; a longer list of a site and wave starts with the people of a shorter one."""
    frames = []
    for (site, wave), size in sizes.items():
        draws = np.random.default_rng([ord(site[0]), len(wave)])
        frame = pd.DataFrame(draws.integers(1, 6, (400, 2)), columns=list(ITEMS))[:size]
        frame = frame.assign(site=site, wave=wave)
        frame["met_street"] = draws.choice(["Yes", "No"], 400)[:size]
        frame["sex"] = np.where(np.arange(size) % 2, "f", "m")
        frames.append(frame.astype(object))
    return pd.concat(frames, ignore_index=True)


def write_cohort(folder: Path, answers: pd.DataFrame, **more: Any) -> None:
    own = folder / "cohorts" / "pilot"
    own.mkdir(parents=True, exist_ok=True)
    (folder / "instruments").mkdir(exist_ok=True)
    answers.to_csv(own / "all.csv", index=False)
    survey = {"path": "all.csv", "wave_column": "wave", "site_column": "site", "format": "csv",
              "multiple": {"contact": "met_"}, "keep": ["sex"]}  # fmt: skip
    cohort = {
        "name": "pilot",
        "instrument": "short",
        "sites": {site: {} for site in "abcd"},
        "pairs": [{"intervention": "a", "control": "b"}, {"intervention": "c", "control": "d"}],
        "surveys": [survey],
        **more,
    }
    questionnaire = {
        "name": "short",
        "options": {"agree": [{"code": n, "label": f"Answer {n}"} for n in range(1, 6)]},
        "items": {item: {"text": f"Item {item}", "options": "agree"} for item in ITEMS},
        "scales": {"trust": {"title": "Trust", "items": list(ITEMS)}},
    }
    (own / "cohort.yml").write_text(json.dumps(cohort), "utf-8")
    (folder / "instruments" / "short.yml").write_text(json.dumps(questionnaire), "utf-8")


def evaluate(folder: Path) -> Evaluation:
    return evaluation.evaluate_cohort("pilot", folder)


@pytest.fixture(autouse=True)
def skip_reliability(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes long and rests on the same people."""
    monkeypatch.setattr(evaluation, "scale_reliability", lambda *_, **__: combine_findings([]))


def release(found: Evaluation) -> Path:
    table = found.findings.to_csv(index=False, lineterminator="\n").encode()
    return keep_release(found.cohort, table, found.publishable.cells)


Members = frozenset[tuple[str, str]]


def list_published(report: Evaluation) -> Iterator[tuple[Members, float]]:
    """Yield the people of each number that is published, how many they are."""
    cohort, found = report.cohort, report.findings
    waves = ("before", "after")
    everybody = frozenset(itertools.product(cohort.sites, waves))
    for row in found[found["section"].isin(["scales", "scores"])].itertuples():
        sites = {"all": set(cohort.sites), "": set(cohort.sites)}.get(row.site, {row.site})
        for role in ("intervention", "control"):
            if row.site == role:
                sites = {getattr(pair, role) for pair in cohort.pairs} - {None}
        members = frozenset(
            itertools.product(sorted(sites), [row.period] if row.period in waves else waves)
        )
        if row.comparison or not math.isfinite(row.n):
            continue
        yield members, row.n
    assert report.publishable.answers is not None
    quality = report.publishable.answers.quality
    for row in quality.itertuples():
        if row.check in ("used", "rows read", "Rows read", "Questionnaires used"):
            yield everybody, float(row.count)
    answers = report.publishable.answers
    sites = {pair.intervention for pair in cohort.pairs}
    for row in answers.items.drop_duplicates("item").itertuples():
        yield frozenset((site, answers.wave) for site in sites), row.n
    for row in answers.multiple.itertuples():
        yield frozenset(itertools.product(cohort.sites, [row.wave])), row.n


def bound_changes(
    reports: list[tuple[Evaluation, Mapping[str, tuple[str, ...]]]], sign: int
) -> dict[tuple[int, tuple[str, str]], tuple[float, float]]:
    """Bound how many people joined each site and wave between reports, by linear programming.

    The attacker takes for granted that people only joined (or only left, `sign` -1). Each report
    comes with the places that its sites are made of.
    """
    cells = sorted({
        (place, wave) for _, parts in reports for site in parts.values() for place in site
        for wave in ("before", "after")
    })  # fmt: skip
    width, rows, right = len(cells), [], []
    for number, (report, parts) in enumerate(reports):
        for members, n in list_published(report):
            if not math.isfinite(n):
                continue
            row = np.zeros(width * len(reports))
            for site, wave in members:
                for place in parts[site]:
                    at = cells.index((place, wave))
                    row[at] += 1
                    for later in range(1, number + 1):
                        row[later * width + at] += sign
            rows.append(row)
            right.append(n)
    kept, ends = [], {}
    for row, n in zip(rows, right, strict=True):
        kept.append((tuple(row), n))
    lines = np.array([row for row, _ in dict.fromkeys(kept)])
    amounts = np.array([n for _, n in dict.fromkeys(kept)])
    for later in range(1, len(reports)):
        for at, cell in enumerate(cells):
            aim = np.zeros(lines.shape[1])
            aim[later * width + at] = 1
            found = [linprog(s * aim, A_eq=lines, b_eq=amounts, bounds=(0, 5000)) for s in (1, -1)]
            if all(one.success for one in found):
                ends[later, cell] = (found[0].fun, -found[1].fun)
    return ends


def grow(**more: int) -> Sizes:
    """Change sizes by site and first letter of the wave, such as ``aa=3``."""
    sizes = dict(FIRST)
    for name, number in more.items():
        sizes[name[0], {"b": "before", "a": "after"}[name[1]]] += number
    return sizes


PLACES = {site: (site,) for site in "abcd"}
ONE_PAIR = {"pairs": [{"intervention": "a", "control": "b"}]}
GROWTH = {
    "three join a site": [grow(aa=3)],
    "one joins a site": [grow(cb=1)],
    "nine join a site": [grow(da=9)],
    "three leave a site": [grow(aa=-3)],
    "one leaves a site": [grow(bb=-1)],
    "nine leave a site": [grow(ca=-9)],
    "few join one, many another": [grow(aa=4, ca=30)],
    "few join one, many all others": [grow(aa=4, ca=30, ba=25, da=41, ab=20, bb=35, cb=52, db=18)],
    "few join two": [grow(aa=3, ca=4)],
    "few join every site": [grow(aa=2, ca=3, ba=4, da=5, ab=6, bb=7, cb=8, db=9)],
    "few join all but one": [grow(aa=2, ca=3, ba=4, da=45, ab=6, bb=7, cb=8, db=9)],
    "seven join in sum": [grow(aa=2, ab=5)],
    "many join everywhere": [grow(aa=12, ca=13, ba=14, da=15, ab=16, bb=17, cb=18, db=19)],
    "few join, then few more": [grow(aa=4), grow(aa=8)],
    "few join, then many": [grow(aa=4), grow(aa=40)],
    "many join, then few": [grow(aa=40), grow(aa=44)],
    "few join a site, then another": [grow(aa=4), grow(aa=4, ba=5)],
    "few join, the same report, few more": [grow(ba=5), grow(ba=5), grow(ba=9)],
    "few leave, then more": [grow(ca=-4), grow(ca=-9)],
    "many leave, then few": [grow(ca=-20), grow(ca=-26)],
    "few join a site, many join, then few": [grow(aa=5, ba=30), grow(aa=9, ba=60)],
}


@pytest.mark.parametrize("kind", GROWTH)
def test_nobody_finds_out_how_few_joined_or_left(kind: str, tmp_path: Path) -> None:
    write_cohort(tmp_path, draw_answers(FIRST))
    found = evaluate(tmp_path)
    history, sizes = [(found, PLACES)], [FIRST, *GROWTH[kind]]
    for now in GROWTH[kind]:
        release(found)
        write_cohort(tmp_path, draw_answers(now))
        found = evaluate(tmp_path)
        history.append((found, PLACES))
    for first, second in itertools.combinations(range(len(sizes)), 2):
        changes = {cell: sizes[second][cell] - sizes[first][cell] for cell in FIRST}
        sign = 1 if min(changes.values()) >= 0 else -1
        bounds = bound_changes([history[first], history[second]], sign)
        for cell, number in changes.items():
            low, high = bounds[1, cell]
            assert low - 1e-6 <= sign * number <= high + 1e-6
            if 1 <= abs(number) < SMALL:
                assert low <= 1 + 1e-6, (cell, low, high)
                assert high >= SMALL - 1 - 1e-6, (cell, low, high)


def is_held(found: Evaluation) -> pd.Series:
    return found.findings["reason"] == Reason.RELEASED


def compare_with(tmp_path: Path, first: Sizes, second: pd.DataFrame, **more: Any) -> Evaluation:
    """Release a report of the first answers, and evaluate the second."""
    write_cohort(tmp_path, draw_answers(first), **more.pop("before", {}))
    release(evaluate(tmp_path))
    write_cohort(tmp_path, second, **more)
    return evaluate(tmp_path)


def test_an_unchanged_report_shows_all_the_same(tmp_path: Path) -> None:
    sizes = {**FIRST, ("a", "after"): 6}
    found = compare_with(tmp_path, sizes, draw_answers(sizes))
    (folder,) = (tmp_path / "cohorts" / "pilot" / "releases").iterdir()
    kept = pd.read_csv(folder / RESULTS)
    np.testing.assert_array_equal(kept["n"], found.findings["n"])
    assert not is_held(found).any()
    assert found.publishable.held_back.empty
    assert ["scored", "trust", "a", "after"] not in [
        cell for cell, _ in json.loads((folder / CELLS).read_text("utf-8"))["people_shown"]
    ]


def test_drafts_are_never_compared(tmp_path: Path) -> None:
    write_cohort(tmp_path, draw_answers(FIRST))
    evaluate(tmp_path)
    write_cohort(tmp_path, draw_answers(grow(aa=3)))
    assert not is_held(evaluate(tmp_path)).any()


def test_the_answers_of_one_person_put_right_are_held_back(tmp_path: Path) -> None:
    second = draw_answers(FIRST)
    second.loc[3, "t1"] = 5 if second.loc[3, "t1"] < 3 else 1
    found = compare_with(tmp_path, FIRST, second)
    rows = found.findings[is_held(found) & (found.findings["estimator"] == "mean")]
    assert ("a", "before") in set(zip(rows["site"], rows["period"], strict=True))
    note = rows["note"].iloc[0]
    assert note.startswith("Held back: with the report released on ")
    assert note.endswith(" it would give a small group away.")


def test_a_scale_put_right_for_everybody_is_shown(tmp_path: Path) -> None:
    second = draw_answers(FIRST)
    second[list(ITEMS)] = 6 - second[list(ITEMS)].astype(int)
    found = compare_with(tmp_path, dict.fromkeys(FIRST, 130), second)
    assert found.findings.query("estimator == 'mean'")["estimate"].notna().any()


@pytest.mark.parametrize(
    "sites",
    [
        {"ab": {"names": ["a", "b"]}, "c": {}, "d": {}},
        {"a": {}, "b": {}, "cd": {"names": ["c", "d"]}},
        {"anew": {"names": ["a"]}, "b": {}, "c": {}, "d": {}},
    ],
    ids=["two merged", "two others merged", "one renamed"],
)
def test_sites_merged_or_renamed_are_followed(sites: dict[str, Any], tmp_path: Path) -> None:
    grown = grow(ab=3, aa=4, cb=2, ca=5)
    found = compare_with(
        tmp_path, FIRST, draw_answers(grown), sites=sites,
        pairs=[{"intervention": next(iter(sites)), "control": "d" if "d" in sites else "b"}],
    )  # fmt: skip
    parts = {site: tuple(spec.get("names", site)) for site, spec in sites.items()}
    first = tmp_path / "first"
    write_cohort(first, draw_answers(FIRST))
    bounds = bound_changes([(evaluate(first), PLACES), (found, parts)], 1)
    for place, wave in (("a", "before"), ("a", "after"), ("c", "before"), ("c", "after")):
        low, high = bounds[1, (place, wave)]
        assert low <= 1 + 1e-6
        assert high >= SMALL - 1 - 1e-6, (place, wave, low, high)


def make_book(numbers: Mapping[str, float], earlier: list[Earlier]) -> Ledger:
    """Make a ledger of areas and their total; what it would show is entered as shown."""
    book = Ledger(earlier=earlier)
    for area, number in numbers.items():
        book.count(("asked", "", area, "after"), number, 1.0)
    book.count(("asked", "", "all", "after"), sum(numbers.values()), 1.0)
    book.link(("asked", "", "all", "after"), [("asked", "", area, "after") for area in numbers])
    return book


@pytest.mark.parametrize("a", [5, 8, 12, 50])
@pytest.mark.parametrize("b", [30, 60])
@pytest.mark.parametrize("c", [40, 43, 80])
def test_a_group_hidden_before_does_not_come_back(a: int, b: int, c: int) -> None:
    first = make_book({"a": 5, "b": 30, "c": 40}, [])
    laid = first.lay_out(SMALL)
    shown = {tuple(cell): number for cell, number in laid["shown"]}
    links = [{tuple(cell): factor for cell, factor in link} for link in laid["sums"]]
    book = make_book({"a": a, "b": b, "c": c}, [Earlier(deduce(shown, links), links)])
    book.hide(SMALL)
    now = {cell: book.counts[cell] for cell in book.cost.keys() - book.hide(SMALL)}
    known = deduce(now, book.links)
    # Whoever is shown now, or follows, is taken to be as many as then, where that is possible.
    guesses = [cell for cell in known if cell not in shown and known[cell] <= 75]
    for number in range(1, len(guesses) + 1):
        for chosen in itertools.combinations(guesses, number):
            then = deduce({**shown, **{cell: known[cell] for cell in chosen}}, links)
            group = then.get(("asked", "", "a", "after"))
            fits = all(
                abs(sum(f * then.get(cell, 0) for cell, f in link.items())) < 1e-6
                for link in links
                if link.keys() <= then.keys()
            )
            assert group != 5 or not fits


@pytest.mark.parametrize("file", [RELEASE, RESULTS, CELLS, "folder", "gone"])
def test_a_release_that_was_changed_is_refused(file: str, tmp_path: Path) -> None:
    write_cohort(tmp_path, draw_answers(FIRST))
    folder = release(evaluate(tmp_path))
    if file == "folder":
        folder.rename(folder.with_name(f"{folder.name} (copy)"))
    elif file == "gone":
        (folder / CELLS).unlink()
    else:
        text = (folder / file).read_text("utf-8")
        (folder / file).write_text(text.replace("1", "2"), "utf-8", newline="\n")
    with pytest.raises(InputError, match="this release can't be read"):
        evaluate(tmp_path)


def test_other_ends_of_lines_change_nothing(tmp_path: Path) -> None:
    write_cohort(tmp_path, draw_answers(FIRST))
    folder = release(evaluate(tmp_path))
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert not is_held(evaluate(tmp_path)).any()
