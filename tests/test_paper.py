# SPDX-License-Identifier: GPL-3.0-or-later
"""The reported numbers are consistent with each other, and what is not available is None."""

from __future__ import annotations

import dataclasses
import re

import pytest

from dofkit import paper


def test_every_number_has_a_section_and_words():
    named = dict(paper.values())
    assert len(named) > 25
    for name, value in named.items():
        assert re.fullmatch(r"[34]\.\d", value.section), name
        assert value.says, name
        assert value.value is not None or value.note == "not stated" or "not stated;" in value.note, name


def test_numbers_are_those_of_the_text():
    assert (paper.IOU_WHOLE_BODY.value, paper.IOU_WHOLE_BODY_COARSE.value) == (93.22, 91.43)
    assert (paper.WHDR_SPN.value, paper.WHDR_COARSE.value) == (14.35, 14.39)
    assert (paper.LAYERS.value, paper.LAMBDA.value, paper.TRIMAP_BAND.value) == (6, 10, 10)
    assert (paper.LEARNING_RATE.value, paper.MOMENTUM.value) == (1e-4, 0.9)
    assert (paper.SELFIE_TRAIN.value, paper.SELFIE_TEST.value, paper.BAIDU_ALL.value) == (1428, 283, 5387)
    assert paper.SECONDS_CRF.value / paper.SECONDS_RNN.value == pytest.approx(7.14, abs=0.01)


def test_what_the_text_leaves_open_about_a_number_stands_beside_it():
    assert "Eq. 3 is not said" in paper.WHDR_SPN.note
    assert "is not said" in paper.TRIMAP_BAND.note


def test_the_counts_of_the_study_are_the_only_ones_with_its_percentages():
    votes = paper.STUDY_SUBJECTS.value * paper.STUDY_IMAGES.value
    for kind, value in (
        ("SLR", paper.STUDY_SLR),
        ("ours", paper.STUDY_OURS),
        ("no depth", paper.STUDY_NO_DEPTH),
    ):
        fitting = [n for n in range(int(votes) + 1) if round(100 * n / votes, 1) == value.value]
        assert fitting == [paper.STUDY_COUNTS[kind]]


def test_no_cell_of_its_tables_is_invented():
    for table in (paper.TABLE_1, paper.TABLE_2):
        for row in table.rows:
            assert row.cells == (None,) * len(table.columns)
        assert len(table.units) == len(table.columns)
        assert "not in the text" in table.note


def test_claims_are_found_by_id():
    assert len({claim.id for claim in paper.CLAIMS}) == len(paper.CLAIMS)
    assert paper.claim("whdr_diw").reported == (paper.WHDR_SPN, paper.WHDR_COARSE)
    with pytest.raises(KeyError, match="no claim 'x'; there are iou_selfie_best"):
        paper.claim("x")


def test_what_is_reported_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        paper.WHDR_SPN.value = 0.0
