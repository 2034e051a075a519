# SPDX-License-Identifier: GPL-3.0-or-later
"""One subject's way through a study, by hand and by the page's buttons; the report; the command line."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dofkit import cli, paper
from dofkit.figures import encode_png
from dofkit.study import KINDS, StudyError, material, read_key, read_study
from dofkit.study.answers import HEADER, Answer, AnswersError, keep_answer, read_answers
from dofkit.study.crossed import Variation, crossed_difference
from dofkit.study.report import draw_report, paper_report, read_report, report_json, report_lines, title_of
from dofkit.study.session import Session, order_of, simulate_subjects
from dofkit.study.statistics import difference, p_value, share
from dofkit.widgets import study as page
from dofkit.widgets.study import take_study

SHARES = {"lens": 0.8, "ours": 0.7, "no depth": 0.1}


@pytest.fixture
def study(tmp_path):
    """A study of 4 grey pictures of each kind, as `dofkit study build` writes one."""
    rng = np.random.default_rng(0)
    kinds = [kind for kind in KINDS for _ in range(4)]
    names = [rng.bytes(4).hex() for _ in kinds]
    pictures = {name: material.encode_photo(Path("a.jpg"), np.full((12, 8, 3), i / 12)) for i, name in enumerate(names)}
    settings = {"each": 4, "size": 96, "seed": 0, "photographs": False}
    material._write_study(tmp_path / "study", material._of_one_length(pictures), dict(zip(names, kinds, strict=True)),
                          settings)
    return read_study(tmp_path / "study")


@pytest.fixture
def at_once(monkeypatch):
    """Clicks count as answers at once."""
    monkeypatch.setattr(page, "TOO_SOON", 0.0)


def call(*arguments: object) -> int:
    """The exit code, also where argparse ends the process."""
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as end:
        return int(end.code or 0)


# A session


def test_every_subject_sees_every_picture_once_in_an_order_of_their_own(study):
    orders = {name: order_of(study, name) for name in ("Ada", "Bo", "Cy", "Di")}
    assert len(set(orders.values())) == 4
    assert all(sorted(order) == sorted(study.pictures) for order in orders.values())
    assert order_of(study, "Ada") == orders["Ada"]
    session, seen = Session(study, "Ada"), []
    while session.current is not None:
        seen.append(session.current)
        session.answer("real", 1.0)
    assert tuple(seen) == orders["Ada"]
    assert [(one.picture, one.position) for one in read_answers(study.answers)] == [
        (name, i) for i, name in enumerate(orders["Ada"], 1)]


def test_orders_are_random(study):
    places = np.zeros((12, 12))
    for i in range(600):
        for place, name in enumerate(order_of(study, f"subject {i}")):
            places[study.pictures.index(name), place] += 1
    assert np.abs(places - 50).max() < 5 * np.sqrt(50)


def test_a_session_goes_on_where_it_was(study):
    first = Session(study, "Ada")
    for choice in ("real", "computer", "real"):
        first.answer(choice, 1.0)
    again = Session(study, "  Ada ")
    assert again.current == first.order[3]
    assert list(again.said.values()) == ["real", "computer", "real"]
    assert Session(study, "Bo").said == {}


def test_wrong_answers_and_names_are_refused(study):
    session = Session(study, "Ada")
    with pytest.raises(ValueError, match="'perhaps'"):
        session.answer("perhaps", 1.0)
    assert not study.answers.exists()
    with pytest.raises(AnswersError, match="kept for simulated"):
        Session(study, "Simulated 01")


# The page


def test_the_page_is_taken_by_clicks_and_tells_nothing_before_the_end(study, at_once):
    widget = take_study(study.folder)
    shown = []
    widget.name.value = "Ada"
    widget.start.click()
    key = read_key(study)
    while widget.session.current is not None:
        number = len(shown) + 1
        assert widget.progress.value == f"{number} of 12"
        assert f'alt="picture {number} of 12' in widget.picture.value
        text = " ".join(str(child.value) for child in widget.children if hasattr(child, "value"))
        told = re.sub("base64,[^\"]*", "", text)
        assert not [word for word in ("right", "wrong", "ours", "depth", widget.session.current) if word in told]
        shown.append(widget.session.current)
        (widget.real if key[shown[-1]] == "lens" else widget.computer).click()
    assert shown == list(order_of(study, "Ada"))
    end = widget.children[0].value
    assert len(widget.children) == 1
    assert re.findall(r"(\d) of (\d)", end) == [("4", "4"), ("0", "4"), ("0", "4")]
    assert "79.1 %" in end
    assert "51 to 100 %" in end  # Wilson's interval of 4 of 4
    assert [one.answer for one in read_answers(study.answers)].count("real") == 4


def test_the_page_shows_the_file_itself(study, at_once):
    import base64

    widget = take_study(study.folder, subject="Ada")
    data = base64.b64decode(re.search('base64,([^"]*)', widget.picture.value)[1])
    assert data == study.picture(widget.session.current).read_bytes()
    buttons = widget.children[2].children
    widget.real.click()
    assert widget.children[2].children == buttons  # the same buttons: the keyboard's focus stays


def test_the_page_goes_on_where_it_was_and_into_the_file_that_is_named(study, tmp_path, at_once):
    file = tmp_path / "elsewhere.csv"
    widget = take_study(study.folder, file, "Ada")
    widget.real.click()
    widget.computer.click()
    again = take_study(str(study.folder), str(file), "Ada")
    assert again.progress.value == "3 of 12"
    assert not study.answers.exists()


def test_a_double_click_is_one_answer(study):
    widget = take_study(study.folder, subject="Ada")
    widget.shown -= 1.0
    widget.real.click()
    widget.real.click()
    assert len(read_answers(study.answers)) == 1


def test_two_pages_of_one_subject_do_not_answer_for_each_other(study, at_once):
    one, other = (take_study(study.folder, subject="Ada") for _ in range(2))
    one.real.click()
    other.computer.click()  # of the first picture, which has its answer: shows the second instead
    assert [answer.answer for answer in read_answers(study.answers)] == ["real"]
    assert other.progress.value == "2 of 12"
    other.computer.click()
    assert [answer.answer for answer in read_answers(study.answers)] == ["real", "computer"]


def test_what_goes_wrong_is_said_in_the_page_and_mended_by_the_next_click(study, at_once):
    widget = take_study(study.folder)
    widget.start.click()
    assert "a name is needed" in widget.said.value
    widget.name.value = "a<b>"
    widget.start.click()
    assert "a&lt;b&gt;" in widget.said.value
    assert widget.session is None
    widget.name.value = "Ada"
    widget.start.click()
    assert widget.said.value == ""
    study.answers.write_text("something else\n")
    picture = widget.picture.value
    widget.real.click()
    assert html.escape("it holds no answers") in widget.said.value
    assert widget.picture.value == picture
    study.answers.unlink()
    widget.real.click()
    assert (widget.said.value, widget.progress.value) == ("", "2 of 12")


def test_without_the_key_the_page_says_thanks_alone(study, at_once):
    (study.folder / "key.json").unlink()
    widget = take_study(study.folder, subject="Ada")
    for _ in study.pictures:
        widget.real.click()
    end = widget.children[0].value
    assert "Thank you, Ada" in end
    assert "<table>" not in end
    assert len(read_answers(study.answers)) == 12


def test_a_folder_without_a_study_fails_in_the_cell(tmp_path):
    with pytest.raises(StudyError, match="holds no study"):
        take_study(tmp_path)


# The report


def answered(study, file, **subjects):
    """Answers of subjects who say "real" to so many of each kind, by name."""
    key = read_key(study)
    for subject, counts in subjects.items():
        left = dict(zip(KINDS, counts, strict=True))
        for position, name in enumerate(order_of(study, subject), 1):
            left[key[name]] -= 1
            keep_answer(file, Answer(subject, name, position, 1.0, "real" if left[key[name]] >= 0 else "computer"))


def test_the_report_counts_and_has_the_intervals_of_the_statistics(study):
    answered(study, study.answers, Ada=(4, 3, 0), Bo=(3, 1, 1), Cy=(4, 4, 0))
    keep_answer(study.answers, Answer("Di", study.pictures[0], 1, 1.0, "real"))
    report = read_report(study.answers, study)
    assert (report.subjects, report.unfinished, report.simulated) == (("Ada", "Bo", "Cy"), ("Di",), False)
    assert {kind: (one.real, one.of) for kind, one in report.shares.items()} == {
        "lens": (11, 12), "ours": (8, 12), "no depth": (1, 12)}
    assert report.shares["ours"].independent == share(8, 12)
    first = report.comparisons[0]
    assert first.independent == difference(11, 12, 8, 12)
    assert first.p == p_value(11, 12, 8, 12)
    key, answers = read_key(study), read_answers(study.answers)
    said = {(one.subject, one.picture): one.answer == "real" for one in answers}
    tables = [np.array([[said[who, name] for name in study.pictures if key[name] == kind] for who in report.subjects])
              for kind in ("lens", "ours")]
    wide = crossed_difference(*tables)
    assert first.crossed.low == min(wide.low, first.independent.low)
    assert first.crossed.high == max(wide.high, first.independent.high)
    text = "\n".join(report_lines(report))
    assert "3 subjects have seen all pictures; 1 not yet" in text
    assert "11 of 12" in text
    assert json.loads(json.dumps(report_json(report)))["shares"]["lens"]["real"] == 11


def test_one_subject_has_no_interval_for_others(study):
    answered(study, study.answers, Ada=(4, 3, 0))
    report = read_report(study.answers, study)
    assert all(one.crossed is None for one in [*report.shares.values(), *report.comparisons])
    assert "one subject says nothing of others" in report_lines(report)[-1]
    assert title_of(report) == "1 subject, scenes"


def test_the_papers_report_is_made_of_its_counts():
    report = paper_report()
    assert [one.real for one in report.shares.values()] == list(paper.STUDY_COUNTS.values())
    assert {one.of for one in report.shares.values()} == {220}
    reported = [paper.STUDY_SLR, paper.STUDY_OURS, paper.STUDY_NO_DEPTH]
    for one, value in zip(report.shares.values(), reported, strict=True):
        assert round(100 * one.independent.value, 1) == value.value


def test_simulated_answers_say_so_in_the_file_and_in_the_picture(study, tmp_path):
    file = tmp_path / "simulated.csv"
    simulate_subjects(study, SHARES, Variation(0.5, 0.5), subjects=40, file=file)
    assert all(one.subject.startswith("simulated") for one in read_answers(file))
    report = read_report(file, study)
    assert report.simulated
    assert title_of(report) == "40 simulated subjects, scenes"
    assert "simulated" in report_lines(report)[0]
    for kind, one in report.shares.items():
        assert one.crossed.low <= SHARES[kind] <= one.crossed.high
    with pytest.raises(AnswersError, match="not mixed"):
        simulate_subjects(study, SHARES, Variation(), subjects=2, file=file)
    answered(study, file, Ada=(4, 3, 0))
    with pytest.raises(AnswersError, match="mixes simulated answers"):
        read_report(file, study)


def test_the_figure_has_a_bar_and_two_lines_for_each_kind(study):
    import matplotlib.pyplot as plt

    answered(study, study.answers, Ada=(4, 3, 0), Bo=(3, 1, 1))
    for report, lines in ((read_report(study.answers, study), 9), (paper_report(), 6)):
        figure, panel = plt.subplots()
        draw_report(panel, report)
        assert [bar.get_width() for bar in panel.patches] == pytest.approx(
            [100 * one.independent.value for one in report.shares.values()])
        assert len(panel.lines) == lines  # thick, thin where known, and the point
        assert len(encode_png(figure, limit=150_000)) > 1000
        plt.close(figure)


@pytest.mark.parametrize(("content", "message"), [
    (f"{HEADER}\nAda,ffffffff,1,1.0,real\n", "answers to picture 'ffffffff', which is not in"),
    (f"{HEADER}\n", "nobody has seen all 12 pictures yet"),
    ("garbage", "nobody has seen all 12"),  # one half-written line
    ("garbage\n", "it holds no answers of a study"),
    (f"{HEADER}\nAda,x,1,1.0,maybe\n", "line 2: the answer 'maybe'"),
])
def test_a_damaged_csv_is_one_line_and_exit_code_2(study, capsys, content, message):
    study.answers.write_text(content)
    assert call("study", "report", study.answers) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert (said.err.count("\n"), said.out) == (1, "")
    assert study.answers.read_text() == content


# The command line


def test_build_take_report(tmp_path, capsys, at_once):
    folder = tmp_path / "study"
    assert call("study", "build", "--out", folder, "--each", "2", "--size", "96") == 0
    said = capsys.readouterr()
    assert "6 pictures of scenes" in said.out
    assert "take_the_study.ipynb" in said.out
    assert said.err == ""
    for name in ("Ada", "Bo"):
        widget = take_study(folder, subject=name)
        for i in range(6):
            (widget.real if i % 2 else widget.computer).click()
    figure = tmp_path / "figure.png"
    assert call("study", "report", folder / "answers.csv", "--figure", figure) == 0
    assert "2 subjects have seen all pictures" in capsys.readouterr().out
    with Image.open(figure) as picture:
        assert picture.width > 600
    assert call("study", "report", folder / "answers.csv", "--json") == 0
    assert json.loads(capsys.readouterr().out)["subjects"] == 2
    moved = (folder / "answers.csv").rename(tmp_path / "mine.csv")
    assert call("study", "report", moved, "--study", folder) == 0


@pytest.mark.parametrize(("arguments", "message"), [
    (("build",), "required: --out"),
    (("build", "--out", "new", "--each", "0"), "choose 2 to 100"),
    (("build", "--out", "new", "--slr", "."), "--photographs as well"),
    (("report", "no.csv"), "there are no answers in 'no.csv'"),
    (("report", "study/answers.csv", "--figure", "a.gif"), "suffix '.gif'"),
    (("report", "study/answers.csv", "--figure", "there.png"), "'there.png' exists already"),
    (("report", "study/answers.csv", "--study", "no"), "'no' holds no study"),
    ((), "required: WHAT"),
])
def test_what_is_wrong_is_one_line(study, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    answered(study, study.answers, Ada=(4, 3, 0))
    Path("there.png").write_bytes(b"precious")
    assert call("study", *arguments) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert (said.err.count("\n"), said.out) == (1, "")
    assert Path("there.png").read_bytes() == b"precious"
    assert not Path("new").exists()
