"""`python -m bench.text`: what an engine costs of our own, and how well it fills its places.

    cpu         own CPU time a call at latency 0, in ms (bound: 2)
    kept        the same for replies that were kept on disk
    http        the same over HTTP, against a server on this machine (the server's own time is in it)
    fill        320 items of 50 ms at 16 at a time, over 320/16 · 50 ms (bound: 1.2)
    in flight   the most requests at once (bound: 16)

CPU time is that of the whole process, all threads, and does not depend on how busy the machine is; `fill` does.
"""
from __future__ import annotations

import json
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from pullback.backends.text.openai import OpenAI
from pullback.backends.text.roles import Roles
from pullback.backends.text.scripted import Scripted
from pullback.compiler.engine import Budget, Request

CALLS, ITEMS, PLACES, LATENCY = 1000, 320, 16, 0.05


def requests(n: int) -> list[Request]:
    return [Request.of(f"Question {i}: " + "what is it? " * 20, "Answer in a word.") for i in range(n)]


def cpu(engine) -> float:
    """Own CPU time a call, in ms, within a budget and with accounts by role."""
    roles, asked = Roles(engine, Budget(calls=10 * CALLS, tokens=10**9)), requests(CALLS)
    roles.map(requests(10))
    began = time.process_time()
    roles.map(asked)
    return 1e3 * (time.process_time() - began) / CALLS


class Peer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    body = json.dumps({"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}],
                       "usage": {"prompt_tokens": 60, "completion_tokens": 1}}).encode()

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *args):
        pass


def measure() -> dict[str, float]:
    found = {"cpu": cpu(Scripted(lambda request: "yes"))}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "replies.db"
        Roles(Scripted(lambda request: "yes", cache=file)).map(requests(CALLS))
        found["kept"] = cpu(Scripted(lambda request: "yes", cache=file))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Peer)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found["http"] = cpu(OpenAI("small", f"http://127.0.0.1:{server.server_address[1]}/v1"))
    server.shutdown()
    engine = Scripted(lambda request: "yes", latency=LATENCY, limit=PLACES)
    began = time.perf_counter()
    Roles(engine).map(requests(ITEMS))
    found["fill"] = (time.perf_counter() - began) / (ITEMS / PLACES * LATENCY)
    found["in flight"] = engine.peak
    return found


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name:<12}{value:8.3f}")
