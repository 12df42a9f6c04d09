"""Many ordinary articles and events over two years."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

MONTHS = (
    "2025-02 2025-03 2025-06 2025-08 2025-10 2025-11 2025-12 2026-01 2026-02 2026-03 2026-05 2026-06 "
    "2026-07 2026-08 2026-09 2026-10 2026-11"
).split()
"""Months with articles."""

_PLACES = (
    ("phố Hàng Bạc", "pho-co"),
    ("ga Cát Linh", "duong-sat-do-thi"),
    ("bến xe Giáp Bát", "xe-buyt"),
    ("hồ Tây", "moi-truong"),
    ("cầu Vĩnh Tuy", "cau-duong"),
    ("Thư viện Hà Nội", "sach"),
    ("Bệnh viện Thanh Nhàn", "y-te"),
    ("Trường Tiểu học Thăng Long", "giao-duc"),
    ("đình Kim Liên", "dinh-den-chua"),
    ("Nhà hát Chèo", "am-nhac"),
    ("trạm y tế phường Bưởi", "tiem-chung"),
    ("Uỷ ban nhân dân phường Cửa Nam", "tiep-dan"),
    ("nhà máy nước Yên Phụ", "cap-nuoc"),
)
_ACTIONS = (
    "Sửa chữa",
    "Khánh thành",
    "Mở cửa trở lại",
    "Lấy ý kiến về",
    "Trồng thêm cây quanh",
    "Lắp đèn chiếu sáng ở",
    "Đổi giờ phục vụ tại",
    "Kiểm tra an toàn ở",
    "Nâng cấp lối đi cho người khuyết tật ở",
    "Giới thiệu lịch sử",
    "Tổ chức ngày hội ở",
)
_SENTENCES = (
    "Công việc bắt đầu từ tuần này và dự kiến hoàn thành trước Tết.",
    "Người dân có thể gửi ý kiến qua tổng đài hoặc đến trực tiếp bộ phận một cửa.",
    "Kinh phí lấy từ ngân sách thành phố và nguồn xã hội hoá.",
    "Các chuyến xe đi qua khu vực này tạm đổi lộ trình từ 22 giờ đến 5 giờ sáng.",
    "Đơn vị thi công cam kết giữ vệ sinh, che chắn bụi và hạn chế tiếng ồn vào ban đêm.",
    "“Chúng tôi đã chờ việc này mười năm”, một người dân sống gần đó nói.",
    "Ảnh, bản đồ và tài liệu kèm theo được đăng trên Cổng thông tin.",
)
_AUTHORS = (
    "Nguyễn Thị Hồng",
    "Trần Văn Đức",
    "Lê Thị Ngọc Ánh",
    "Phạm Quốc Đạt",
    "Tổ phóng viên Đô thị",
)


def articles() -> Iterator[dict[str, Any]]:
    """Yield eight articles a month, published by day."""
    for number in range(8 * len(MONTHS)):
        month = MONTHS[number // 8]
        day, hour, minute = (
            1 + number * 5 % 24,
            1 + number % 11,
            number * 7 % 60,
        )
        entry = _entry(f"bai-{number:03}", number)
        entry["date_published"] = f"{month}-{day:02}T{hour:02}:{minute:02}:00Z"
        if number % 3 == 0:
            entry["url"] = f"https://portal.example/tin/{month}/{entry['id']}"
        if number % 5 == 0:
            entry["image"] = {
                "url": f"https://media.example/{entry['id']}.jpg",
                "alt": entry["title"],
                "width": 1200,
            }
        if number % 7 == 0:
            entry["source"] = {"name": "Báo Thủ đô"}
        yield entry


def events() -> Iterator[dict[str, Any]]:
    """Yield sixty events ten days apart, half of them past, announced weeks before."""
    for number in range(60):
        first = datetime(2026, 2, 1, 8)  # noqa: DTZ001
        start = first + timedelta(days=10 * number, hours=number % 12)
        newest = datetime(2026, 11, 20)  # noqa: DTZ001
        announced = min(
            start - timedelta(days=21), newest - timedelta(hours=number)
        )
        entry = _entry(f"hoi-{number:03}", number)
        entry["date_published"] = announced.isoformat()
        entry["start"] = (
            start.isoformat() if number % 4 else start.date().isoformat()
        )
        if number % 4 > 1:
            entry["end"] = (start + timedelta(hours=3)).isoformat()
        if number % 2:
            entry["location"] = {
                "name": _PLACES[number % len(_PLACES)][0].capitalize()
            }
        yield entry


def _entry(id: str, number: int) -> dict[str, Any]:
    place, category = _PLACES[number % len(_PLACES)]
    sentences = [
        _SENTENCES[(number + step) % len(_SENTENCES)]
        for step in range(1 + number % 4)
    ]
    return {
        "id": id,
        "title": f"{_ACTIONS[number % len(_ACTIONS)]} {place}",
        "content_html": "\n".join(
            f"<p>{sentence}</p>" for sentence in sentences
        ),
        "authors": [{"name": _AUTHORS[number % len(_AUTHORS)]}]
        if number % 4
        else [],
        "categories": [category],
    }
