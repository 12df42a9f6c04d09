"""The words of each language where its grammar decides: order, articles, punctuation."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from feedsvc.feeds.query import CategoryFilter
from feedsvc.formats.content import offer_text
from feedsvc.formats.shown import Shown
from feedsvc.formats.titles import feed_title
from feedsvc.languages import UI_LANGUAGES
from feedsvc.models import (
    Cancellation,
    Category,
    Event,
    Offer,
    Recurrence,
    Site,
)
from tests.formats.feeds import CONCERT, HANOI, SITE, feed

BERLIN = ZoneInfo("Europe/Berlin")
SATURDAY = datetime(2026, 12, 12, 19, tzinfo=HANOI)
TWO_HOURS = Event(SATURDAY, SATURDAY.replace(hour=21), HANOI)
NIGHT = Event(SATURDAY, SATURDAY.replace(day=13, hour=1), HANOI)
FAIR = Event(date(2026, 12, 12), date(2026, 12, 15), HANOI)
CANCELLED = Event(
    SATURDAY.replace(tzinfo=BERLIN), None, BERLIN, status="cancelled"
)
OFF = replace(
    TWO_HOURS,
    recurrence=Recurrence(
        "FREQ=WEEKLY",
        cancelled=tuple(
            Cancellation(SATURDAY + timedelta(weeks=week), "N")
            for week in range(12)
        ),
    ),
)
OFFER = Offer("0", "EUR", "A", availability="sold_out")

#: By language: a weekly series on two days, in feeds and lists; one in every second week;
#: several days, in feeds and lists; hours with a last day; an offer; a title; a summary
#: of a notice, a time in another zone and a text; the title of a feed; a series with
#: cancelled dates: title, badge, hours, the first and the last line of its list.
EXPECTED = {
    "de": """
        Wöchentlich am Dienstag und Samstag; nächster Termin: Samstag, 12. Dezember 2026, 19:00 bis 21:00 Uhr
        19:00 bis 21:00 Uhr · wöchentlich am Dienstag und Samstag
        Alle 2 Wochen am Samstag bis 26. Dezember 2026; nächster Termin: Samstag, 12. Dezember 2026, 19:00 bis 21:00 Uhr
        Samstag, 12. Dezember 2026 bis Montag, 14. Dezember 2026
        Ganztägig bis 14. Dezember 2026
        19:00 Uhr bis 13. Dezember 2026
        A: kostenlos (ausverkauft)
        Abgesagt: T
        Grund: N. Samstag, 12. Dezember 2026, 19:00 Uhr (Berlin). S
        Aktuelle Meldungen – A ohne B – P
        Abgesagt am 12.12.: T
        Am 12.12. abgesagt
        19:00 bis 21:00 Uhr · wöchentlich am Samstag; nächster Termin: Samstag, 6. März 2027
        Samstag, 12. Dezember 2026 – N
        und noch 2
        """,
    "en": """
        Every week on Tuesday and Saturday; next 19:00 – 21:00, Saturday, 12 December 2026
        19:00 – 21:00 · every week on Tuesday and Saturday
        Every 2 weeks on Saturday until 26 December 2026; next 19:00 – 21:00, Saturday, 12 December 2026
        From Saturday, 12 December 2026 to Monday, 14 December 2026
        All day until 14 December 2026
        19:00 until 13 December 2026
        A: free (sold out)
        Cancelled: T
        Reason: N. 19:00, Saturday, 12 December 2026 (Berlin). S
        Latest news – A without B – P
        Cancelled 12 Dec: T
        Cancelled 12 Dec
        19:00 – 21:00 · every week on Saturday; next Saturday, 6 March 2027
        Saturday, 12 December 2026 – N
        and 2 more
        """,
    "es": """
        Cada semana, el martes y el sábado; próxima fecha: sábado 12 de diciembre de 2026, 19:00 a 21:00 h
        19:00 a 21:00 h · cada semana, el martes y el sábado
        Cada 2 semanas, el sábado, hasta el 26 de diciembre de 2026; próxima fecha: sábado 12 de diciembre de 2026, 19:00 a 21:00 h
        Del sábado 12 de diciembre de 2026 al lunes 14 de diciembre de 2026
        Todo el día, hasta el 14 de diciembre de 2026
        19:00 h, hasta el 13 de diciembre de 2026
        A: gratis (agotadas)
        Cancelado: T
        Motivo: N. Sábado 12 de diciembre de 2026, 19:00 h (Berlín). S
        Últimas noticias – A excepto B – P
        Cancelado el 12 dic: T
        Cancelado el 12 dic
        19:00 a 21:00 h · cada semana, el sábado; próxima fecha: sábado 6 de marzo de 2027
        sábado 12 de diciembre de 2026 – N
        y 2 más
        """,
    "fr": """
        Toutes les semaines, le mardi et le samedi ; prochaine date : samedi 12 décembre 2026, 19:00 – 21:00
        19:00 – 21:00 · toutes les semaines, le mardi et le samedi
        Toutes les 2 semaines, le samedi, jusqu’au 26 décembre 2026 ; prochaine date : samedi 12 décembre 2026, 19:00 – 21:00
        Du samedi 12 décembre 2026 au lundi 14 décembre 2026
        Toute la journée, jusqu’au 14 décembre 2026
        19:00, jusqu’au 13 décembre 2026
        A : gratuit (complet)
        Annulé : T
        Motif : N. Samedi 12 décembre 2026, 19:00 (Berlin). S
        Dernières actualités – A sauf B – P
        Annulé le 12 déc. : T
        Annulé le 12 déc.
        19:00 – 21:00 · toutes les semaines, le samedi ; prochaine date : samedi 6 mars 2027
        samedi 12 décembre 2026 – N
        et 2 de plus
        """,
    "ja": """
        毎週火曜日、土曜日、次回は2026年12月12日（土曜日）19:00～21:00
        19:00～21:00 · 毎週火曜日、土曜日
        2週間ごとの土曜日（2026年12月26日まで）、次回は2026年12月12日（土曜日）19:00～21:00
        2026年12月12日（土曜日）から2026年12月14日（月曜日）まで
        終日（2026年12月14日まで）
        19:00（2026年12月13日まで）
        A：無料（受付終了）
        【中止】T
        理由：N。2026年12月12日（土曜日）19:00（ベルリン）。S
        新着のお知らせ – A（Bを除く） – P
        【12月12日中止】T
        12月12日中止
        19:00～21:00 · 毎週土曜日、次回は2027年3月6日（土曜日）
        2026年12月12日（土曜日） – N
        ほか2回
        """,
    "ko": """
        매주 화요일 및 토요일, 다음 일정: 2026년 12월 12일 토요일 19:00~21:00
        19:00~21:00 · 매주 화요일 및 토요일
        2주마다 토요일(2026년 12월 26일까지), 다음 일정: 2026년 12월 12일 토요일 19:00~21:00
        2026년 12월 12일 토요일부터 2026년 12월 14일 월요일까지
        종일(2026년 12월 14일까지)
        19:00(2026년 12월 13일까지)
        A: 무료(매진)
        [취소] T
        사유: N. 2026년 12월 12일 토요일 19:00(베를린). S
        최신 소식 – A(B 제외) – P
        [12월 12일 취소] T
        12월 12일 취소
        19:00~21:00 · 매주 토요일, 다음 일정: 2027년 3월 6일 토요일
        2026년 12월 12일 토요일 – N
        외 2회
        """,
    "vi": """
        Hằng tuần vào thứ Ba và thứ Bảy, lần tới 19:00 – 21:00, thứ Bảy 12/12/2026
        19:00 – 21:00 · hằng tuần vào thứ Ba và thứ Bảy
        2 tuần một lần vào thứ Bảy đến 26/12/2026, lần tới 19:00 – 21:00, thứ Bảy 12/12/2026
        Từ thứ Bảy 12/12/2026 đến thứ Hai 14/12/2026
        Cả ngày đến hết 14/12/2026
        19:00 đến hết 13/12/2026
        A: miễn phí (hết vé)
        Hủy: T
        Lý do: N. 19:00, thứ Bảy 12/12/2026 (Berlin). S
        Tin tức mới nhất – A trừ B – P
        Hủy 12/12: T
        Hủy 12/12
        19:00 – 21:00 · hằng tuần vào thứ Bảy, lần tới thứ Bảy 06/03/2027
        thứ Bảy 12/12/2026 – N
        và 2 buổi khác
        """,
    "zh": """
        每周二和周六，下次：2026年12月12日（周六）19:00至21:00
        19:00至21:00 · 每周二和周六
        每2周一次，周六（至2026年12月26日），下次：2026年12月12日（周六）19:00至21:00
        2026年12月12日（周六）至2026年12月14日（周一）
        全天（至2026年12月14日）
        19:00（至2026年12月13日）
        A：免费（已无余票）
        【取消】T
        原因：N。2026年12月12日（周六）19:00（柏林）。S
        最新新闻 – A（不含B） – P
        【12月12日取消】T
        12月12日已取消
        19:00至21:00 · 每周六，下次：2027年3月6日（周六）
        2026年12月12日（周六） – N
        另有2次
        """,
}


def words(language: str) -> list[str]:
    """Return what a portal in a language says of some events and feeds."""
    site = replace(SITE, language=language, title="P")
    weekly = shown(site, TWO_HOURS, "FREQ=WEEKLY;BYDAY=SA,TU")
    fortnightly = shown(site, TWO_HOURS, "FREQ=WEEKLY;INTERVAL=2;COUNT=2")
    cancelled = shown(site, CANCELLED, notice="N", summary="S")
    off = shown(site, OFF)
    categories = (Category("a", "A"), Category("b", "B"))
    news = feed("news", "rss", site=site)
    selection = replace(
        news,
        query=replace(
            news.query, category_filter=CategoryFilter.create(["a"], ["b"])
        ),
        categories=categories,
    )
    return [
        weekly.time,
        weekly.hours,
        fortnightly.time,
        shown(site, FAIR).time,
        shown(site, FAIR).hours,
        shown(site, NIGHT).hours,
        offer_text(OFFER, language),
        cancelled.title,
        cancelled.summary,
        feed_title(selection),
        off.title,
        off.badge,
        off.hours,
        off.cancelled_dates[0],
        off.cancelled_dates[-1],
    ]


def shown(site: Site, event: Event, rule: str = "", **changes: Any) -> Shown:
    if rule:
        event = replace(event, recurrence=Recurrence(rule))
    entry = replace(CONCERT, event=event, starts=event.starts, **changes)
    entry = replace(entry, title="T", language=site.language)
    return Shown(entry, site, entry.date)


@pytest.mark.parametrize("language", UI_LANGUAGES)
def test_words(language: str) -> None:
    # Before French colons and semicolons.
    texts = [re.sub("[\u00a0\u202f]", " ", line) for line in words(language)]
    assert texts == [
        line.strip() for line in EXPECTED[language].splitlines()[1:-1]
    ]
