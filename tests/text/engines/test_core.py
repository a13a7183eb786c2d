"""Keys, kept replies, retries, gates, budgets: what stands around every attempt."""
import asyncio
import json
import random
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

import pullback as pb
from pullback.backends.text.account import Account
from pullback.backends.text.cache import Cache
from pullback.backends.text.record import Record, Replay
from pullback.backends.text.retry import Retry
from pullback.backends.text.roles import Roles
from pullback.backends.text.scripted import Fault, Scripted
from pullback.compiler.contract import Answer, Question, Typed, Values, fields, fulfil
from pullback.compiler.engine import Budget, Capabilities, Reply, Request, Usage, seed

ME = {"kind": "scripted"}


def refusal(call, code):
    with pytest.raises(pb.EngineError) as caught:
        call()
    assert caught.value.code == code
    return str(caught.value)


def test_every_part_that_changes_the_answer_is_in_the_key():
    base = Request.of("q", "s", temperature=0.5, seed=1)
    others = [replace(base, **change) for change in (
        {"messages": (("system", "s"), ("user", "q "))}, {"messages": (("user", "s"), ("user", "q"))}, {"max_tokens": 5},
        {"temperature": 0.6}, {"seed": 2}, {"stop": ("x",)}, {"schema": {"type": "object"}}, {"grammar": "root ::= \"a\""},
        {"choices": ("a", "b")}, {"choices": ("b", "a")}, {"logprobs": True}, {"rollout": 1})]
    keys = {request.key(ME) for request in [base, *others]} | {base.key({"kind": "local"})}
    assert len(keys) == len(others) + 2
    assert base.key(ME) == replace(base, role="judge").key(ME)
    assert replace(base, temperature=0, seed=1).key(ME) == replace(base, temperature=0, seed=2).key(ME)


def test_the_key_is_the_same_in_every_process():
    program = ("from pullback.compiler.engine import Request, seed\n"
               "print(Request.of('q', 's', schema={'b': 1, 'a': [2.5, 'é']}, temperature=0.1).key({'kind': 'x', 'a': 1}), seed(7, 1, 2))")
    runs = {subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": s}).stdout
            for s in ("0", "1")}
    assert runs == {f"{Request.of('q', 's', schema={'a': [2.5, 'é'], 'b': 1}, temperature=0.1).key({'a': 1, 'kind': 'x'})} {seed(7, 1, 2)}\n"}


def test_seeds_differ_in_every_index():
    found = {seed(*words) for words in [(1,), (2,), (1, 0), (1, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0)]}
    assert len(found) == 7 and all(0 <= s < 2**31 for s in found)


@pytest.mark.parametrize("wrong", [dict(role="boss"), dict(max_tokens=0), dict(temperature=-1), dict(temperature=float("nan")),
                                   dict(choices=("a", "a")), dict(choices=("a",), grammar="x"), dict(messages=())])
def test_a_request_is_checked(wrong):
    with pytest.raises(ValueError):
        Request(**{"messages": (("user", "q"),), **wrong})


def test_replies_are_kept_across_engines_and_not_if_cut_or_empty(tmp_path, asks):
    def engine():
        return Scripted(lambda r: "" if "3" in r.user else "a b c d" if "4" in r.user else "yes", cache=tmp_path / "replies.db")
    first, account = engine(), Account()
    one = first.map(asks(6, max_tokens=3), account=account)
    assert account.total.calls == 6 and [reply.finish for reply in one][4] == "length"
    second, account = engine(), Account()
    two = second.map(asks(6, max_tokens=3), account=account)
    assert [r.text for r in one] == [r.text for r in two] and len(second.log) == account.total.calls == 2
    assert account.total.kept == 4 and two[0].from_cache and two[0].attempts == 0
    third = Scripted(lambda r: "no", name="another", cache=tmp_path / "replies.db")
    assert third.call(asks(1, max_tokens=3)[0]).text == "no"


def test_damaged_rows_and_files(tmp_path, asks):
    cache = Cache(tmp_path / "replies.db")
    engine = Scripted(lambda r: "yes", cache=cache)
    key = engine.call(asks(1)[0]).key
    cache._file().execute("UPDATE replies SET reply = '{' WHERE key = ?", (key,))
    assert engine.call(asks(1)[0]).text == "yes" and len(engine.log) == 2
    (tmp_path / "broken.db").write_bytes(b"not a database" * 200)
    assert "broken.db" in refusal(lambda: Scripted(lambda r: "yes", cache=tmp_path / "broken.db").call(asks(1)[0]), "file")


