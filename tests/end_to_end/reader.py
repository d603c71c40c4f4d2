"""A radiologist at Label Studio, driven through a real Chromium."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from running_stack import Stack

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@dataclass
class Reader:
    """A logged-in browser page.

    Args:
        outside: addresses outside loopback that the page asked for; should stay empty.
    """

    page: Page
    stack: Stack
    outside: list[str]

    def open_task(self, task_id: int) -> None:
        """Opens a task and waits until its picture and pre-label are drawn."""
        project = self.stack.facts["project_id"]
        self.page.goto(f"{self.stack.facts['label_studio_url']}/projects/{project}/data?task={task_id}")
        self.page.locator('img[src^="blob:"]').first.wait_for(timeout=60_000)
        # Label Studio paints the brush layers after the picture; there is no event to wait for.
        self.page.wait_for_timeout(2_500)

    def _place(self, size: int, row: float, column: float) -> tuple[float, float]:
        # The slice comes first; the second picture is its heat map.
        box = self.page.locator('img[src^="blob:"]').first.bounding_box()
        assert box is not None
        scale = box["width"] / size
        return box["x"] + (column + 0.5) * scale, box["y"] + (row + 0.5) * scale

    def shown(self, size: int, row: int, column: int) -> tuple[int, int, int]:
        """The colour that the screen shows at a pixel of the slice."""
        x, y = self._place(size, row, column)
        shot = np.asarray(Image.open(BytesIO(self.page.screenshot())).convert("RGB"))
        red, green, blue = shot[int(y), int(x)]
        return int(red), int(green), int(blue)

    def brush(self, hotkey: str, size: int, start: tuple[int, int], end: tuple[int, int]) -> None:
        """One brush stroke from (row, column) to (row, column) with the label of that hotkey."""
        self.page.keyboard.press(hotkey)
        self.page.wait_for_timeout(500)
        self.page.mouse.move(*self._place(size, *start))
        self.page.mouse.down()
        self.page.mouse.move(*self._place(size, *end), steps=10)
        self.page.mouse.up()
        self.page.wait_for_timeout(500)

    def submit(self) -> None:
        """Presses Submit and waits until Label Studio has stored it."""
        with self.page.expect_response(lambda answer: "/annotations" in answer.url and answer.ok):
            self.page.get_by_role("button", name="Submit").click()

    def screenshot(self, path: Path) -> None:
        """The window as a PNG."""
        self.page.screenshot(path=path)


@contextmanager
def reader_at(stack: Stack, *, width: int = 1440, height: int = 900) -> Iterator[Reader]:
    """Logs in with the login that the Ready line printed."""
    login = stack.login
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        page = browser.new_page(viewport={"width": width, "height": height})
        outside: list[str] = []
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith(("http://127.0.0.1", "blob:", "data:"))
                else outside.append(request.url)
            ),
        )
        page.goto(f"{stack.facts['label_studio_url']}/user/login/")
        page.fill("input[name=email]", login[0])
        page.fill("input[name=password]", login[1])
        page.click("button[type=submit]")
        page.wait_for_load_state("networkidle")
        yield Reader(page, stack, outside)
        browser.close()
