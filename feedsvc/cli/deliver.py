"""The command `deliver`."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Callable

import click
from flask.cli import with_appcontext

from feedsvc.cli.output import help_epilog
from feedsvc.errors import FeedsvcError, Unavailable
from feedsvc.services import current_services
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
    """Tell the hubs of FEEDSVC_HUBS which feeds change, until stopped.

    Any number of these can run at the same time.
    """
    # An optional dependency, and slow to import.
    try:
        from feedsvc.websub.pings import ping_hubs
    except ModuleNotFoundError as error:
        raise FeedsvcError(
            f"`deliver` needs {error.name}: run `pip install feedsvc[websub]`."
        ) from None

    services = current_services()
    config = services.config
    storage = services.storage
    _set_up_logging()
    stop = threading.Event()
    # Pings that are running finish before the command stops.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def should_stop() -> bool:
        # A process whose parent has ended gets another one.
        return stop.is_set() or parent not in (None, os.getppid())

    if not _wait_for_database(storage, should_stop):
        return
    storage.hubs.configure(config.hubs)
    asyncio.run(ping_hubs(storage.hubs, config.public_url, should_stop))


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
