"""Small tasks with exact answers, whose solver is as good as its instructions: for `rules`, in tests and examples.

A task makes questions, knows their answers, and has skills.  Who lacks a skill goes wrong in a definite way on the
questions that need it, so the accuracy of a prompt is the share of questions that need none of the skills it lacks, and
a criticism of a wrong answer is the name of the first skill that was lacking.
Source of the tasks: Suzgun et al. (2022), BIG-Bench Hard, arXiv 2210.09261 (object counting, word sorting), in miniature.
"""
from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import cache
from typing import Callable, Protocol

KINDS = {
    "vegetables": ("potato", "onion", "carrot", "cabbage", "leek", "radish"), "fruits": ("apple", "plum", "peach", "banana", "pear", "grape"),
    "animals": ("cat", "snail", "duck", "goat", "rabbit", "mouse"), "instruments": ("flute", "violin", "drum", "piano", "trumpet", "harp"),
    "furniture": ("table", "stool", "bench", "shelf", "sofa", "desk")}
NUMBERS = ("no", "a", "two", "three", "four")
WORDS = ("amber", "anchor", "apple", "basil", "beach", "bridge", "cedar", "cloud", "copper", "dawn", "delta", "dune", "ember", "engine",
         "field", "forest", "garden", "glass", "harbor", "hazel", "island", "ivory", "jasmine", "kettle", "lantern", "maple", "meadow",
         "north", "ocean", "orchid", "pepper", "quartz", "river", "silver", "thunder", "umber", "violet", "willow", "yarrow", "zephyr")


@dataclass(frozen=True, slots=True)
class Skill:
    """clause: what an instruction says that gives it.   sign: how it is recognized in one.   format: is it about the form?"""

    clause: str
    sign: re.Pattern
    format: bool = False

    def known(self, instructions: str) -> bool:
        return self.sign.search(instructions) is not None


class Task(Protocol):
    """`finds` the question in a text, knows its `truth`, `answers` it with the skills it has; `needs` says which it takes."""

    skills: tuple[Skill, ...]

    def questions(self, n: int, seed: int) -> list[tuple[str, str]]: ...

    def finds(self, text: str) -> str | None: ...

    def truth(self, question: str) -> str: ...

    def needs(self, question: str) -> list[Skill]: ...

    def answers(self, question: str, has: Callable[[Skill], bool]) -> str: ...

    def right(self, reply: str, truth: str) -> bool: ...


LIST = Skill("List each item with its number before adding up.", re.compile(r"list (?:each|every|all)", re.I))
ONLY = Skill("Count only the asked kind.", re.compile(r"only (?:items of )?the (?:asked|requested) kind", re.I))
END = Skill('End with "Answer: N".', re.compile(r"end (?:with|by).{0,20}answer:", re.I), format=True)


class Counting:
    """How many things of a kind are in a list?  A reply is right if its last number is.

    Lacking `LIST`, two things of one name count as one; lacking `ONLY`, things of other kinds count too; lacking `END`, the
    reply to a long list ends with the length of the text.  Each is needed by a quarter of the questions."""

    skills = (LIST, ONLY, END)
    pattern = re.compile(r"I have (?P<items>[^.?]+)\. How many (?P<kind>\w+) do I have\?")

    def questions(self, n: int, seed: int) -> list[tuple[str, str]]:
        """(question, answer), n of them."""
        chance = random.Random(seed)
        return [(question, self.truth(question)) for question in (self.question(chance) for _ in range(n))]

    def question(self, chance: random.Random) -> str:
        several, others, long = (chance.random() < 0.23 for _ in range(3))
        kind, *rest = chance.sample(sorted(KINDS), 3)
        names = chance.sample(KINDS[kind], 5 if long else chance.choice((2, 3)))
        items = [(chance.choice((2, 3)) if several and i < 2 else 1, name) for i, name in enumerate(names)]
        if others:
            items += [(1, name) for other in rest for name in chance.sample(KINDS[other], 1)]
            if not long and not several and chance.random() < 0.25:  # none of the asked kind
                items = items[len(names):]
        chance.shuffle(items)
        said = [f"{NUMBERS[count]} {plural(name) if count > 1 else name}" for count, name in items]
        listed = ", ".join(said[:-1]) + f" and {said[-1]}" if len(said) > 1 else said[0]
        return f"I have {listed}. How many {kind} do I have?"

    def finds(self, text: str) -> str | None:
        found = self.pattern.search(text)
        return found[0] if found else None

    def read(self, question: str) -> tuple[str, list[tuple[int, str]]]:
        """The kind that is asked for, and (number, name) of each item."""
        found = self.pattern.search(question)
        items = [item.split(" ") for item in re.split(r", | and ", found["items"])]
        return found["kind"], [(NUMBERS.index(number), singular(name)) for number, name in items]

    def truth(self, question: str) -> str:
        kind, items = self.read(question)
        return str(sum(number for number, name in items if name in KINDS[kind]))

    def needs(self, question: str) -> list[Skill]:
        kind, items = self.read(question)
        found = [LIST] if any(number > 1 and name in KINDS[kind] for number, name in items) else []
        found += [ONLY] if any(name not in KINDS[kind] for _, name in items) else []
        return found + ([END] if len(items) >= 5 else [])

    def answers(self, question: str, has: Callable[[Skill], bool]) -> str:
        kind, items = self.read(question)
        counted = [(number if has(LIST) else 1, name) for number, name in items if name in KINDS[kind] or not has(ONLY)]
        total = sum(number for number, _ in counted)
        shown = "; ".join(f"{name}: {number}" for number, name in counted) + ". " if has(LIST) and counted else ""
        if has(END):
            return f"{shown}Answer: {total}"
        return f"{shown}There are {total} {kind}" + (f" in a text of {len(question.split())} words." if len(items) >= 5 else ".")

    def right(self, reply: str, truth: str) -> bool:
        numbers = re.findall(r"-?\d+", reply)
        return bool(numbers) and numbers[-1] == truth


