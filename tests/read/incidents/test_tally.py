"""Tallies laid out and put together."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sbwork.read.incidents.tally import join_tallies, label_codes, make_tally


def test_columns_that_are_not_given_are_empty() -> None:
    tally = make_tally({"lsoa": ["E01000001", ""], "n": [2, 1]})
    assert tally["called"].tolist() == ["", ""]
    assert tally["x"].isna().all()
    assert tally["n"].tolist() == [2.0, 1.0]
    assert not tally["located"].any()


def test_masked_coordinates_are_missing() -> None:
    x = np.ma.masked_array([1.5, 0.0], [False, True])
    assert make_tally({"lsoa": ["", ""], "x": x})["x"].isna().tolist() == [False, True]


def test_texts_of_joined_tallies_stay_what_they_were() -> None:
    one = make_tally({"kind": label_codes([1, 0], ["", "Drugs"]), "n": [1, 2]})
    two = make_tally({"kind": ["Robbery", "Drugs"], "n": [3, 4]})
    joined = join_tallies([one, two, make_tally({})])
    assert joined["kind"].tolist() == ["Drugs", "", "Robbery", "Drugs"]
    assert joined["n"].tolist() == [1, 2, 3, 4]
    assert isinstance(joined["kind"].dtype, pd.CategoricalDtype)


def test_nothing_joined_is_an_empty_tally() -> None:
    assert join_tallies([]).empty
