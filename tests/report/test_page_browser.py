"""The page in a headless Chromium: what people do with it."""

import pytest


def scroll_through(page) -> None:
    height = page.evaluate("document.documentElement.scrollHeight")
    for y in range(0, height, 700):
        page.evaluate(f"scrollTo({{top: {y}, behavior: 'instant'}})")
        page.wait_for_timeout(60)


def first_chart(page, selector: str):
    chart = page.locator(selector).first
    chart.scroll_into_view_if_needed()
    page.wait_for_function(
        "chart => chart.querySelector('.main-svg') !== null", arg=chart.element_handle()
    )
    return chart


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


def test_pointing_at_a_feature_shows_its_picture(visit):
    page = visit()
    chart = first_chart(page, ".embedding")
    point = chart.locator(".scatterlayer .point").nth(3).bounding_box()
    page.mouse.move(point["x"] + point["width"] / 2, point["y"] + point["height"] / 2)
    tip = page.locator("#tip")
    tip.wait_for(state="visible")
    assert tip.locator("img").get_attribute("src").startswith("data:image/png;base64,")
    assert tip.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)")
    assert tip.inner_text().startswith("digit ")
    page.keyboard.press("Escape")
    assert not tip.is_visible()


def test_a_tap_shows_the_picture_too(visit):
    page = visit(width=390, has_touch=True, is_mobile=True)
    chart = first_chart(page, ".embedding")
    point = chart.locator(".scatterlayer .point").nth(3).bounding_box()
    page.touchscreen.tap(point["x"] + point["width"] / 2, point["y"] + point["height"] / 2)
    page.locator("#tip img").wait_for(state="visible")
    page.touchscreen.tap(10, 300)
    page.locator("#tip").wait_for(state="hidden")


def test_choosing_runs_quantity_and_class(visit, expect):
    page = visit()
    panels = page.locator("#embeddings .panel")
    assert panels.count() == 3
    page.locator("#features-chooser").get_by_label("rcl · seed 6").check()
    expect(panels).to_have_count(4)
    expect(page.locator("#companions .panel")).to_have_count(2)
    chart = first_chart(page, "#curves-1")
    page.locator("#quantity-1").select_option("cluster_active")
    expect(chart.locator(".ytitle")).to_contain_text("cluster_active")
    expect(chart.locator(".scatterlayer .trace")).to_have_count(3)
    groups = page.locator("#quantity-1 optgroup").evaluate_all("all => all.map(e => e.label)")
    assert groups == ["Loss parts", "Online accuracy", "Cluster health", "Other"]


def test_choosing_the_clustering(visit, expect):
    page = visit()
    select = page.locator("#clustering")
    assert select.locator("option").all_text_contents() == ["K-means", "Own labels"]
    assert page.locator("#clusters .panel").count() == page.locator("#matrices .panel").count() == 3
    select.select_option("Own labels")
    # of the one method that has any, with a row for each of the 30 labels
    for part in ("#clusters", "#matrices"):
        expect(page.locator(f"{part} .panel")).to_have_count(1)
        expect(page.locator(f"{part} .panel")).to_contain_text("cueco")
    matrix = page.locator("#matrices .matrix")
    matrix.scroll_into_view_if_needed()
    matrix.locator(".ytick").nth(29).wait_for(state="attached")
    assert matrix.bounding_box()["height"] > 480
    page.locator("#features-chooser").get_by_label("cueco · seed 5").uncheck()
    expect(page.locator("#matrices")).to_contain_text("None of the runs shown has any")


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
    assert keys.all_inner_texts() == [
        "method",
        "method_kwargs.num_clusters",
        "method_kwargs.num_levels",
        "method_kwargs.temperature",
        "name",
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