def test_logprobs_survive_the_cache(tmp_path):
    engine = Scripted([(None, {"a": -0.1, "b": -2.5})], cache=tmp_path / "replies.db")
    ask = Request.of("q", choices=("b", "a"), logprobs=True)
    assert engine.call(ask).logprobs == engine.call(ask).logprobs == (-2.5, -0.1) and engine.call(ask).text == "a"


def test_same_requests_in_flight_share_one_call(asks):
    engine, account = Scripted(lambda r: r.user, latency=0.01), Account()
    replies = engine.map(asks(3) * 10, account=account)
    assert len(engine.log) == 3 and account.total.calls == 3 and account.total.kept == 27
    assert [reply.text for reply in replies] == [f"question {i}" for i in range(3)] * 10


def test_equal_items_of_a_batch_are_asked_once_whoever_is_quicker():
    """However long each takes, with a failure among them: the calls, and what stands in each place, are the same."""
    for pattern in range(8):
        engine = Scripted(lambda r: Fault(400) if "bad" in r.user else fulfil(r, {"value": r.user[0]}), seed=pattern, latency=(0, 0.01), limit=2)
        roles = Roles(engine, on_error="skip")
        questions = [Question(Request.of(word, role="critic"), Values()) for word in ("a", "bad", "b", "a", "bad", "a")]
        found = roles.ask(questions)
        assert [answer.value["value"] if isinstance(answer, Answer) else answer.code for answer in found] == [
            "a", "engine-refused", "b", "a", "engine-refused", "a"]
        spent = roles.account.of("critic")
        assert (spent.calls, spent.kept, roles.account.skipped, len(engine.log)) == (3, 2, 2, 3)


def test_at_most_sixteen_in_flight(asks):
    engine = Scripted(lambda r: r.user, latency=(0.001, 0.01))
    others = [threading.Thread(target=engine.map, args=(asks(40, max_tokens=9 + i),)) for i in range(3)]
    for other in others:
        other.start()
    engine.map(asks(100))
    for other in others:
        other.join()
    assert engine.peak == 16
    few = Scripted(lambda r: r.user, latency=0.002)
    few.map(asks(20), limit=3)
    assert few.peak == 3


def test_from_a_loop_of_ones_own(asks):
    engine = Scripted(lambda r: r.user, latency=0.01)

    async def main():
        return await asyncio.gather(*(engine.acall(request) for request in asks(5)))
    assert [reply.text for reply in asyncio.run(main())] == [f"question {i}" for i in range(5)]

    def inner(request):
        return engine.call(request).text
    with pytest.raises(RuntimeError, match="acall"):
        Scripted(inner).call(asks(1)[0])


@pytest.mark.parametrize("status", [429, 500, 503, 529, "cut"])
def test_what_may_help_is_tried_again_and_counted(status, quick, asks):
    engine, account = Scripted([(None, [Fault(status), Fault(status), "yes"])], retry=quick), Account()
    reply = engine.call(asks(1)[0], account)
    assert reply.text == "yes" and reply.attempts == 3
    assert account.total.calls == 3 and account.total.replies == 1
    lost = 2 * (3 + 512) if status == "cut" else 0  # the model may have worked on it
    assert account.total.tokens == lost + 4


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_what_can_not_help_is_not(status, quick, asks):
    engine, account = Scripted([(None, Fault(status))], retry=quick), Account()
    said = refusal(lambda: engine.call(asks(1)[0], account), "engine-refused")
    assert f"HTTP {status}" in said and account.total.calls == 1


def test_after_the_last_try(quick, asks):
    engine = Scripted([(None, Fault(503))], retry=quick)
    said = refusal(lambda: engine.call(asks(1)[0]), "engine-unavailable")
    assert len(engine.log) == 4 and "HTTP 503" in said and "4 attempts" in said
    hanging = Scripted([(None, Fault("hang"))], retry=Retry(tries=2, first=0.001, timeout=0.03))
    assert "no reply within 0.03 s (2 attempts" in refusal(lambda: hanging.call(asks(1)[0]), "engine-unavailable")


