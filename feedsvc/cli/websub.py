"""The commands `deliver` and `subscriptions`."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Callable

import click
from flask.cli import AppGroup, with_appcontext

from feedsvc.cli.output import help_epilog, json_option, print_rows
from feedsvc.errors import FeedsvcError, Unavailable
from feedsvc.services import current_services, current_storage
from feedsvc.storage import Storage

_log = logging.getLogger(__name__)


@click.command(epilog=help_epilog("deliver"))
@click.option(
    "--parent",
    type=int,
    metavar="PID",
    help="Stop when this process, which is the parent, has ended.",
)
@with_appcontext
def deliver(parent: int | None) -> None:
    """Deliver changes to subscribers and external hubs until stopped.

    Any number of these can run at the same time.
    """
    # Optional dependencies, and slow to import.
    try:
        from feedsvc.websub.delivery import WebSubClient
        from feedsvc.websub.http_client import SafeHttpClient
        from feedsvc.websub.worker import DeliveryWorker
    except ModuleNotFoundError as error:
        raise FeedsvcError(
            f"`deliver` needs {error.name}: run `pip install feedsvc[websub]`."
        ) from None

    services = current_services()
    config = services.config
    storage = services.storage
    _set_up_logging()
    stop = threading.Event()
    # The worker finishes the running deliveries before it stops.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def should_stop() -> bool:
        # A process whose parent has ended gets another one.
        return stop.is_set() or parent not in (None, os.getppid())

    if not _wait_for_database(storage, should_stop):
        return
    storage.hubs.configure(config.hubs)
    http_client = SafeHttpClient(
        f"feedsvc (+{config.public_url}/)",
        allow_private=config.allow_private_callbacks,
    )
    worker = DeliveryWorker(
        storage, services.feeds, WebSubClient(http_client, config.public_url)
    )
    asyncio.run(worker.run(should_stop))


def _wait_for_database(storage: Storage, should_stop: Callable[[], bool]) -> bool:
    """Wait until the service has migrated the database; return False to stop.

    :raises SchemaTooNew: the database is newer than this version.
    """
    message = ""
    while not should_stop():
        try:
            storage.check_schema()
            # Not before, or it would log the same reasons beside this function.
            storage.outage_log.is_enabled = True
            return True
        except Unavailable as error:
            if error.for_operator() != message:
                message = error.for_operator()
                _log.warning("Waiting for the database: %s", message)
        time.sleep(0.5)
    return False


def _set_up_logging() -> None:
    # gunicorn's formatters, without gunicorn in the other commands.
    from feedsvc.server.logging import create_formatter

    handler = logging.StreamHandler()
    handler.setFormatter(
        create_formatter(
            current_services().config,
            "%(asctime)s [%(process)d] deliver: %(message)s",
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler])


@click.group(cls=AppGroup)
def subscriptions() -> None:
    """List, count and end subscriptions to feeds."""


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
        [row[name] for name in names] for row in current_storage().subscriptions.list()
    )
    print_rows(names, rows, as_json=as_json)


@subscriptions.command(
    epilog=help_epilog("subscriptions unsubscribe https://partner.example/")
)
@click.argument("callback")
def unsubscribe(callback: str) -> None:
    """End the subscriptions whose callbacks begin with CALLBACK, and notify each."""
    count = current_storage().subscriptions.cancel_callbacks(callback)
    click.echo(f"Subscriptions ended: {count}.")


@subscriptions.command(epilog=help_epilog("subscriptions stats"))
@json_option
def stats(as_json: bool) -> None:
    """Count subscriptions, unverified requests, pending and failing deliveries.

    `oldest` is the age in seconds of the oldest pending delivery.
    """
    print_rows(
        ("state", "count"),
        current_storage().subscriptions.stats().items(),
        as_json=as_json,
    )
