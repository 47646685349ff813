"""Who answered: the flow of people, balance, and what those who did not answer could change."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sbwork.grade.publishable import Publishable
from sbwork.render.blocks import Picture, Section, Table, compose_picture
from sbwork.render.intervals import HIDDEN, WAVES, describe_interval
from sbwork.render.reasons import HIDING
from sbwork.render.style import BEFORE, INK, INTERVENTION, PALE, name_lines
from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument
from sbwork.stats import Flag, Reason
from sbwork.stats.balance import IMBALANCE
from sbwork.stats.findings import find_flagged, find_row, has_flag, select_findings
from sbwork.stats.formats import (
    MISSING,
    describe_p,
    format_count,
    format_list,
    format_number,
    format_p,
    format_share,
    lower_title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

UNKNOWN = "not known"
_TWO_SIDED = 1.96
_ARMS = ("intervention", "control")
_SMD = "standardised_difference"
_DID = "difference_in_differences"
_WAVES = {"before": "Before", "after": "After"}
_FLOW = {
    "n_invited": "Invited",
    "n_answered": "Answered",
    "response_rate": "Response rate",
    "n_used": "With a weight",
    "n_scored": "With a score",
}
_WHY = (
    "Who did not answer can matter as much as what the others said. This section shows who did, "
    "how alike the groups were, and how far the results would move with other assumptions about "
    "the answers that are missing."
)
_BALANCE_NOTE = (
    "Standardised difference: the gap in standard deviations (Austin 2009), for columns of "
    "categories the Mahalanobis distance of their shares (Yang and Dalton 2012), which has no "
    "sign."
)
_LIMITS_NOTE = "Marked *: more than 0.1; **: more than 0.25."
_BOUNDS_NOTE = (
    "Lee's bounds (Lee 2009) compare those who would answer either way; worst case (Manski 1990) "
    "puts the missing scores at the ends of the scale. Intervals are Imbens and Manski's (2004)."
)
_NO_BOUNDS = (
    "How far those who did not answer could move the result can't be said: that takes the numbers "
    "invited, or ids by which the same people are known in both waves."
)
_CHECKS = {"": "Scored", "_fiml": "All answers at hand", "_complete_cases": "Complete answers only"}


def present_sample(evaluation: Publishable) -> Section:
    """Show who answered, how alike the groups were, and what missing answers could change."""
    cohort, findings, instrument = evaluation.cohort, evaluation.findings, evaluation.instrument
    if instrument is None or evaluation.answers is None:
        return Section(["No survey was given, so there is nobody to count."])
    blocks: list[Any] = [
        _WHY,
        " ".join(
            filter(
                None,
                (
                    describe_flow(findings),
                    describe_balance(findings, cohort, instrument),
                    describe_bounds(findings, cohort, instrument),
                ),
            )
        ),
        tabulate_flow(findings, cohort),
        *_show_balance(findings, cohort, instrument),
        *_show_bounds(findings, cohort, instrument),
        *_show_missing(findings, cohort, instrument),
        *_show_order(findings, cohort, instrument),
        *_show_clusters(findings, cohort, instrument),
    ]
    return Section([block for block in blocks if block != ""])


def describe_flow(findings: pd.DataFrame) -> str:
    """Say how many were invited and answered in each wave, and how many answered both."""
    find = partial(find_row, findings, section="sample", outcome="questionnaire", site="all")
    parts, unknown = [], False
    for wave in WAVES:
        answered, rate = (find(period=wave, estimator=name)
                          for name in ("n_answered", "response_rate"))  # fmt: skip
        if answered is None or not answered["estimate"] > 0:
            continue
        count = format_count(answered["estimate"])
        if rate is not None and not math.isnan(rate["estimate"]):
            invited = find(period=wave, estimator="n_invited")
            assert invited is not None  # noqa: S101
            share = format_share(rate["estimate"])
            asked = f"the {format_count(invited['estimate'])} people invited"
            parts.append(f"{count} of {asked} {wave} ({share})")
        else:
            unknown |= rate is not None and rate["reason"] == Reason.NOT_STATED
            parts.append(f"{count} people {wave}")
    if not parts:
        return ""
    text = f"The questionnaire was answered by {format_list(parts)}."
    if unknown:
        text += " How many did not answer is not known: cohort.yml does not say who was invited."
    linked = find(period="change", estimator="n_linked")
    if linked is not None and linked["estimate"] > 0:
        text += f" {format_count(linked['estimate'])} people answered both waves."
    return text


def describe_balance(findings: pd.DataFrame, cohort: Cohort, instrument: Instrument) -> str:
    """Say in what the arms differed before the work, and what chance would do."""
    rows = _find_baseline(findings).dropna(subset=["estimate"])
    if rows.empty:
        return ""
    apart = rows[find_flagged(rows, Flag.IMBALANCED)]
    chance = ""
    if rows["n"].notna().all():
        usual = format_number(_TWO_SIDED * 2 / math.sqrt(rows["n"].min()))
        chance = f" Chance alone makes gaps of up to about {usual} between groups of this size."
    limit = f"{IMBALANCE:g} standard deviations"
    if apart.empty:
        return (
            f"Before the work, areas and control sites differed by no more than {limit} in "
            f"anything that is known of the people.{chance}"
        )
    named = [
        f"{lower_title(_title(instrument, row['outcome']))} ({format_number(row['estimate'])})"
        for _, row in apart.iterrows()
    ]
    return (
        f"Before the work, areas and control sites differed by more than {limit} in "
        f"{format_list(named)}; a gap that was there from the start is taken out of the "
        f"difference in differences only if it stays as it is.{chance}"
    )


def describe_bounds(findings: pd.DataFrame, cohort: Cohort, instrument: Instrument) -> str:
    """Say what the worst case would be, and where Lee's bounds still leave no difference out."""
    ends = select_findings(findings, section="sample", site="all", period="change")
    ends = ends.dropna(subset=["estimate"]).set_index("outcome")
    low, high = (
        ends.loc[ends["estimator"] == f"manski_{end}", "estimate"] for end in ("lower", "upper")
    )
    if low.empty:
        return ""
    text = (
        "If everybody who was lost between the waves had given the worst or the best answers, a "
        "difference in differences could lie anywhere within a range of "
        f"{format_number(float((high - low).max()))} points."
    )
    lee = ends[ends["estimator"] == "lee_lower"]
    if lee.empty:
        return text
    apart = lee[(lee["ci_low"] > 0) | (lee["ci_high"] < 0)]
    clear = [
        lower_title(instrument.title_scale(scale))
        for scale in instrument.scales
        if scale in apart.index
    ]
    if clear:
        return f"{text} By Lee's bounds a difference remains for {format_list(clear)}."
    return f"{text} By Lee's bounds no difference is shown to remain for any scale."


