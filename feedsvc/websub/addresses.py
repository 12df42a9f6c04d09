"""How many subscriptions go to each address, since names can be pointed elsewhere once they were verified."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from feedsvc.subscription import Delivery

MOST = 200
"""The subscriptions of an address at most."""


class Addresses:
    """What the database knew at the last look, and what this process has called since."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._moved: defaultdict[str, set[str]] = defaultdict(set)

    def learn(self, counts: Mapping[str, int]) -> None:
        """Begin anew with the subscriptions of each address."""
        self._counts, self._moved = Counter(counts), defaultdict(set)

    def admit(self, delivery: Delivery, address: str) -> bool:
        """Whether a delivery may go to an address: if it went there before, or there is room for one more.

        One that goes there for the first time counts at once: hundreds may arrive together.
        """
        if delivery.address == address or delivery.id in self._moved[address]:
            return True
        if self._counts[address] + len(self._moved[address]) >= MOST:
            return False
        self._moved[address].add(delivery.id)
        return True
