"""Texts of every kind come out as they were written, wherever a report shows them."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from bs4 import BeautifulSoup

from sbwork.render.blocks import PLAIN_CLASS

pytestmark = pytest.mark.notebook

MARKS = (
    "_a_ *b* `c` ~d~ # e | f [g](http://h.i) \\j $5 or $10, $___ and x^2_k, 100% {} {l} {{m}} "
    "<b>n</b> &amp; &lt; <script>alert(1)</script> 'o' \"p\" “q” – … é 漢字 שלום 😀"
)
LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamter" * 2
ODD = f"{MARKS} {LONG_WORD}"
DRAWN = ("Label", "Item", "Scale", "Site", "Outcome", "Pair", "Figure")
"""What pictures show too; labels of answers are shown nowhere else."""
MONTHS = [f"{year}-{month:02}" for year in (2016, 2017) for month in range(1, 13)]


def plant(folder: Path, odd: str) -> set[str]:
    """Write a small cohort in which every text is odd; return the texts."""
    planted: set[str] = set()

    def text(name: str) -> str:
        planted.add(f"{odd} {name}")
        return f"{odd} {name}"

    options = [{"code": code, "label": text(f"Label {code}")} for code in range(1, 6)]
    items = {key: {"text": text(f"Item {key}"), "options": "agree"} for key in ("t1", "t2", "t3")}
    scales = {"trust": {"title": text("Scale"), "items": list(items)}}
    sites = {
        key: {"title": text(f"Site {key}"), "lsoas": [f"E0100000{n}"]} for n, key in enumerate("ab")
    }
    cohort: dict[str, Any] = {
        "name": "pilot",
        "title": text("Cohort"),
        "summary": text("Summary"),
        "notice": text("Notice"),
        "data_status": "invented",
        "attribution": [text("Attribution")],
        "references": [text("Reference")],
        "instrument": "odd",
        "sites": sites,
        "pairs": [
            {"title": text("Pair"), "intervention": "a", "control": "b",
             "control_reason": text("Reason")}
        ],
        "chosen_because": {"reason": "other", "sentence": text("Chosen")},
        "periods": {
            "before": {"start": MONTHS[0], "end": MONTHS[11]},
            "after": {"start": MONTHS[12], "end": MONTHS[23]},
        },
        "outcomes": {"theft": {"title": text("Outcome"), "crime_types": [odd]}},
        "incidents": [{"path": "co{un}ts $1_2.csv"}],
        "surveys": [
            {"path": "su{}rvey $1_2.csv", "wave_column": "wave", "site_column": "site",
             "stories": ["story"], "multiple": {"met": "met_"}}
        ],
        "reported_figures": [
            {"title": text("Figure"), "change_percent": -12, "reported_by": text("Reporter")}
        ],
        "stories": [{"theme": text("Theme"), "text": text("Story"), "told_by": text("Teller")}],
        "engagement": [{"date": "2017-01-02", "event": text("Event"), "attendance": 40}],
    }  # fmt: skip
    own = folder / "cohorts" / "pilot"
    own.mkdir(parents=True)
    (folder / "instruments").mkdir()
    questionnaire = {"name": "odd", "title": text("Questionnaire"), "source": text("Source"),
                     "options": {"agree": options}, "items": items, "scales": scales}  # fmt: skip
    for path, document in (
        (own / "cohort.yml", cohort),
        (folder / "instruments" / "odd.yml", questionnaire),
    ):
        path.write_text(yaml.safe_dump(document, allow_unicode=True, width=1000), "utf-8")
    quoted = '"' + odd.replace('"', '""') + '"'
    lines = ["month,site,crime_type,count"]
    lines += [f"{m},{s},{quoted},{20 + n % 7}" for n, m in enumerate(MONTHS) for s in "ab"]
    (own / "co{un}ts $1_2.csv").write_text("\n".join(lines), "utf-8")
    lines = ["wave,site,t1,t2,t3,met_x,story"]
    for number in range(120):
        wave, site = ("before", "after")[number % 2], "ab"[number // 2 % 2]
        codes = ",".join(str(1 + (number // 4 * k + number) % 5) for k in (1, 2, 4))
        lines.append(f"{wave},{site},{codes},{'Yes' if number % 3 else 'No'},{quoted}")
    (own / "su{}rvey $1_2.csv").write_text("\n".join(lines), "utf-8")
    return planted


def test_every_text_is_shown_as_it_was_written(tmp_path: Path) -> None:
    data = tmp_path / "da{ta} {} $1 _x_ %s"
    planted = plant(data, ODD)
    out = tmp_path / "ou{t} $2 &"
    command = [sys.executable, "-m", "sbwork", "report", "pilot", "--data", str(data)]
    done = subprocess.run(
        [*command, "--out", str(out)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    page = BeautifulSoup((out / "pilot" / "report.html").read_text("utf-8"), "html.parser")
    shown = page.get_text(" ") + " ".join(image["alt"] for image in page.find_all("img"))
    named = {text.removeprefix(ODD).strip(): text for text in planted}
    unseen = {name for name, text in named.items() if fold(text) not in fold(shown)}
    assert unseen == {f"Label {code}" for code in range(1, 6)}
    heads = fold(" ".join(head.get_text() for head in page.select("thead th")))
    assert all(fold(named[name]) in heads for name in ("Site a", "Site b", "Pair"))
    drawn = fold(
        " ".join(
            html.unescape(line)
            for path in (out / "pilot" / "figures").glob("*.svg")
            for line in re.findall("<!-- (.*?) -->", path.read_text("utf-8"), re.DOTALL)
        )
    )
    assert [n for n in named if n.startswith(DRAWN) and fold(named[n]) not in drawn] == []
    assert not page.find_all(["script", "b"], string=re.compile("alert|^n$"))
    notebook = json.loads((out / "pilot" / "report.ipynb").read_text("utf-8"))
    told = [output["data"]["text/html"] for cell in notebook["cells"] for output in
            cell.get("outputs", []) if "text/html" in output.get("data", {})]  # fmt: skip
    assert told
    assert all("".join(text).startswith(f'<div class="{PLAIN_CLASS}">') for text in told)


def fold(text: str) -> str:
    """Return a text without what may be drawn between its letters."""
    return re.sub(r"\s|\u200b", "", text)
