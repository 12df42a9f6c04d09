"""The commands of push: `deliver`, and what operators see and do of subscriptions."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading

import click
from flask.cli import AppGroup, with_appcontext

from feedsvc.cli.services import services
from feedsvc.cli.showing import examples, json_option, show


@click.command(epilog=examples("deliver"))
@click.option("--parent", type=int, metavar="PID", help="End when this process, which starts it, has ended.")
@click.option("--metrics", metavar="ADDRESS:PORT", help="Tell Prometheus there what becomes of deliveries.")
@with_appcontext
def deliver(parent: int | None, metrics: str | None) -> None:
    """Push changes to subscribers and other hubs, until it is stopped; as many side by side as you like."""
    # Slow to import, and needed only here.
    from feedsvc.logs import Json, Text
    from feedsvc.push.courier import Courier
    from feedsvc.push.outward import Outward
    from feedsvc.push.post import Post
    from feedsvc.push.tally import Tally

    config, store = services().config, services().store
    stop = threading.Event()
    handler = logging.StreamHandler()
    as_json = config.log_format == "json"
    handler.setFormatter(Json() if as_json else Text("%(asctime)s [%(process)d] deliver: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    store.hubs.know(config.hubs)
    outward = Outward(f"feedsvc (+{config.public_url}/)", private=config.allow_private_callbacks)
    post = Post(outward, config.public_url)
    count = Tally(metrics).count if metrics else lambda *_: None
    courier = Courier(store, services().feeds, post, count)
    asyncio.run(courier.run(lambda: stop.is_set() or parent not in (None, os.getppid())))


@click.group(cls=AppGroup)
def subscriptions() -> None:
    """See and end subscriptions to feeds."""


@subscriptions.command("list", epilog=examples("subscriptions list", "subscriptions list --json"))
@json_option
def list_subscriptions(as_json: bool) -> None:
    """List every subscription: its feed, callback and times in UTC, never the secret.

    Where something `waits` for it, that is since when, and `failures` how often it was tried in vain.
    """
    names = ("path", "callback", "since", "expires", "waits", "failures")
    rows = ([row[name] for name in names] for row in services().store.subscriptions.all())
    show(names, rows, as_json=as_json)


@subscriptions.command(epilog=examples("subscriptions drop https://partner.example/"))
@click.argument("callback")
def drop(callback: str) -> None:
    """End the subscriptions of every callback that begins so; each is told."""
    click.echo(f"{services().store.subscriptions.drop_callback(callback)} ended.")


@subscriptions.command(epilog=examples("subscriptions counts"))
@json_option
def counts(as_json: bool) -> None:
    """Print how many subscriptions there are, wait and fail, and for how many seconds the oldest waits."""
    show(("what", "count"), services().store.subscriptions.counts().items(), as_json=as_json)