def _find_baseline(findings: pd.DataFrame, estimator: str = _SMD) -> pd.DataFrame:
    """Find the comparison of both arms before the work."""
    return select_findings(
        findings, section="sample", estimator=estimator, site="intervention", period="before"
    )


def tabulate_flow(findings: pd.DataFrame, cohort: Cohort) -> Table:
    """Lay out how many people there were from invited to analysed, by site and wave."""
    chosen = select_findings(findings, section="sample", outcome="questionnaire")
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    sites = [site for site in (*cohort.sites, "all") if (chosen["site"] == site).any()]
    for site in sites if len(sites) > 2 else sites[:1]:
        linked = find_row(chosen, site=site, period="change", estimator="n_linked")
        for wave, title in _WAVES.items():
            known = {name: find_row(chosen, site=site, period=wave, estimator=name)
                     for name in _FLOW}  # fmt: skip
            notes += [str(r["note"]) for r in known.values() if r is not None]
            row = {"Site": "All sites" if site == "all" else cohort.title_site(site), "Wave": title}
            for name, heading in _FLOW.items():
                write = format_share if name == "response_rate" else format_count
                row[heading] = _write(known[name], write)
                if name == "response_rate":
                    row["95% interval"] = describe_interval_of_share(known[name])
            if linked is not None:
                row["In both waves"] = _write(linked, format_count) if wave == "after" else ""
            rows.append(row)
    if all(row["With a weight"] == row["Answered"] for row in rows):
        rows = [{k: v for k, v in row.items() if k != "With a weight"} for row in rows]
    return Table(
        rows,
        name="flow",
        title="From invited to analysed",
        subtitle="People by site and wave (STROBE items 13 and 14, TREND items 12 and 16)",
        stub="Wave",
        group="Site",
        notes=[*notes, "With a score: on one scale or more."],
    )


