"""Opening a page."""

from __future__ import annotations

from typing import Any


def opened(browser: Any, address: str, **options: Any) -> tuple[Any, list[str], list[str]]:
    """The page, its console's warnings and errors, and what it asked for beside itself."""
    page = browser.new_page(**options)
    complaints: list[str] = []
    requests: list[str] = []
    page.on(
        "console",
        lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(address)
    foreign = [url for url in requests if url != address and not url.startswith("data:")]
    return page, complaints, foreign
