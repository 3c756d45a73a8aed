"""The features of a report's page in a headless Chromium: pictures, runs and classes to choose."""

from page_parts import first_chart


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
    page.locator(".more summary").click()
    chart = first_chart(page, "#curves-1")
    page.locator("#quantity-1").select_option("cluster_active")
    expect(chart.locator(".ytitle")).to_contain_text("cluster_active")
    expect(chart.locator(".scatterlayer .trace")).to_have_count(3)
    groups = page.locator("#quantity-1 optgroup").evaluate_all("all => all.map(e => e.label)")
    assert groups == ["Loss parts", "Online accuracy", "Cluster health", "Other"]


def test_features_and_configuration_follow_filter_and_order(visit, expect):
    page = visit()
    heads = page.locator("#embeddings .panel h4")
    first = heads.all_inner_texts()
    page.locator("#summary thead .sort").first.click()
    names = page.locator("#summary tbody:not([hidden])").evaluate_all(
        "all => all.map(e => report.rows[e.dataset.row].series)"
    )
    shown = [text.split(" · ")[0] for text in heads.all_inner_texts()]
    assert sorted(shown) == sorted(text.split(" · ")[0] for text in first)
    assert shown == [name for name in names if name in shown]
    page.locator("#filter").fill("rcl")
    expect(heads).to_have_text(["rcl · seed 5"])
    for chooser in ("#features-chooser", "#config-chooser"):
        labels = page.locator(f"{chooser} label:visible").all_inner_texts()
        assert labels == ["rcl · seed 5", "rcl · seed 6", "rcl · seed 7"]
    # what was chosen by hand stays so
    page.locator("#features-chooser").get_by_label("rcl · seed 5").uncheck()
    page.locator("#filter").fill("")
    expect(heads).to_have_count(2)
    assert sorted(heads.all_inner_texts()) == [t for t in sorted(first) if "rcl" not in t]


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


def test_classes_have_one_legend(visit, expect):
    page = visit()
    first_chart(page, ".embedding")
    buttons = page.locator("#class-legend button")
    assert buttons.count() == 10
    colours = buttons.locator(".swatch").evaluate_all(
        "all => all.map(e => getComputedStyle(e).backgroundColor)"
    )
    assert len(set(colours)) == 10
    buttons.nth(3).click()
    expect(buttons.nth(3)).to_have_attribute("aria-pressed", "true")
    strong = "all => new Set(all.map(e => e.style.fill)).size"
    points = page.locator(".embedding").first.locator(".scatterlayer .point")
    assert points.evaluate_all(strong) == 2  # that class, and the faded others
    buttons.nth(3).click()
    assert points.evaluate_all(strong) == 10


def test_a_point_shows_its_file_cluster_and_nearest_images_also_by_keys(visit, expect):
    page = visit()
    chart = first_chart(page, ".embedding")
    chart.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    tip = page.locator("#tip")
    assert tip.inner_text().split("\n") == ["digit 1", "cluster 1", "1/1.png"]
    page.keyboard.press("Enter")
    near = page.locator(".near").first
    expect(near.locator("figure")).to_have_count(6)
    assert near.locator("figcaption").first.inner_text() == "digit 1"
    point = chart.locator(".scatterlayer .point").first.bounding_box()
    page.mouse.move(point["x"] + point["width"] / 2, point["y"] + point["height"] / 2)
    page.wait_for_timeout(300)  # a click counts for plotly once it has drawn the hovering
    pointed = tip.locator("img").get_attribute("src")
    assert near.locator("img").first.get_attribute("src") != pointed
    page.mouse.down()
    page.mouse.up()
    expect(near.locator("img").first).to_have_attribute("src", pointed)
    expect(near.locator("img")).to_have_count(6)
