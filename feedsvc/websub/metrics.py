"""What Prometheus is told of one `deliver`: what became of deliveries, and how long after the change."""

from __future__ import annotations

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server

from feedsvc.errors import FeedsvcError
from feedsvc.models import utcnow
from feedsvc.subscription import DeliveryResult

_SECONDS = (0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 3600, 6 * 3600, 86400)


class DeliveryMetrics:
    """Counts, and answers at an address of its own."""

    def __init__(self, address: str) -> None:
        """:raises FeedsvcError: the address, such as 127.0.0.1:9101, cannot be listened on."""
        registry = CollectorRegistry()
        self._tried = Counter(
            "feedsvc_deliveries",
            "Deliveries that were tried.",
            ["outcome"],
            registry=registry,
        )
        for outcome in ("delivered", "failed", "gone"):
            self._tried.labels(outcome)
        about = "Time from a change of a feed until a subscriber has it."
        self._took = Histogram(
            "feedsvc_delivery_seconds", about, buckets=_SECONDS, registry=registry
        )
        host, _, port = address.rpartition(":")
        try:
            start_http_server(int(port), host, registry)
        except (OSError, ValueError, OverflowError) as error:
            raise FeedsvcError(f"{address} cannot be listened on: {error}.") from None

    def record(self, outcome: DeliveryResult, changed: datetime) -> None:
        """Count what became of a delivery of a feed that was last changed then."""
        if outcome.etag:
            self._took.observe((utcnow() - changed).total_seconds())
        self._tried.labels(
            "delivered" if outcome.etag else "failed" if outcome.retry else "gone"
        ).inc()