def describe_interval_of_share(row: pd.Series[Any] | None) -> str:
    """Write the interval of a share in percent."""
    if row is None or math.isnan(row["ci_low"]):
        return "" if row is None or row["reason"] == Reason.NOT_STATED else MISSING
    return f"{format_share(row['ci_low'])} to {format_share(row['ci_high'])}"


def _show_balance(
    findings: pd.DataFrame, cohort: Cohort, instrument: Instrument
) -> Iterator[Table | Picture]:
    rows = _find_baseline(findings)
    if len(rows):
        yield tabulate_balance(findings, cohort, instrument)
        known = rows.dropna(subset=["estimate"])
        if len(known):
            weighted = _find_baseline(findings, f"{_SMD}_weighted").dropna(subset=["estimate"])
            labels = [_title(instrument, outcome) for outcome in known["outcome"]]
            yield compose_picture(
                cohort,
                "balance-people",
                [("", partial(draw_balance, rows=known, weighted=weighted, labels=labels))],
                size=(8.2, 1.5 + 0.38 * len(known)),
                alt=_describe_drawn(known, labels),
                caption="How far areas and control sites lay apart before the work, in standard "
                "deviations; within the shaded band they count as alike.",
            )
    moved = select_findings(findings, section="sample", period="change", comparison="")
    if moved["estimator"].eq(_SMD).any():
        yield tabulate_shift(moved, cohort, instrument)


def tabulate_balance(findings: pd.DataFrame, cohort: Cohort, instrument: Instrument) -> Table:
    """Lay out what the people of both arms were like before the work."""
    chosen = select_findings(findings, section="sample", period="before")
    compared = _find_baseline(findings)
    weighted = (chosen["estimator"] == f"{_SMD}_weighted").any()
    rows: list[dict[str, str]] = []
    for _, row in compared.iterrows():
        outcome = str(row["outcome"])
        heavy = find_row(chosen, outcome=outcome, site="intervention", estimator=f"{_SMD}_weighted")
        parts = chosen[chosen["outcome"].str.startswith(f"{outcome}/")]
        scale = outcome in instrument.scales
        means = [find_row(chosen, outcome=outcome, site=arm, estimator="mean") for arm in _ARMS]
        line = {
            "Group": "Scales" if scale else "Background",
            "What": _title(instrument, outcome) + ("" if len(parts) else ", mean"),
            "Areas": "" if len(parts) else _write_mean(means[0]),
            "Control sites": "" if len(parts) else _write_mean(means[1]),
            "Difference (SD)": _mark(row),
        }
        if weighted:
            line["Weighted"] = _mark(heavy)
        rows.append(line)
        for part in dict.fromkeys(parts["outcome"]):
            shares = [
                find_row(parts, outcome=part, site=arm) for arm in ("intervention", "control")
            ]
            rows.append(
                dict.fromkeys(line, "")
                | {
                    "Group": line["Group"],
                    "What": f"\u2003{part.partition('/')[2]}",
                    "Areas": _write_share(shares[0]),
                    "Control sites": _write_share(shares[1]),
                }
            )
    return Table(
        rows,
        name="balance-people",
        title="Were the people of areas and control sites alike before the work?",
        subtitle="Mean or share, with n (STROBE item 14, TREND items 14 and 15)",
        stub="What",
        group="Group",
        notes=[*compared["note"], _BALANCE_NOTE, _LIMITS_NOTE],
    )