WHOLE = Skill("Compare whole words, letter by letter.", re.compile(r"letter by letter|whole words", re.I))
KEEP = Skill("Keep words that occur twice.", re.compile(r"keep (?:words|those|duplicates)", re.I))
SPACES = Skill("Separate the words by single spaces.", re.compile(r"(?:separate|divide)\w* .{0,20}single spaces?", re.I), format=True)


class Sorting:
    """Words in the order of the alphabet.  A reply is right if its last line is the sorted list.

    Lacking `WHOLE`, words of one first letter stay as they stood; lacking `KEEP`, a word that occurs twice is given once;
    lacking `SPACES`, a long list has commas."""

    skills = (WHOLE, KEEP, SPACES)
    pattern = re.compile(r"Sort these words: (?P<words>[a-z ]+)")

    def questions(self, n: int, seed: int) -> list[tuple[str, str]]:
        chance = random.Random(seed)
        return [(question, self.truth(question)) for question in (self.question(chance) for _ in range(n))]

    def question(self, chance: random.Random) -> str:
        close, twice, long = (chance.random() < 0.25 for _ in range(3))
        letters = sorted({word[0] for word in WORDS})
        words = [chance.choice([word for word in WORDS if word[0] == letter]) for letter in chance.sample(letters, 6 if long else 4)]
        if close:
            first = [word for word in WORDS if word[0] == "a"]
            pair = chance.sample(first, 2)
            words = [word for word in words if word[0] != "a"][:4 + 2 * long - 2] + sorted(pair, reverse=True)
        else:
            chance.shuffle(words)
        if twice:
            words[0] = next(word for word in reversed(words) if word != words[0])
        return "Sort these words: " + " ".join(words)

    def finds(self, text: str) -> str | None:
        found = self.pattern.search(text)
        return found[0] if found else None

    def words(self, question: str) -> list[str]:
        return self.pattern.search(question)["words"].split()

    def truth(self, question: str) -> str:
        return " ".join(sorted(self.words(question)))

    def needs(self, question: str) -> list[Skill]:
        words = self.words(question)
        found = [WHOLE] if sorted(words, key=lambda word: word[0]) != sorted(words) else []
        found += [KEEP] if len(set(words)) < len(words) else []
        return found + ([SPACES] if len(words) >= 6 else [])

    def answers(self, question: str, has: Callable[[Skill], bool]) -> str:
        words = self.words(question)
        if not has(KEEP):
            words = list(dict.fromkeys(words))
        ordered = sorted(words) if has(WHOLE) else sorted(words, key=lambda word: word[0])
        return (" " if has(SPACES) or len(self.words(question)) < 6 else ", ").join(ordered)

    def right(self, reply: str, truth: str) -> bool:
        return reply.strip().split("\n")[-1].strip() == truth


def plural(name: str) -> str:
    return name[:-1] + "ies" if name.endswith("y") else {"potato": "potatoes", "mouse": "mice", "shelf": "shelves"}.get(name) or (
        f"{name}es" if name.endswith(("ch", "sh", "x")) else f"{name}s")


@cache
def singular(name: str) -> str:
    return next((one for names in KINDS.values() for one in names if name in (one, plural(one))), name)


counting, sorting = Counting(), Sorting()
