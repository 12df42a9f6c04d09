"""Prometheus metrics of one delivery worker, on a port of their own.

Any number of workers run side by side, also on machines without a server.
"""

from __future__ import annotations

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server

from feedsvc.errors import FeedsvcError
from feedsvc.models import utcnow
from feedsvc.websub_types import DeliveryResult

_BUCKETS = (0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 3600, 6 * 3600, 86400)


class DeliveryMetrics:
    """Count deliveries and serve the counts."""

    def __init__(self, address: str) -> None:
        """Start the server.

        :param address: host and port, such as 127.0.0.1:9181.
        :raises FeedsvcError: the address is not available.
        """
        registry = CollectorRegistry()
        self._deliveries = Counter(
            "feedsvc_deliveries", "Deliveries.", ["outcome"], registry=registry
        )
        for outcome in ("delivered", "failed", "gone"):
            self._deliveries.labels(outcome)  # present from the start, as 0
        self._seconds = Histogram(
            "feedsvc_delivery_seconds",
            "Time from a change of a feed to its delivery.",
            buckets=_BUCKETS,
            registry=registry,
        )
        host, _, port = address.rpartition(":")
        try:
            start_http_server(int(port), host, registry)
        except (OSError, ValueError, OverflowError) as error:
            raise FeedsvcError(f"Cannot listen on {address}: {error}.") from None

    def record(self, result: DeliveryResult, changed_at: datetime) -> None:
        """Count a delivery of a feed that last changed at a time."""
        if result.etag:
            # From the change, since that is what a subscriber waits for; retries
            # included.
            self._seconds.observe((utcnow() - changed_at).total_seconds())
            outcome = "delivered"
        elif result.retry_after:
            outcome = "failed"
        else:
            outcome = "gone"
        self._deliveries.labels(outcome).inc()