def tabulate_shift(moved: pd.DataFrame, cohort: Cohort, instrument: Instrument) -> Table:
    """Lay out whether who answered changed from one wave to the other, in each arm."""
    titles = {"intervention": "Areas", "control": "Control sites", "all": "All sites"}
    plain = moved[moved["estimator"] == _SMD]
    arms = [arm for arm in titles if (plain["site"] == arm).any()]
    weighted = moved["estimator"].eq(f"{_SMD}_weighted").any()
    rows = []
    for outcome in dict.fromkeys(plain["outcome"]):
        row = {"What": _title(instrument, outcome)}
        for arm in arms:
            row[titles[arm]] = _mark(find_row(plain, outcome=outcome, site=arm))
            if weighted:
                heavy = find_row(moved, outcome=outcome, site=arm, estimator=f"{_SMD}_weighted")
                row[f"{titles[arm]}, weighted"] = _mark(heavy)
        rows.append(row)
    return Table(
        rows,
        name="shift",
        title="Did the mix of those who answered change?",
        subtitle="Standardised difference of the wave after from the wave before",
        stub="What",
        notes=[*plain["note"], _BALANCE_NOTE, _LIMITS_NOTE],
    )


def _show_bounds(
    findings: pd.DataFrame, cohort: Cohort, instrument: Instrument
) -> Iterator[str | Table]:
    chosen = select_findings(findings, section="sample", period="change")
    kinds = {
        "lee": "Lee's bounds",
        "manski": "Worst case, people lost",
        "manski_invited": "Worst case, all invited",
    }
    kinds = {kind: title for kind, title in kinds.items()
             if chosen["estimator"].eq(f"{kind}_lower").any()}  # fmt: skip
    rows, notes = [], []
    places = _list_places(chosen, cohort, instrument, "manski_invited_lower")
    known = chosen[chosen["estimator"].str.startswith(tuple(kinds))]
    if places and (known["reason"] == Reason.NOT_STATED).all():
        yield _NO_BOUNDS
        return
    for scale, site in places:
        did = find_row(findings, section="scales", outcome=scale, site=site, estimator=_DID)
        row = {
            "Scale": instrument.title_scale(scale),
            "Pair": cohort.title_pair(site),
            "As answered": _write(did, format_number),
        }
        for kind, title in kinds.items():
            ends = [find_row(chosen, outcome=scale, site=site, estimator=f"{kind}_{end}")
                    for end in ("lower", "upper")]  # fmt: skip
            notes += [str(end["note"]) for end in ends if end is not None]
            row[title] = _write_ends(*ends)
            if kind == "lee":
                row["95% interval"] = describe_interval(ends[0])
        rows.append(row)
    if rows:
        yield Table(
            rows,
            name="bounds",
            title="How far could those who did not answer move the result?",
            subtitle="The ends between which the difference in differences lies, in points",
            stub="Pair",
            group="Scale",
            notes=[*notes, _BOUNDS_NOTE],
        )


def _show_missing(
    findings: pd.DataFrame, cohort: Cohort, instrument: Instrument
) -> Iterator[Table]:
    """Lay out the scored result beside what all answers at hand, and complete ones, say."""
    rows, notes = [], []
    names = [_DID, "mean_difference", "mean"]
    chosen = select_findings(findings, section="sample")
    chosen = chosen[chosen["estimator"].isin([f"{name}_fiml" for name in names])]
    together = chosen["site"] == "all"
    for _, filled in chosen[together if together.any() else slice(None)].iterrows():
        name = str(filled["estimator"]).removesuffix("_fiml")
        place = {key: filled[key] for key in ("outcome", "site", "period")}
        named = cohort.title_pair if filled["comparison"] else cohort.title_site
        title = named(filled["site"])
        wave = "" if filled["period"] == "change" else f", {filled['period']}"
        row = {"Scale": instrument.title_scale(filled["outcome"])}
        row |= {} if together.any() else {"Pair": title + wave}
        for suffix, heading in _CHECKS.items():
            section = "sample" if suffix else "scales"
            found = find_row(findings, section=section, estimator=f"{name}{suffix}", **place)
            if found is None and name == "mean":
                found = find_row(findings, section="scores", estimator=f"{name}{suffix}", **place)
            row[heading] = _write(found, format_number)
            row[f"{heading} interval"] = describe_interval(found)
            if found is not None and suffix:
                notes.append(str(found["note"]))
        rows.append(row)
    if rows:
        titles = list(_CHECKS.values())
        yield Table(
            rows,
            name="missing-answers",
            title="Do questions left blank move the result?",
            subtitle="Points of the scale, by how blanks are treated (STROBE item 12c)",
            stub="Scale" if together.any() else "Pair",
            group="" if together.any() else "Scale",
            spanners={title: [title, f"{title} interval"] for title in titles},
            labels=dict.fromkeys(titles, "Estimate")
            | {f"{title} interval": "95% interval" for title in titles},
            notes=notes,
        )


