"""A real JupyterLab, and a real browser before it.

Needs Debian's `chromium` (or `PETRIFLOW_CHROMIUM`, the path of another one), JupyterLab and
Playwright: `pip install 'petriflow[browser]'`. Where one of them is missing the tests say which.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE = 60_000  # ms; a machine may be busy


def chromium() -> str:
    """The browser, or the reason why there is no test."""
    found = os.environ.get("PETRIFLOW_CHROMIUM") or shutil.which("chromium")
    if not found:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    for module in ("playwright", "jupyterlab", "anywidget"):
        pytest.importorskip(module, reason=f"{module} is not installed: '.[browser]' has it")
    return found


@contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """A JupyterLab of its own, with nothing of the user's; its address with its token."""
    home = folder / "home"
    names = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR", "CONFIG_PATH")
    own = {f"JUPYTER_{n}": str(home / n.lower()) for n in names}
    own["JUPYTERLAB_SETTINGS_DIR"] = str(home / "settings")
    own["JUPYTERLAB_WORKSPACES_DIR"] = str(home / "workspaces")
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(
        '{"fetchNews": "false", "checkForUpdates": false}', "utf-8"
    )
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0",
        "--ServerApp.port_retries=50", f"--ServerApp.root_dir={folder}",
        "--LabApp.extension_manager=readonly", "--ip=127.0.0.1",
    ]  # fmt: skip
    log = folder / "lab.log"
    with log.open("wb") as told:
        server = subprocess.Popen(command, env=os.environ | own, stdout=told, stderr=told)
    try:
        end = time.monotonic() + 60
        while not (found := re.search(r"http://127\.0\.0\.1:\d+/lab\?token=\w+", read(log))):
            assert server.poll() is None, read(log)
            assert time.monotonic() < end, read(log)
            time.sleep(0.1)
        yield found[0]
    finally:
        server.terminate()
        server.wait(30)


def read(path: Path) -> str:
    return path.read_text("utf-8", "replace")


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tools:
        opened = tools.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            yield opened
        finally:
            opened.close()


class Lab:
    """One notebook in one window."""

    def __init__(self, page: Any, pictures: Path) -> None:
        self.page = page
        self.pictures = pictures

    def open(self, address: str, notebook: str) -> None:
        """Open a notebook and wait for its kernel."""
        self.page.goto(address.replace("/lab?", f"/lab/tree/{notebook}?"), timeout=PATIENCE)
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=PATIENCE)
        self.idle()

    def idle(self) -> None:
        """Wait until the kernel has nothing to do; a key pressed earlier can be lost."""
        self.page.wait_for_selector(
            "#jp-main-statusbar >> text=/\\| Idle/", timeout=PATIENCE, state="attached"
        )

    def run(self, cell: int) -> Any:
        """Run a cell, and give its outputs."""
        found = self.page.locator(".jp-CodeCell").nth(cell)
        found.locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")
        self.page.wait_for_function(
            "cell => { const found = document.querySelectorAll('.jp-CodeCell')[cell];"
            " return /\\[\\d+\\]:/.test(found.querySelector('.jp-InputPrompt').textContent) }",
            arg=cell,
            timeout=PATIENCE,
        )
        self.idle()
        return found.locator(".jp-OutputArea")

    def picture(self, name: str, what: Any = None) -> None:
        """Keep a screenshot to be looked at."""
        self.pictures.mkdir(parents=True, exist_ok=True)
        (what or self.page).screenshot(path=self.pictures / f"{name}.png")


def notebook(cells: Sequence[str]) -> str:
    """A notebook of code cells, as JSON."""
    import nbformat

    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    made.metadata["kernelspec"] = {
        "name": "python3", "display_name": "Python 3", "language": "python",
    }  # fmt: skip
    return nbformat.writes(made)
