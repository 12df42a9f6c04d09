"""The rule of a series of events, as it was posted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@dataclass(frozen=True, slots=True)
class Recurrence:
    """When a series takes place again (RFC 5545 §3.8.5): a RRULE, and what is left out or added.

    Both are of the kind of the event's start. Times are those that the clocks of the event's zone show.
    """

    rrule: str
    exdates: tuple[date, ...] = ()
    rdates: tuple[date, ...] = ()

    @property
    def rule_parts(self) -> dict[str, str]:
        """The parts of the rule, such as FREQ, by name."""
        return dict(part.split("=", 1) for part in self.rrule.split(";"))

    @property
    def to_dict(self) -> dict[str, Any]:
        """It as JSON, its times as the clocks show them: no instants, for one may be skipped by a change."""

        def texts(moments: tuple[date, ...]) -> list[str]:
            return [
                (m.replace(tzinfo=None) if isinstance(m, datetime) else m).isoformat()
                for m in moments
            ]

        found = {"exdates": texts(self.exdates), "rdates": texts(self.rdates)}
        return {
            "rrule": self.rrule,
            **{name: moments for name, moments in found.items() if moments},
        }
