"""The student, critic and editor without a language model: as good as their instructions, and improvable by them."""
import pytest

from pullback import library
from pullback.backends.text.roles import Roles
from pullback.backends.text.rules import rules
from pullback.backends.text.scripted import ALL
from pullback.backends.text.tasks import KINDS, counting, plural, singular, sorting
from pullback.compiler import optimizer
from pullback.compiler.contract import Question, Typed, Values, quote
from pullback.compiler.criticism import Criticism, merge
from pullback.compiler.engine import Capabilities, Request
from pullback.stdlib.text.critic import Seen, critique

library.open_library()
TASKS = pytest.mark.parametrize("task", [counting, sorting], ids=["counting", "sorting"])


class Readings:
    """The mean over the data of: is the student right?  The texts stand in the system prompt, in their order."""

    def __init__(self, roles, task, data, texts, held=()):
        self.ask, self.task, self.data, self.texts, self.held, self.engines = roles.ask, task, data, texts, held, roles
        self.roles, self.rows, self.score = dict.fromkeys(texts, ""), len(data), None

    def replies(self, texts, data):
        return [reply.text for reply in self.engines.map([Request.of(f"Question: {question}", "\n".join(texts.values())) for question, _ in data])]

    def scores(self, texts, rows=None):
        data = self.data if rows is None else [self.data[row] for row in rows]
        return [float(self.task.right(reply, truth)) for reply, (_, truth) in zip(self.replies(texts, data), data)]

    def validate(self, texts):
        return sum(self.task.right(reply, truth) for reply, (_, truth) in zip(self.replies(texts, self.held), self.held)) / len(self.held)

    def criticize(self, texts, rows):
        data = [self.data[row] for row in rows]
        cases = [Seen("answers", (*texts.items(), ("user", f"Question: {question}")), reply,
                      () if self.task.right(reply, truth) else (Criticism("The score should be higher.", ("right", row)),), tuple(texts), {}, (row,))
                 for row, reply, (question, truth) in zip(rows, self.replies(texts, data), data)]
        found = critique(self.ask, cases)
        return {name: merge(*(each[name] for each in found)) for name in texts}

    @property
    def criticisms(self):
        return self.criticize(self.texts, range(len(self.data)))


def climb(made, task, texts, steps, capabilities=ALL):
    """The validation before each step, and the texts at the end."""
    data, held = task.questions(50, 1), task.questions(100, 2)
    roles, state, seen = Roles(rules(capabilities=capabilities)), made.init(texts), []
    for step in range(steps):
        readings = Readings(roles, task, data, texts, held)
        seen.append(readings.validate(texts))
        state, texts, _ = made.step(step, state, texts, readings)
    return [*seen, readings.validate(texts)], texts, roles


@pytest.mark.parametrize("capabilities", [ALL, Capabilities(tokenize=True)], ids=["schema", "tags"])
def test_counting_is_learned_in_six_steps(capabilities):
    seen, texts, _ = climb(optimizer.find("tgd")(accept="strict"), counting, {"system": "Answer the question."}, 6, capabilities)
    assert 0.4 <= seen[0] <= 0.6 and seen[-1] >= 0.95 and seen == sorted(seen)
    assert all(skill.known(texts["system"]) for skill in counting.skills) and texts["system"].startswith("Answer the question.")


def test_sorting_is_learned_with_two_texts():
    seen, texts, _ = climb(optimizer.find("tgd")(accept="strict"), sorting, {"system": "Sort well.", "hint": "The format:"}, 6)
    assert 0.3 <= seen[0] <= 0.6 and seen[-1] >= 0.95 and seen == sorted(seen)
    spaces = sorting.skills[-1]
    assert spaces.known(texts["hint"]) and not spaces.known(texts["system"]) and not sorting.skills[0].known(texts["hint"])


def test_counting_by_a_pool():
    seen, _, _ = climb(optimizer.find("pareto")(pool=4, minibatch=5), counting, {"system": "Answer the question."}, 8)
    assert seen[-1] >= 0.95 and seen == sorted(seen)


@TASKS
def test_the_accuracy_of_a_prompt_is_the_share_of_questions_that_lack_nothing(task):
    data = task.questions(300, 7)
    assert data == task.questions(300, 7) != task.questions(300, 8)
    for known in range(8):
        has = [skill for i, skill in enumerate(task.skills) if known >> i & 1]
        for question, truth in data:
            lacking = [skill for skill in task.needs(question) if skill not in has]
            right = task.right(task.answers(question, has.__contains__), truth)
            assert right or lacking  # who has what it takes is right
            assert not right or not lacking or task is counting  # two faults of counting may cancel
    each = [sum(skill in task.needs(question) for question, _ in data) / len(data) for skill in task.skills]
    assert all(0.1 < share < 0.35 for share in each)


@TASKS
def test_clauses_give_their_skills_and_no_others(task):
    for skill in task.skills:
        assert [other for other in task.skills if other.known(skill.clause)] == [skill]
        assert not skill.known("Answer the question. The format: Sort well.")


def test_what_is_counted():
    question = "I have two mice, a table, a goat and three plums. How many animals do I have?"
    assert counting.truth(question) == "3" and counting.finds(f"Question: {question} Now!") == question
    assert counting.answers(question, lambda skill: False) == "There are 4 animals."
    assert counting.answers(question, lambda skill: True) == "mouse: 2; goat: 1. Answer: 3"
    assert sorting.truth("Sort these words: pear apple pear") == "apple pear pear"
    assert all(singular(plural(name)) == name for names in KINDS.values() for name in names)
    assert not counting.right("none", "0") and counting.right("5 of them, so 0", "0")


def test_the_judge_and_the_rest():
    roles = Roles(rules())
    fields = f"{quote('reply', 'Answer: 4')}\n{quote('answer', '5')}\n\nThe instruction: compare"
    words = Question(Request.of(fields, role="judge"), Values())
    score = Typed({"type": "object", "properties": {"score": {"type": "number", "minimum": 0, "maximum": 10}, "why": {"type": "string"}}})
    said, graded = roles.ask([words, Question(Request.of(fields, role="judge"), score)])
    assert said.value == {"value": "The answer should be 5."} and graded.value == {"score": 0, "why": "The answer should be 5."}
    good = Question(Request.of(fields.replace("Answer: 4", "Answer: 5"), role="judge"), score)
    assert roles.ask([good])[0].value == {"score": 10, "why": ""}
    assert roles.call(Request.of("What is love?")).text == "I do not know."
