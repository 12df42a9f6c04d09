"""The commands `deliver` and `subscriptions`."""

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
    help="Stop when this process, which is the parent, has ended.",
)
@click.option(
    "--metrics",
    metavar="ADDRESS:PORT",
    help="Serve Prometheus metrics there.",
)
@with_appcontext
def deliver(parent: int | None, metrics: str | None) -> None:
    """Deliver changes to subscribers and external hubs until stopped.

    Any number of these can run at the same time.
    """
    # Slow to import, and needed only here.
    from feedsvc.server.logging import JsonFormatter, TextFormatter
    from feedsvc.websub.delivery import WebSubClient
    from feedsvc.websub.http_client import SafeHttpClient
    from feedsvc.websub.worker import DeliveryWorker

    if metrics:
        from feedsvc.websub.metrics import DeliveryMetrics

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
    http = SafeHttpClient(
        f"feedsvc (+{config.public_url}/)",
        allow_private=config.allow_private_callbacks,
    )
    worker = DeliveryWorker(
        store,
        current_services().feeds,
        WebSubClient(http, config.public_url),
        DeliveryMetrics(metrics) if metrics else None,
    )
    asyncio.run(worker.run(lambda: stop.is_set() or parent not in (None, os.getppid())))


@click.group(cls=AppGroup)
def subscriptions() -> None:
    """List and end subscriptions to feeds."""


@subscriptions.command(
    "list", epilog=help_epilog("subscriptions list", "subscriptions list --json")
)
@json_option
def list_subscriptions(as_json: bool) -> None:
    """List the subscriptions, with times in UTC.

    A delivery is pending since `pending_since`, and failed `failures` times.
    """
    names = (
        "path",
        "callback",
        "created_at",
        "expires_at",
        "pending_since",
        "failures",
    )
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
    """End the subscriptions whose callbacks begin with CALLBACK, and notify each."""
    click.echo(
        f"{current_services().storage.subscriptions.cancel_callbacks(callback)} ended."
    )


@subscriptions.command(epilog=help_epilog("subscriptions stats"))
@json_option
def stats(as_json: bool) -> None:
    """Count subscriptions, unverified requests, pending and failing deliveries.

    `oldest` is the age in seconds of the oldest pending delivery.
    """
    print_rows(
        ("state", "count"),
        current_services().storage.subscriptions.stats().items(),
        as_json=as_json,
    )