def _show_order(findings: pd.DataFrame, cohort: Cohort, instrument: Instrument) -> Iterator[Table]:
    chosen = select_findings(findings, section="sample")
    rows, notes = [], []
    places = _list_places(chosen, cohort, instrument, "ordered_logit")
    together = any(site == "all" for _, site in places)
    for scale, site in places:
        if together and site != "all":
            continue
        odds = find_row(chosen, outcome=scale, site=site, estimator="ordered_logit")
        assert odds is not None  # noqa: S101
        notes.append(str(odds["note"]))
        known = not math.isnan(odds["estimate"])
        rows.append(
            {
                "Scale": instrument.title_scale(scale),
                **({} if together else {"Pair": cohort.title_pair(site)}),
                "Odds ratio": _write(odds, format_number),
                "95% interval": describe_interval(odds),
                "p": format_p(odds["p_value"]),
                "With the means": ("disagrees" if has_flag(odds, Flag.DISAGREES) else "agrees")
                if known
                else "",
            }
        )
    if rows:
        yield Table(
            rows,
            name="ordinal",
            title="Does it hold if only the order of answers counts?",
            subtitle="Difference in differences as an odds ratio of a higher score; 1 means none",
            stub="Scale" if together else "Pair",
            group="" if together else "Scale",
            text=["With the means"],
            notes=[
                *notes,
                "Agrees: the same direction, and both intervals either take in or leave out no "
                "difference.",
            ],
        )
    ranks = chosen[chosen["estimator"] == "probability_of_superiority"]
    if len(ranks):
        lines: dict[str, dict[str, str]] = {}
        sites = list(dict.fromkeys(ranks["site"]))
        for _, row in ranks.iterrows():
            title = instrument.title_scale(row["outcome"])
            line = lines.setdefault(title, {"Scale": title} | dict.fromkeys(sites, MISSING))
            known = not math.isnan(row["estimate"])
            p = f" ({describe_p(row['p_value'])})" if known else ""
            line[str(row["site"])] = f"{_write(row, format_share)}{p}"
        yield Table(
            list(lines.values()),
            name="ranks",
            title="Each site by ranks",
            subtitle="How often a score after is above one before, ties counted half: 50% is none",
            stub="Scale",
            labels={site: cohort.title_site(site) for site in sites},
            notes=ranks["note"],
        )


def _show_clusters(
    findings: pd.DataFrame, cohort: Cohort, instrument: Instrument
) -> Iterator[Table]:
    """Lay out what counting people of one cluster together does to the precision."""
    chosen = select_findings(findings, section="scales", period="change")
    name = f"{_DID}_unclustered"
    rows, notes = [], []
    for scale, site in _list_places(chosen, cohort, instrument, name):
        together, alone = (find_row(chosen, outcome=scale, site=site, estimator=each)
                           for each in (_DID, name))  # fmt: skip
        assert together is not None  # noqa: S101
        notes.append(str(together["note"]))
        rows.append(
            {
                "Scale": instrument.title_scale(scale),
                "Pair": cohort.title_pair(site),
                "Difference": _write(together, format_number),
                "By cluster (CR2)": describe_interval(together),
                "df": format_number(together["df"], 1),
                "As if independent (HC2)": describe_interval(alone),
            }
        )
    if not rows:
        return
    count = find_row(findings, section="sample", estimator="n_clusters", site="all")
    known = count is not None and not math.isnan(count["estimate"])
    number = f"; {format_count(count['estimate'])} clusters" if known and count is not None else ""
    yield Table(
        rows,
        name="clusters",
        title="What people of one street, interviewer or household share",
        subtitle=f"Difference in differences with two 95% intervals{number}",
        stub="Pair",
        group="Scale",
        notes=[*notes, "df: Satterthwaite's degrees of freedom; below 4 the interval is rough."],
    )


