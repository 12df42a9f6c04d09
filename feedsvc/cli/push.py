"""The commands of push: `deliver`, and what operators see and do of subscriptions."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from config import Config
from feedsvc.store import Store

if TYPE_CHECKING:
    from feedsvc.push.post import Answer

_EXTENSION = "feedsvc.push"


@dataclass(frozen=True)
class Push:
    """What create_app hands to these commands; `answer` is a feed's, by its canonical path."""

    config: Config
    store: Store
    answer: Callable[[str], Answer]


def register_push(app: Flask, push: Push) -> None:
    """Give the commands what they work with."""
    app.extensions[_EXTENSION] = push


def push_of(app: Flask) -> Push:
    """What create_app has handed to the commands."""
    push: Push = app.extensions[_EXTENSION]
    return push


@click.command()
@click.option("--with-parent", is_flag=True, help="End when the process has ended that started it.")
@with_appcontext
def deliver(with_parent: bool) -> None:
    """Push changes to subscribers and other hubs, until it is stopped; as many side by side as you like."""
    # Slow to import, and needed only here.
    from feedsvc.logs import Json, Text
    from feedsvc.push.courier import Courier
    from feedsvc.push.outward import Outward
    from feedsvc.push.post import Post

    push, stop, parent = push_of(current_app), threading.Event(), os.getppid()
    handler = logging.StreamHandler()
    as_json = push.config.log_format == "json"
    handler.setFormatter(Json() if as_json else Text("%(asctime)s [%(process)d] deliver: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    store, public_url = push.store, push.config.public_url
    store.hubs.know(push.config.hubs)
    outward = Outward(f"feedsvc (+{public_url}/)", private=push.config.allow_private_callbacks)
    post = Post(outward, public_url)
    courier = Courier(store.deliveries, store.subscriptions, store.hubs, push.answer, store.settle, post)
    asyncio.run(courier.run(lambda: stop.is_set() or (with_parent and os.getppid() != parent)))


@click.group()
def subscriptions() -> None:
    """See and end subscriptions to feeds."""


@subscriptions.command("list")
@with_appcontext
def list_subscriptions() -> None:
    """List every subscription: its feed, callback, times, and whether it waits, never the secret."""
    for found in push_of(current_app).store.subscriptions.all():
        times = [f"since {found.since:%Y-%m-%d %H:%M}", f"until {found.expires:%Y-%m-%d %H:%M}"]
        if found.waits:
            times.append(f"waits since {found.waits:%Y-%m-%d %H:%M:%S}, failed {found.failures} times")
        click.echo(f"{found.path}\t{found.callback}\t{', '.join(times)} UTC")


@subscriptions.command()
@click.argument("callback")
@with_appcontext
def drop(callback: str) -> None:
    """End the subscriptions of every callback that begins so; each is told."""
    count = push_of(current_app).store.subscriptions.drop_callback(callback)
    click.echo(f"{count} ended.")


@subscriptions.command()
@with_appcontext
def counts() -> None:
    """Print how many subscriptions there are, wait and fail, and for how many seconds the oldest waits."""
    for name, count in push_of(current_app).store.subscriptions.counts().items():
        click.echo(f"{name}\t{count:.0f}")