def test_waits_grow_vary_and_heed_the_server():
    retry, chance = Retry(first=1.0, longest=8.0), random.Random(0)
    for tried, most in [(1, 1), (2, 2), (3, 4), (4, 8), (9, 8), (99, 8)]:
        waits = [retry.pause(tried, None, chance) for _ in range(200)]
        assert most / 2 <= min(waits) < 0.6 * most and 0.9 * most < max(waits) <= most
    assert retry.pause(1, 20.0, chance) == 20.0
    with pytest.raises(ValueError):
        Retry(tries=0)


def test_the_deadline_is_of_the_whole_call(asks):
    engine = Scripted([(None, Fault(429, after=5.0))], retry=Retry(tries=9, deadline=1.0))
    began = time.monotonic()
    refusal(lambda: engine.call(asks(1)[0]), "engine-unavailable")
    assert time.monotonic() - began < 1 and len(engine.log) == 1  # it would have had to wait past the deadline


def test_retry_after_is_waited_for(asks):
    engine = Scripted([(None, [Fault(429, after=0.1), "yes"])], retry=Retry(first=0.0))
    began = time.monotonic()
    assert engine.call(asks(1)[0]).text == "yes" and time.monotonic() - began >= 0.1


def test_the_first_failure_stops_the_rest_or_stands_in_its_place(asks):
    def script(request):
        return Fault(400) if request.user in ("question 3", "question 7") else "yes"
    engine = Scripted(script, latency=0.001, limit=2)
    refusal(lambda: engine.map(asks(50)), "engine-refused")
    assert len(engine.log) < 10
    roles = Roles(Scripted(script), on_error="skip")
    replies = roles.map(asks(10))
    assert [i for i, reply in enumerate(replies) if isinstance(reply, pb.EngineError)] == [3, 7] and roles.account.skipped == 2


def test_the_same_bytes_whatever_the_latencies(asks):
    seen = set()
    for pattern in range(20):
        engine = Scripted(lambda r: r.user.upper(), seed=pattern, latency=(0, 0.004), faults={"429": 0.2, "500": 0.1, "cut": 0.1},
                          retry=Retry(tries=30, first=0.0), limit=1 + pattern % 16)
        replies = Roles(engine).map(asks(12) + asks(4))
        seen.add(json.dumps([[reply.text, reply.finish, reply.usage.total] for reply in replies]))
    assert len(seen) == 1


def test_a_budget_of_calls_is_never_passed_and_used_up(asks):
    for calls in (0, 1, 7, 16, 30):
        engine = Scripted(lambda r: r.user, latency=(0, 0.003))
        roles = Roles(engine, Budget(calls=calls))
        said = refusal(lambda: roles.map(asks(40)), "budget")
        assert len(engine.log) == roles.account.total.calls == calls and f"of {calls} calls" in said
    roles = Roles(Scripted(lambda r: r.user), Budget(calls=40))
    assert len(roles.map(asks(40))) == 40


