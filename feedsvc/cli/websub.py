"""The commands of push: `deliver`, and what operators see and do of subscriptions."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading

import click
from flask.cli import AppGroup, with_appcontext

from feedsvc.cli.output import help_epilog, json_option, print_rows
from feedsvc.services import current_services


@click.command(epilog=help_epilog("deliver"))
@click.option(
    "--parent",
    type=int,
    metavar="PID",
    help="End when this process, which starts it, has ended.",
)
@click.option(
    "--metrics",
    metavar="ADDRESS:PORT",
    help="Tell Prometheus there what becomes of deliveries.",
)
@with_appcontext
def deliver(parent: int | None, metrics: str | None) -> None:
    """Push changes to subscribers and other hubs, until it is stopped; as many side by side as you like."""
    # Slow to import, and needed only here.
    from feedsvc.server.logging import JsonFormatter, TextFormatter
    from feedsvc.websub.delivery import WebSubClient
    from feedsvc.websub.http_client import SafeHttpClient
    from feedsvc.websub.metrics import DeliveryMetrics
    from feedsvc.websub.worker import DeliveryWorker

    config, store = current_services().config, current_services().storage
    stop = threading.Event()
    handler = logging.StreamHandler()
    as_json = config.log_format == "json"
    handler.setFormatter(
        JsonFormatter()
        if as_json
        else TextFormatter("%(asctime)s [%(process)d] deliver: %(message)s")
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    store.hubs.configure(config.hubs)
    outward = SafeHttpClient(
        f"feedsvc (+{config.public_url}/)", private=config.allow_private_callbacks
    )
    post = WebSubClient(outward, config.public_url)
    count = DeliveryMetrics(metrics).record if metrics else lambda *_: None
    courier = DeliveryWorker(store, current_services().feeds, post, count)
    asyncio.run(
        courier.run(lambda: stop.is_set() or parent not in (None, os.getppid()))
    )


@click.group(cls=AppGroup)
def subscriptions() -> None:
    """See and end subscriptions to feeds."""


@subscriptions.command(
    "list", epilog=help_epilog("subscriptions list", "subscriptions list --json")
)
@json_option
def list_subscriptions(as_json: bool) -> None:
    """List every subscription: its feed, callback and times in UTC, never the secret.

    Where something `pending_since` for it, that is since when, and `failures` how often it was tried in vain.
    """
    names = ("path", "callback", "since", "expires", "pending_since", "failures")
    rows = (
        [row[name] for name in names]
        for row in current_services().storage.subscriptions.list()
    )
    print_rows(names, rows, as_json=as_json)


@subscriptions.command(
    epilog=help_epilog("subscriptions unsubscribe https://partner.example/")
)
@click.argument("callback")
def unsubscribe(callback: str) -> None:
    """End the subscriptions of every callback that begins so; each is told."""
    click.echo(
        f"{current_services().storage.subscriptions.cancel_callback(callback)} ended."
    )


@subscriptions.command(epilog=help_epilog("subscriptions stats"))
@json_option
def stats(as_json: bool) -> None:
    """Print how many subscriptions there are, wait and fail, and for how many seconds the oldest waits."""
    print_rows(
        ("what", "count"),
        current_services().storage.subscriptions.counts().items(),
        as_json=as_json,
    )
