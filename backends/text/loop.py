"""One event loop, in a thread of its own, on which all engines live.

Whatever is shared between requests (caches, requests in flight, gates, accounts) is touched by this thread only, so it
needs no locks, and connections are kept between calls.  A caller without a loop waits; one with a loop awaits.
"""
from __future__ import annotations

import asyncio
import os
import threading
from typing import Any, Awaitable, Callable, Coroutine, Iterable, Sequence

_lock = threading.Lock()
_home: tuple[int, asyncio.AbstractEventLoop, threading.Thread] | None = None


def home() -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
    """The loop and its thread, started when first asked for, and anew in a forked process."""
    global _home
    with _lock:
        if _home is None or _home[0] != os.getpid():
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=loop.run_forever, name="pullback-text", daemon=True)
            thread.start()
            _home = os.getpid(), loop, thread
        return _home[1:]


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Wait for the work.  Ctrl-C stops it."""
    loop, thread = home()
    if threading.current_thread() is thread:
        work.close()
        raise RuntimeError("an engine's reply can't wait for another engine here: use `acall`")
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def here(work: Coroutine[Any, Any, Any]) -> Any:
    """Await the work from any loop; it is done on the engines' own."""
    loop, _ = home()
    if asyncio.get_running_loop() is loop:
        return await work
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))


async def in_order(make: Callable[[Any], Awaitable[Any]], items: Iterable[Any], limit: int, skip: tuple[type, ...] = (), *,
                   key: Callable[[Any], Any] | None = None, again: Callable[[Any, Any], Any] | None = None) -> list:
    """`make(item)` for each item, `limit` at a time, results in the order of the items.

    An error of a type in `skip` stands in the place of its result.  Any other stops the rest; if several are there by
    then, the one of the earliest item is raised.  Of items with one key the first is made, and the others are
    `again(item, result)`: so what is done does not depend on who was quicker."""
    todo: Sequence[Any] = list(items)
    results: list[Any] = [None] * len(todo)
    failed: dict[int, BaseException] = {}
    keys = list(range(len(todo))) if key is None else [key(item) for item in todo]
    firsts: dict[Any, int] = {}
    for place, one in enumerate(keys):
        firsts.setdefault(one, place)
    places = iter(firsts.values())

    async def work() -> None:
        for place in places:
            try:
                results[place] = await make(todo[place])
            except skip as error:
                results[place] = error
            except Exception as error:
                failed[place] = error
                raise
    workers = [asyncio.ensure_future(work()) for _ in range(min(limit, len(firsts)))]
    try:
        await asyncio.gather(*workers)
    except BaseException as error:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        if failed and not isinstance(error, asyncio.CancelledError):
            raise failed[min(failed)] from None
        raise
    return [results[place] if firsts[one] == place else again(todo[place], results[firsts[one]]) for place, one in enumerate(keys)]
