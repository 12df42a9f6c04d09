"""The pages' own words, and sizes in words."""

from __future__ import annotations

from collections.abc import Mapping

from babel.units import format_unit

_PHRASES = {
    "vi": {
        "follow": "Theo dõi tin tức và sự kiện",
        "feeds": "Kênh tin RSS",
        "what": "Kênh tin RSS là gì?",
        "what, in short": (
            "Kênh tin (RSS hoặc Atom) là một địa chỉ luôn có những bài mới nhất. Đưa địa chỉ đó vào một "
            "ứng dụng đọc tin, bài mới sẽ tự đến với bạn: không cần đăng ký, không cần cho biết email."
        ),
        "how 1": "Cài một ứng dụng đọc tin RSS trên điện thoại hoặc máy tính; có nhiều ứng dụng miễn phí.",
        "how 2": "Chọn chuyên mục bạn quan tâm dưới đây và sao chép địa chỉ liên kết RSS hoặc Atom.",
        "how 3": "Dán địa chỉ vào ứng dụng. RSS và Atom có cùng nội dung, chọn loại nào cũng được.",
        "news": "Tin tức",
        "events": "Sự kiện",
        "all news": "Tất cả tin tức",
        "all events": "Tất cả sự kiện",
        "published": "Đăng lúc",
        "authors": "Tác giả:",
        "organizer": "Đơn vị tổ chức:",
        "to calendar": "Thêm vào lịch",
        "categories": "Chuyên mục",
        "attachments": "Tệp đính kèm",
        "original": "Xem bài gốc",
        "rights": "Bản quyền:",
        "follow these": "Theo dõi các tin tương tự",
        "older": "Tin cũ hơn",
        "newer": "Tin mới hơn",
        "nothing": "Chưa có gì ở đây.",
        "subscribe": "Theo dõi kênh này",
        "all feeds": "Tất cả kênh tin",
        "in this language": "Tiếng Việt",
        "opml": "Tất cả kênh trong một tệp (OPML)",
        "portal": "Về trang của cổng thông tin",
        "contact": "Liên hệ:",
    },
    "en": {
        "follow": "Follow news and events",
        "feeds": "Feeds",
        "what": "What is a feed?",
        "what, in short": (
            "A feed (RSS or Atom) is an address that always holds the newest entries. Give it to a feed "
            "reader and what is new comes to you: no account, and nobody asks for your e-mail address."
        ),
        "how 1": "Install a feed reader on your phone or computer; many are free.",
        "how 2": "Choose a topic below and copy the address of its RSS or Atom link.",
        "how 3": "Paste the address into the reader. RSS and Atom hold the same; either will do.",
        "news": "News",
        "events": "Events",
        "all news": "All news",
        "all events": "All events",
        "published": "Published",
        "authors": "By",
        "organizer": "Organised by",
        "to calendar": "Add to calendar",
        "categories": "Categories",
        "attachments": "Attachments",
        "original": "See the original",
        "rights": "Rights:",
        "follow these": "Follow entries like this one",
        "older": "Older entries",
        "newer": "Newer entries",
        "nothing": "There is nothing here yet.",
        "subscribe": "Follow this feed",
        "all feeds": "All feeds",
        "in this language": "English",
        "opml": "All feeds in one file (OPML)",
        "portal": "To the portal",
        "contact": "Contact:",
    },
}
_UNITS = ("byte", "kilobyte", "megabyte", "gigabyte")


def phrases(language: str) -> Mapping[str, str]:
    """The words in a language, in English where there are none in it."""
    return _PHRASES[_known(language)]


def size(length: int, language: str) -> str:
    """A number of bytes in words, such as 1.2 MB."""
    power = min((len(str(length)) - 1) // 3, len(_UNITS) - 1)
    return format_unit(round(length / 1000**power, 1), _UNITS[power], "short", locale=_known(language))


def _known(language: str) -> str:
    code = language.split("-")[0].lower()
    return code if code in _PHRASES else "en"
