"""`rules()`: a student, a critic, a judge and an editor without a language model, in tests and examples.

    student   answers a question of `tasks`, as well as the instructions in its prompt let it
    critic    names the first skill that a wrong answer lacked, if the text shown is the place for it; else nothing
    judge     compares with the reference; a score, if one is asked for, is the highest or the lowest
    editor    puts the skill named most often into the text, one at a step; of two texts it unites the skills
    merger    says each remark once

All of it is a function of the request: the same in every process, at any temperature.
"""
from __future__ import annotations

import re
from collections import Counter
from typing import Any, Sequence

from pullback.backends.text.scripted import Scripted
from pullback.backends.text.tasks import Skill, Task, counting, sorting
from pullback.compiler.contract import fields, fulfil, unquoted
from pullback.compiler.engine import Request

FORMAT = re.compile(r"\bformat\b", re.I)


def rules(tasks: Sequence[Task] = (counting, sorting), **options: Any) -> Scripted:
    """The engine.  tasks: those that it knows.   Further options: those of `scripted`."""
    return Scripted(Rules(tuple(tasks)), **{"name": "rules", **options})


class Rules:
    def __init__(self, tasks: tuple[Task, ...]):
        self.tasks = tasks
        self.skills = tuple(skill for task in tasks for skill in task.skills)

    def __call__(self, request: Request) -> str:
        match request.role:
            case "forward":
                return self.student(request)
            case "critic":
                return self.critic(request)
            case "judge":
                return self.judge(request)
            case "merge":
                return fulfil(request, {"value": "\n".join(dict.fromkeys(text for _, text in fields(request.user)))})
            case _:
                return fulfil(request, {"value": self.editor(request)})

    def found(self, texts: Sequence[str]) -> tuple[Task, str] | None:
        """The task and the question in these texts."""
        return next(((task, question) for text in texts for task in self.tasks if (question := task.finds(text))), None)

    def student(self, request: Request) -> str:
        texts = [text for _, text in request.messages]
        if (found := self.found(list(reversed(texts)))) is None:
            return "I do not know."
        task, question = found
        told = "\n".join(texts).replace(question, "")
        return task.answers(question, lambda skill: skill.known(told))

    def critic(self, request: Request) -> str:
        shown = fields(request.user)
        wanted = {"value" if name == "text" else name.removeprefix("text "): text for name, text in shown
                  if name == "text" or name.startswith("text ")}
        inputs = [text for name, text in shown if name in ("text", "text system") or name.startswith(("text ", "input "))]
        output = next((text for name, text in shown if name == "output"), "")
        return fulfil(request, {name: self.remark(text, inputs, output, unquoted(request.user)) for name, text in wanted.items()})

    def remark(self, text: str, inputs: Sequence[str], output: str, purpose: str) -> str:
        """What to say of one text: a skill that is lacking and belongs there, or nothing."""
        found = self.found(inputs)
        if found is None or found[0].finds(text) or found[0].right(output, found[0].truth(found[1])):
            return ""
        task, question = found
        told = "\n".join(inputs).replace(question, "")
        lacking = [skill for skill in task.skills if skill in task.needs(question) and not skill.known(told)]
        formats = [other for other in inputs if FORMAT.search(other)]
        here = [skill for skill in lacking if not formats or skill.format == bool(FORMAT.search(text))]
        return here[0].clause if here else ""

    def judge(self, request: Request) -> str:
        (_, reply), *rest = fields(request.user) or [("", "")]
        good = any(task.right(reply, text.strip()) for task in self.tasks for _, text in rest)
        why = "" if good or not rest else f"The answer should be {rest[0][1].strip()}."
        if request.schema is not None and "score" in request.schema.get("properties", {}).get("value", {}).get("properties", {}):
            bounds = request.schema["properties"]["value"]["properties"]["score"]
            return fulfil(request, {"value": {"score": bounds.get("maximum", 1) if good else bounds.get("minimum", 0), "why": why}})
        return fulfil(request, {"value": why})

    def editor(self, request: Request) -> str:
        shown = fields(request.user)
        text = next((text for name, text in shown if name == "text"), "")
        other = next((text for name, text in shown if name == "other version"), "")
        said = [remark for name, remark in shown if name == "feedback"]
        if other:
            return with_skills(text, [skill for skill in self.skills if skill.known(other) and not skill.known(text)])
        counts = Counter(skill for remark in said for skill in self.skills if skill.clause in remark and not skill.known(text))
        return with_skills(text, [max(counts, key=lambda skill: (counts[skill], -self.skills.index(skill)))] if counts else [])


def with_skills(text: str, skills: Sequence[Skill]) -> str:
    return " ".join([text.strip(), *(skill.clause for skill in skills)]).strip()
