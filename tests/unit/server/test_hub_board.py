"""The board of the wait hub: nobody misses a change, and nobody who has gone is kept."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from threading import Thread
from typing import Any

import pytest

from saltant.server.hub.board import Board, Watch
from saltant.server.tasks.changes import Change

A, B, C = ("a" * 32, "b" * 32, "c" * 32)
BOUND = 30.0


def in_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test that runs in an event loop of its own."""

    @wraps(test)
    def run() -> None:
        asyncio.run(test())

    return run


async def news(watch: Watch) -> bool:
    """Whether there is news once everything that was posted is delivered."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    had, watch.has_news = watch.has_news, False
    return had


def is_empty(board: Board) -> bool:
    """Whether it keeps nothing of anybody."""
    return not (len(board) or board._ended or board._logged or board._anything)


@in_a_loop
async def test_an_end_reaches_those_who_wait_for_it() -> None:
    board = Board()
    with board.watch() as mine, board.watch() as other:
        mine.on_end([A, B])
        other.on_end([C])
        board.post(Change.MOVED, [A])
        assert not await news(mine)
        board.post(Change.ENDED, [B])
        assert await news(mine)
        assert not await news(other)
    assert is_empty(board)


@in_a_loop
async def test_a_change_while_the_view_looks_is_not_missed() -> None:
    board = Board()
    with board.watch() as watch:
        watch.on_end([A])
        board.post(Change.ENDED, [A])
        await asyncio.wait_for(watch.wait(BOUND), BOUND / 2)
        assert watch.has_news


@in_a_loop
async def test_all_of_some() -> None:
    board = Board()
    with board.watch() as watch:
        watch.on_end([A, B, C], of_all=True)
        board.post(Change.ENDED, [A])  # while the view looks, which saw it unfinished
        assert not await news(watch)
        watch.still_pending([A, B])
        assert not await news(watch)
        board.post(Change.ENDED, [B])
        assert await news(watch)


@in_a_loop
async def test_all_had_ended_while_the_view_looked() -> None:
    board = Board()
    with board.watch() as watch:
        watch.on_end([A], of_all=True)
        board.post(Change.ENDED, [A])
        await news(watch)
        watch.still_pending([A])
        assert watch.has_news


@in_a_loop
async def test_a_log_and_what_its_instance_does() -> None:
    board = Board()
    with board.watch() as watch:
        watch.on_log(A)
        for change in (Change.LOGGED, Change.MOVED, Change.ENDED):
            board.post(change, [B])
            assert not await news(watch)
            board.post(change, [A, B])
            assert await news(watch)
    assert is_empty(board)


@in_a_loop
async def test_streams_hear_of_states_but_not_of_logs() -> None:
    board = Board()
    with board.watch() as watch:
        watch.on_anything()
        assert board.streams == 1
        board.post(Change.LOGGED, [A])
        assert not await news(watch)
        for change in (Change.MOVED, Change.ENDED):
            board.post(change, [A])
            assert await news(watch)
    assert is_empty(board)


@in_a_loop
async def test_when_nobody_knows_what_happened_all_look() -> None:
    board = Board()
    with board.watch() as one, board.watch() as many, board.watch() as stream:
        one.on_end([A])
        many.on_end([B, C], of_all=True)
        many.still_pending([B, C])
        stream.on_anything()
        board.post(Change.UNKNOWN, ())
        assert [await news(each) for each in (one, many, stream)] == [True, True, True]


@in_a_loop
async def test_a_change_in_another_thread_wakes_the_loop() -> None:
    board = Board()
    with board.watch() as watch:
        watch.on_end([A])
        thread = Thread(target=board.post, args=(Change.ENDED, [A]))
        waiting = asyncio.ensure_future(watch.wait(BOUND))
        thread.start()
        await asyncio.wait_for(waiting, BOUND / 2)
        assert watch.has_news
        await asyncio.to_thread(thread.join)


@in_a_loop
async def test_a_wait_has_an_end() -> None:
    with Board().watch() as watch:
        watch.on_end([A])
        await watch.wait(0.001)
        assert not watch.has_news


@in_a_loop
async def test_a_board_that_closes_wakes_everybody() -> None:
    board = Board()
    with board.watch() as watch:
        watch.on_end([A])
        waiting = asyncio.ensure_future(watch.wait(BOUND))
        await asyncio.sleep(0)
        board.close()
        await asyncio.wait_for(waiting, BOUND / 2)
    assert board.is_closed


def test_what_nobody_waits_for_needs_no_loop() -> None:
    Board().post(Change.ENDED, [A])


@pytest.mark.parametrize("change", [Change.ENDED, Change.MOVED])
def test_a_loop_that_has_ended_is_no_error(change: Change) -> None:
    board = Board()

    async def leave_one() -> None:
        watch = Watch(board)
        with board.watch():
            board._watches.add(watch)
            watch.on_end([A])

    asyncio.run(leave_one())
    board.post(change, [A])
