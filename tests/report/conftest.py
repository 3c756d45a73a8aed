"""A run folder to report on, and its page in a headless Chromium."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gathering import copied
from report_document import bare_document, document, runs

from cueco_solo.evaluation.checks import evaluation_data
from cueco_solo.evaluation.feature_cache import cached_features
from cueco_solo.report.features import FeatureViews
from cueco_solo.report.html import render
from cueco_solo.training.run_folder import load_run


@pytest.fixture(scope="module")
def known(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder that has its features already; not to be changed."""
    folder = tmp_path_factory.mktemp("known") / "known"
    copied(trained, folder)
    run = load_run(folder)
    cached_features(run, evaluation_data(run), False, 8, 0, "cpu")
    return folder


@pytest.fixture
def no_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FeatureViews, "fill", lambda *_: None)


@pytest.fixture(scope="module")
def browser() -> Iterator:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")
    found = filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    path = next(found, None)
    if path is None:
        pytest.skip("there is no Chromium or Chrome")
    with sync_api.sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        chromium = playwright.chromium.launch(executable_path=path, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    documents = {
        "usual": document(),
        "nasty": document(nasty=True),
        "bare": bare_document(),
        "one seed": document(found=runs(1)),
    }
    written = {name: folder / f"{name}.html" for name in documents}
    for name, path in written.items():
        path.write_text(render(documents[name]), encoding="utf-8")
    return written


@pytest.fixture
def visit(browser, files) -> Iterator:
    """Opens a page; at the end nothing may have been asked for or complained about."""
    contexts, complaints, requests = [], [], []

    def opened(name: str = "usual", width: int = 1280, **settings):
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(files[name].as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith("data:")] == [
        url for url in requests if url.startswith("file:") and url.endswith(".html")
    ]
    assert len([url for url in requests if url.startswith("file:")]) == len(contexts)


@pytest.fixture
def expect(browser) -> Any:
    """Playwright's, which waits: a page answers a click when it comes to it."""
    from playwright.sync_api import expect

    return expect
