"""Right answers in any dress are accepted, and every exercise has several."""

import pytest
from right_answers import CHECKS, IDS, RIGHT, Right, made

pytestmark = pytest.mark.usefixtures("embedded_names", "one_thread")


@pytest.mark.parametrize("right", RIGHT, ids=IDS)
def test_a_right_answer_is_accepted(right: Right) -> None:
    verdict = CHECKS[right.chapter][right.check](made(right))
    assert verdict, verdict


@pytest.mark.parametrize("exercise", [(c, name) for c, found in CHECKS.items() for name in found])
def test_every_exercise_has_right_answers_in_other_words(exercise: tuple[str, str]) -> None:
    kinds = {right.kind for right in RIGHT if (right.chapter, right.check) == exercise}
    assert kinds - {"page"}
