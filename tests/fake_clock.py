"""A clock that tests move."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")


class Clock:
    """Stands still until it is told to move."""

    def __init__(
        self, now: datetime = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
    ) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **duration: float) -> None:
        """Move by a timedelta's arguments."""
        self.now += timedelta(**duration)
