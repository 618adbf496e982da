"""The live screen says what happens now, and each different answer once."""

from types import SimpleNamespace

from lab.runs.fold import Phase, Sample
from lab.ui.run_numbers import phase_line
from lab.ui.run_view import _answer_table, notes_of


def sample(step: int, text: str, stopped: bool = True) -> Sample:
    return Sample(step, 0, "Why?", text, stopped)


def test_answers_that_stay_the_same_share_a_line():
    table = _answer_table([sample(0, "no", False), sample(10, "yes"), sample(20, "yes"), sample(30, "yes")])
    assert table.count("<tr") == 3
    assert "10–30" in table
    assert "did not stop" in table


def test_an_answer_that_comes_back_has_its_own_line():
    assert _answer_table([sample(0, "a"), sample(1, "b"), sample(2, "a")]).count("<tr") == 4


def test_the_first_and_the_last_answer_are_always_shown():
    table = _answer_table([sample(step, f"answer {step}") for step in range(40)])
    assert "answer 0<" in table
    assert "answer 39<" in table
    assert table.count("<tr") == 8


def test_what_a_model_says_is_never_markup():
    assert "<img" not in _answer_table([sample(0, '<img src="http://x/">')])


def test_a_phase_that_is_to_come_again_is_not_ticked():
    done = [Phase("load", "done", 1.0), Phase("tokenise", "done", 1.0), Phase("evaluate", "done", 5.0), Phase("train")]
    line = phase_line(SimpleNamespace(phases=done, phase="train"))
    assert "● Train" in line
    assert "✓ Evaluate" not in line
    assert "✓ Evaluate" in phase_line(SimpleNamespace(phases=done, phase=""))


def test_what_is_done_stays_ticked_while_the_base_model_is_asked_last():
    names = ("load", "tokenise", "train", "save")
    phases = [*(Phase(name, "done", 1.0) for name in names), Phase("evaluate")]
    line = phase_line(SimpleNamespace(phases=phases, phase="evaluate"))
    assert "● Evaluate" in line
    assert "✓ Save" in line


def test_a_warning_is_told_apart_and_what_a_resumed_attempt_finds_again_stands_once():
    notes = [("info", "Dropout is off."), ("warning", "9 rows are left out."), ("info", "Dropout is off.")]
    view = SimpleNamespace(notes=[{"level": level, "template": text, "values": {}} for level, text in notes])
    assert notes_of(view) == (["9 rows are left out."], ["Dropout is off."])