def test_a_budget_of_tokens_sets_the_worst_case_aside(asks):
    """A prompt has 3 tokens, a reply 2, the worst reply 10: the last call is admitted as long as 13 are left."""
    for tokens in (0, 12, 13, 60, 100):
        engine = Scripted(lambda r: "two words", latency=(0, 0.002))
        roles = Roles(engine, Budget(tokens=tokens))
        refusal(lambda: roles.map(asks(60, max_tokens=10)), "budget")
        fits = max(0, (tokens - 13) // 5 + 1) if tokens >= 13 else 0
        assert len(engine.log) == fits and roles.account.total.tokens == 5 * fits <= tokens


def test_a_budget_of_cost_needs_a_price(asks):
    budget = Budget(cost=1.0, prices={"scripted": (1e6, 1e6)})
    roles = Roles(Scripted(lambda r: "two words"), Budget(cost=26.0, prices=budget.prices))
    refusal(lambda: roles.map(asks(60, max_tokens=10)), "budget")
    assert roles.account.total.cost == 15.0
    assert "no price for `other`" in refusal(lambda: Roles(Scripted(lambda r: "x", name="other"), budget).map(asks(1)), "budget")
    for wrong in (dict(cost=1.0), dict(calls=-1), dict(tokens=True)):
        with pytest.raises(ValueError):
            Budget(**wrong)


def test_failed_attempts_count_against_the_budget(quick, asks):
    engine = Scripted([(None, [Fault(500), Fault(500), "yes"])], retry=quick)
    refusal(lambda: Roles(engine, Budget(calls=2)).map(asks(1)), "budget")
    assert len(engine.log) == 2


def test_roles_fall_back_and_have_accounts_of_their_own():
    forward, critic = Scripted(lambda r: "f", name="forward"), Scripted(lambda r: "c", name="critic")
    roles = Roles({"forward": forward, "critic": critic})
    replies = {role: roles.call(Request.of("q", role=role)).text for role in ("forward", "critic", "merge", "judge", "optimize")}
    assert replies == {"forward": "f", "critic": "c", "merge": "c", "judge": "c", "optimize": "c"}
    assert {role: spent.calls for role, spent in roles.account.roles.items()} == dict.fromkeys(replies, 1)
    assert Roles(forward).engine("merge") is forward and Roles({"forward": forward, "judge": critic}).engine("merge") is forward
    for wrong in ({"critc": critic, "forward": forward}, {"critic": critic}):
        with pytest.raises(pb.ArgumentError):
            Roles(wrong)


def test_the_account_is_a_table():
    roles = Roles(Scripted(lambda r: "one two"))
    roles.map([Request.of("q"), Request.of("q"), Request.of("q", role="critic", rollout=1)])
    rows = [line.split() for line in str(roles.account).splitlines()]
    assert [row[:6] for row in rows] == [["role", "calls", "replies", "kept", "prompt", "reply"], ["forward", "1", "1", "1", "1", "2"],
                                         ["critic", "1", "1", "0", "1", "2"], ["all", "2", "2", "1", "2", "4"]]


def test_an_interrupt_ends_the_wait_and_a_fork_has_engines():
    program = """
import os, signal, threading, time
import pullback as pb
E = pb.engines
engine = E.scripted([("hang", E.Fault("hang")), (None, "yes")], limit=1)
threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    engine.call(E.Request.of("hang"))
except KeyboardInterrupt:
    print(engine.call(E.Request.of("go on")).text, flush=True)
if os.fork() == 0:
    print(*[reply.text for reply in engine.map([E.Request.of(f"q{i}") for i in range(3)])], flush=True)
    os._exit(0)
os.wait()
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert ran.stdout.split() == ["yes"] * 4, ran.stderr


def test_what_was_cut_is_asked_for_once_more_with_twice_the_limit():
    engine = Scripted(lambda r: "one two three four five six")
    roles = Roles(engine)
    assert roles.call(Request.of("q", max_tokens=3)).text == "one two three four five six"
    assert [request.max_tokens for request in engine.log] == [3, 6] and roles.account.doubled == 1
    said = refusal(lambda: Roles(engine).call(Request.of("q", max_tokens=2)), "text-truncated")
    assert "`max_tokens` = 4" in said and "1 of prompt, 4 of reply" in said


def ask(script, contract, **options):
    engine = Scripted(script, **options)
    roles = Roles(engine)
    return engine, roles, lambda: roles.ask([Question(Request.of("q", max_tokens=50), contract)])[0].value


SPANS = Capabilities(tokenize=True)


def test_a_broken_contract_is_repaired_once():
    engine, roles, value = ask([("could not be used", {"value": "mended"}), (None, "no tags at all ⟦end earlier reply⟧")], Values(),
                               capabilities=SPANS)
    assert value() == {"value": "mended"} and roles.account.repaired == 1
    assert fields(engine.log[1].user) == [("earlier reply", "no tags at all end earlier reply")]
    engine, roles, value = ask([(None, "x" * 500)], Values(), capabilities=SPANS)
    said = refusal(value, "text-contract")
    assert "x" * 200 + "…" in said and "x" * 201 not in said and len(engine.log) == 2
    engine, roles, value = ask([(None, "{}")], Values())
    refusal(value, "text-contract")


def test_an_answer_that_does_not_end_is_cut_not_broken():
    engine, _, value = ask([(None, ["<final_text>begun", "<final_text>whole</final_text>"])], Values(), capabilities=SPANS)
    assert value() == {"value": "whole"} and [request.max_tokens for request in engine.log] == [50, 100]
    _, _, value = ask([(None, "<final_text>begun")], Values(), capabilities=SPANS)
    refusal(value, "text-truncated")
    _, _, value = ask([(None, '{"value": "begun')], Values())
    refusal(value, "text-truncated")


def test_types_need_a_schema_and_are_checked():
    _, _, value = ask([("could not be used", {"value": 4}), (None, {"value": "four"})], Typed({"type": "integer", "minimum": 0}))
    assert value() == 4
    _, _, value = ask([(None, {"value": -1})], Typed({"type": "integer", "minimum": 0}))
    assert "`value` is -1, out of bounds" in refusal(value, "text-contract")
    _, _, value = ask([(None, {"value": 1})], Typed({"type": "integer"}), capabilities=SPANS)
    assert "number(reply)" in refusal(value, "engine-capability")


def test_capabilities_are_never_passed_over(asks):
    engine = Scripted(lambda r: "x", capabilities=Capabilities(context=20, tokenize=True))
    for options in ({"schema": {}}, {"grammar": "root ::= \"x\""}, {"choices": ("x",)}, {"logprobs": True}):
        refusal(lambda: engine.call(Request.of("q", **options)), "engine-capability")
    said = refusal(lambda: engine.call(Request.of("word " * 15, max_tokens=6)), "text-budget")
    assert "15 tokens" in said and "user 75 characters" in said and "by summarize" in said and not engine.log
    assert "none of the choices" in refusal(lambda: Scripted(lambda r: "maybe").call(Request.of("q", choices=("yes", "no"))), "text-contract")


def test_a_replay_gives_the_same_bytes_and_shows_what_is_missing(tmp_path, asks):
    inner = Scripted(lambda r: "a b c d e" if "3" in r.user else r.user, latency=(0, 0.003), cache=tmp_path / "replies.db")
    path = tmp_path / "run.jsonl"
    one = Roles(Record(path, inner)).map(asks(5, max_tokens=4))
    two = Roles(Replay(path)).map(asks(5, max_tokens=4))
    assert [replace(r, attempts=1, from_cache=False) for r in one] == [replace(r, attempts=1, from_cache=False) for r in two]
    lines = path.read_text().splitlines()
    path.write_text("\n".join(reversed(lines)) + '\n{"key": "cut by a ki')
    assert [r.text for r in Roles(Replay(path)).map(asks(5, max_tokens=4))] == [r.text for r in one]
    Record(path, Scripted(lambda r: "new", capabilities=Capabilities(tokenize=True))).call(Request.of("new"))  # after the cut line
    assert len(path.read_text().splitlines()) == len(lines) + 1 and "engines" in refusal(lambda: Replay(path), "file")
    again = tmp_path / "again.jsonl"
    Roles(Record(again, inner)).map(asks(5, max_tokens=4))  # what was kept is recorded too
    assert sorted(again.read_text().splitlines()) == sorted(lines)
    asked = Request.of("question 9", "answer", max_tokens=5)
    said = refusal(lambda: Replay(again).call(asked), "replay-miss")
    assert "{+9+}" in said and "max_tokens" in said
    path.write_text("nonsense\n" + "\n".join(lines))
    assert "line 1" in refusal(lambda: Replay(path), "file")
    refusal(lambda: Replay(tmp_path / "nowhere.jsonl"), "file")


def test_a_script_is_strict(asks):
    with pytest.raises(pb.ArgumentError, match="'never'"):
        with Scripted([("never", "x"), (None, "y")]) as engine:
            engine.call(asks(1)[0])
    refusal(lambda: Scripted([("never", "x")]).call(asks(1)[0]), "replay-miss")
    engine = Scripted([(None, ["once"])])
    engine.call(asks(1)[0])
    assert "only 1 replies" in refusal(lambda: engine.call(asks(2)[1]), "replay-miss")
    with pytest.raises(pb.ArgumentError):
        Scripted(lambda r: "x", faults={"flood": 1.0})


def test_an_unreported_usage_counts_at_its_worst(asks):
    account = Account()
    Scripted(lambda r: Reply("x", usage=Usage())).call(asks(1)[0], account)
    assert account.total.tokens == 3 + 512


def test_a_cancelled_call_is_counted_and_frees_its_place(asks):
    engine, account = Scripted([("question 0", Fault("hang")), (None, "yes")], limit=1), Account()

    async def main():
        task = asyncio.ensure_future(engine.acall(asks(1)[0], account))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return await engine.acall(asks(2)[1], account)
    assert asyncio.run(main()).text == "yes"
    assert account.total.calls == 2 and account._flying.calls == 0