def _list_places(
    rows: pd.DataFrame, cohort: Cohort, instrument: Instrument, estimator: str
) -> list[tuple[str, str]]:
    """List scales and pairs that have a row of an estimator, all pairs together first."""
    own = rows[rows["estimator"] == estimator]
    there = set(zip(own["outcome"], own["site"], strict=True))
    sites = [*(["all"] if len(cohort.pairs) > 1 else []), *(p.intervention for p in cohort.pairs)]
    return [(scale, site) for scale in instrument.scales for site in sites
            if (scale, site) in there]  # fmt: skip


def _title(instrument: Instrument, outcome: str) -> str:
    if outcome in instrument.scales:
        return instrument.title_scale(outcome)
    return outcome.replace("_", " ").capitalize()


def _write(row: pd.Series[Any] | None, write: Any) -> str:
    """Write a number, or why there is none."""
    if row is None:
        return MISSING
    if row["reason"] in HIDING:
        return HIDDEN
    return UNKNOWN if row["reason"] == Reason.NOT_STATED else str(write(row["estimate"]))


def _write_mean(row: pd.Series[Any] | None) -> str:
    text = _write(row, format_number)
    known = row is not None and not math.isnan(row["n"]) and text not in (HIDDEN, MISSING)
    return f"{text} (n {format_count(row['n'])})" if known and row is not None else text


def _write_share(row: pd.Series[Any] | None) -> str:
    text = _write(row, format_share)
    known = row is not None and not math.isnan(row["n"]) and text not in (HIDDEN, MISSING)
    return f"{text} (n {format_count(row['n'])})" if known and row is not None else text


def _write_ends(low: pd.Series[Any] | None, high: pd.Series[Any] | None) -> str:
    ends = [_write(end, format_number) for end in (low, high)]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def _mark(row: pd.Series[Any] | None) -> str:
    """Write a standardised difference, with a star for each limit that it is above."""
    text = _write(row, format_number)
    if row is None or math.isnan(row["estimate"]):
        return text
    return text + "*" * (has_flag(row, Flag.IMBALANCED) + has_flag(row, Flag.UNLIKE))


def _describe_drawn(rows: pd.DataFrame, labels: Sequence[str]) -> str:
    parts = [
        f"{label} {format_number(value)}"
        for label, value in zip(labels, rows["estimate"], strict=True)
    ]
    return f"Standardised differences: {'; '.join(parts)}."


def draw_balance(
    ax: Axes, rows: pd.DataFrame, weighted: pd.DataFrame, labels: Sequence[str]
) -> None:
    """Draw the standardised differences of both arms, weighted ones beside (a "love plot")."""
    ax.axvspan(-IMBALANCE, IMBALANCE, color=PALE, zorder=0)
    ax.axvline(0, color=INK, lw=0.9)
    ax.plot(rows["estimate"], np.arange(len(rows)), "o", color=INTERVENTION, ms=8, label="As asked")
    if len(weighted):
        places = rows["outcome"].tolist()
        at = [places.index(outcome) for outcome in weighted["outcome"] if outcome in places]
        values = weighted.loc[weighted["outcome"].isin(places), "estimate"]
        ax.plot(values, at, "D", color=BEFORE, ms=7, mec=INK, mew=0.6, label="Weighted")
        ax.legend(loc="best", fontsize=9)
    name_lines(ax, labels)
    ax.set_xlabel("Standardised difference, areas from control sites")
