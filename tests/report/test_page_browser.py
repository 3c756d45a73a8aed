"""The page in a headless Chromium: what people do with it."""

import re

import pytest
from page_parts import first_chart, scroll_through


@pytest.mark.parametrize("name", ["usual", "nasty", "bare"])
def test_whole_page_without_complaint_request_or_sideways_scrolling(visit, name):
    page = visit(name)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        scroll_through(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("window.pwned") is None
    drawn = page.locator(".chart .main-svg").count()
    assert drawn == 0 if name == "bare" else drawn > 6


def test_injected_strings_are_shown_as_they_are(visit):
    page = visit("nasty")
    assert page.title() == page.locator("h1").inner_text()
    assert page.title().startswith("</script><script>")
    scroll_through(page)
    assert page.locator("svg a, main img[src='x'], a[href^='javascript']").count() == 0
    # The address of a picture is none of ours: it is not asked for.
    assert page.locator("img[src^='http']").count() == 0
    page.locator(".more summary").click()
    legend = first_chart(page, "#curves-1").locator(".legendtext").all_text_contents()
    assert any("<" in text or "&" in text for text in legend)


def test_dark_mode_follows_the_system_and_the_button(visit):
    background = "getComputedStyle(document.body).backgroundColor"
    page = visit(color_scheme="dark")
    dark = page.evaluate(background)
    chart = first_chart(page, "#strip")
    text = "chart => getComputedStyle(chart.querySelector('.xtick text')).fill"
    dark_text = chart.evaluate(text)
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate(background) != dark
    assert chart.evaluate(text) != dark_text
    assert page.locator("#theme").get_attribute("aria-pressed") == "false"
    assert visit(color_scheme="light").evaluate(background) != dark


def test_charts_offer_nothing_that_leaves_the_page(visit):
    page = visit()
    first_chart(page, "#strip")
    titles = page.locator("#strip .modebar-btn").evaluate_all(
        "all => all.map(e => e.dataset.title)"
    )
    assert len(titles) == 2
    assert not [title for title in titles if "hare" in title or "loud" in title]


def test_configuration_shows_what_differs(visit):
    page = visit()
    keys = page.locator("#config tbody th")
    # what one method alone has stands apart from what differs between methods
    assert keys.all_inner_texts() == [
        "method",
        "method_kwargs.temperature",
        "name",
        "Settings that one method has",
        "method_kwargs.num_clusters",
        "method_kwargs.num_levels",
    ]
    chooser = page.locator("#config-chooser")
    for label in ("cueco · seed 5", "rcl · seed 5"):
        chooser.get_by_label(label).uncheck()
    chooser.get_by_label("mocov2plus · seed 6").check()
    assert keys.all_inner_texts() == ["seed"]
    assert page.locator("#config tbody td").all_inner_texts() == ["5", "6"]
    page.get_by_label("keys that agree too").check()
    assert "optimizer.lr" in keys.all_inner_texts()


def test_command_is_copied(visit):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    how = page.locator("details.how").first
    how.locator("summary").click()
    how.get_by_role("button").click()
    how.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == how.locator("code").first.inner_text()
    assert copied.endswith("'data.train_path=./my data/train'")


def test_keyboard_reaches_the_results_first(visit):
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the results"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def drawn_rows(page) -> list[str]:
    """The rows of the chart of single runs, from top to bottom."""
    return first_chart(page, "#strip").locator(".ytick text").all_text_contents()[::-1]


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
@pytest.mark.parametrize("name", ["usual", "one seed"])
def test_verdict_and_every_main_metric_are_in_view(visit, name, width, height):
    page = visit(name, width=width)
    page.set_viewport_size({"width": width, "height": height})
    assert page.locator("#verdict").bounding_box()["y"] < height / 2
    cells = page.locator("#summary .mean td:not([hidden])")
    rows = page.locator("#summary .mean")
    # linear, online, k-NN, four of the clustering, fine-tuned
    assert cells.count() == 8 * rows.count() and cells.last.is_visible()
    boxes = cells.evaluate_all(
        "all => all.map(e => e.getBoundingClientRect()).map(r => [r.left, r.right, r.bottom])"
    )
    assert all(left >= 0 and right <= width for left, right, _ in boxes)
    inside = page.locator("#summary").evaluate(
        "e => e.parentElement.scrollWidth <= e.parentElement.clientWidth"
    )
    assert inside
    if width == 1280:
        assert all(bottom <= height for _, _, bottom in boxes)
    else:  # a card without its head says what each number is
        shown = cells.first.evaluate("e => getComputedStyle(e, '::before').content")
        assert "top-1" in shown


def test_verdict_is_made_of_the_figures(visit):
    page = visit()
    first, second = page.locator("#verdict li").all_inner_texts()
    assert first == "On digits-placed, rcl has the highest mean in all 8 main metrics."
    assert second.startswith("rcl minus mocov2plus, Linear: top-1: +") and "3 seeds)" in second
    alone = visit("one seed").locator("#verdict li").all_inner_texts()
    assert alone[-1].startswith(
        "One seed: no evidence for any method. For three, train with seed=6"
    )


def test_one_state_for_tables_charts_and_differences(visit, expect):
    page = visit()
    assert drawn_rows(page) == ["mocov2plus", "cueco", "rcl"]
    page.locator("#summary .sort", has_text=re.compile("^20-NN$")).click()
    expect(page.locator("#metric option:checked")).to_have_text("k-NN: 20-NN, %")
    assert drawn_rows(page) == ["rcl", "cueco", "mocov2plus", "untrained"]
    forest = page.locator("#forest .panel").first.locator("tbody:not([hidden]) th")
    assert forest.all_inner_texts() == ["rcl", "cueco"]
    assert page.locator("#why tbody th").all_inner_texts() == ["rcl", "cueco", "mocov2plus"]
    line = page.locator("#strip .shapelayer path, #strip .layer-below path")
    assert line.count() == 1  # the untrained backbone's
    losses = page.locator("#losses-of option")
    assert losses.all_inner_texts() == ["rcl", "cueco", "mocov2plus"]
    page.locator("#filter").fill("cueco")
    assert drawn_rows(page) == ["cueco"]
    assert losses.all_inner_texts() == ["cueco"]
    expect(first_chart(page, "#losses").locator(".ytitle")).to_contain_text("cueco")
    page.locator("#filter").fill("untrained")
    expect(page.locator("#losses")).to_be_hidden()
    page.locator("#filter").fill("cueco")
    expect(page.locator("#forest .panel").first.locator("tbody:not([hidden])")).to_have_count(1)
    chart = first_chart(page, "#accuracy")
    expect(chart.locator(".scatterlayer .trace")).to_have_count(3)  # its three runs
    page.locator("#filter").fill("")
    page.locator("#protocol").select_option("clustering")
    expect(page.locator("#forest .panel:visible h3")).to_have_count(5)  # RankMe, too
    titles = page.locator("#metric option").all_inner_texts()
    assert titles and all(title.startswith("Clustering") for title in titles)


def test_losses_of_two_methods_share_no_chart(visit, expect):
    page = visit()
    chart = first_chart(page, "#losses")
    expect(chart.locator(".ytitle")).to_contain_text("mocov2plus")
    page.locator("#losses-of").select_option("cueco")
    expect(chart.locator(".ytitle")).to_contain_text("cueco")
    expect(chart.locator(".xtitle")).to_have_text("epoch")


def test_one_seed_has_one_line_of_differences(visit):
    page = visit("one seed")
    section = page.locator("#differences")
    assert section.locator("p").count() == 1 and section.locator("table").count() == 0


def test_nothing_is_cut_on_paper(visit):
    page = visit()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 within margins of a centimetre
    page.wait_for_timeout(300)
    cut = page.evaluate(
        """() => [...document.querySelectorAll('.chart')].filter((e) => e.offsetParent).map((e) => {
          const card = e.closest('.panel, .chart-card').getBoundingClientRect();
          const drawn = e.querySelector('.main-svg').getBoundingClientRect();
          return [e.id || e.className, drawn.right - card.right, card.right - 718];
        }).filter(([, over, off]) => over > 0 || off > 0)"""
    )
    assert cut == []
    assert page.locator(".modebar-container:visible").count() == 0
    assert page.locator("#class-legend button:visible").count() == 10
    assert page.evaluate("document.documentElement.scrollWidth") <= 718
