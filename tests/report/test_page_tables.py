"""The page's tables in a headless Chromium: sorting, filtering, unfolding."""


def names(page, table: str = "summary") -> list[str]:
    return page.eval_on_selector_all(
        f"#{table} tbody:not([hidden]) tr:first-child th", "all => all.map(e => e.dataset.value)"
    )


def head(page, text: str, table: str = "summary"):
    return page.locator(f"#{table} thead th[data-column]:not([hidden])", has_text=text).first


def test_sorting_by_figure_and_name(visit):
    page = visit()
    assert names(page) == ["untrained", "mocov2plus", "cueco", "rcl"]
    top1 = head(page, "top-1")
    top1.get_by_role("button").click()
    assert names(page) == ["rcl", "cueco", "mocov2plus", "untrained"]
    assert top1.get_attribute("aria-sort") == "descending"
    top1.get_by_role("button").click()
    assert names(page) == ["mocov2plus", "cueco", "rcl", "untrained"]
    assert top1.get_attribute("aria-sort") == "ascending"
    method = head(page, "Method")
    method.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert names(page) == ["cueco", "mocov2plus", "rcl", "untrained"]
    page.keyboard.press("Space")
    assert names(page) == ["untrained", "rcl", "mocov2plus", "cueco"]
    assert [method.get_attribute("aria-sort"), top1.get_attribute("aria-sort")] == [
        "descending",
        "none",
    ]


def test_sorting_is_by_number_and_unmeasured_comes_last(visit):
    page = visit()
    values = ["", "9", "", "80"]
    place = head(page, "top-1").evaluate("e => e.cellIndex + 1")
    for cell, value in zip(
        page.locator(f"#summary tbody tr:first-child td:nth-child({place})").all(),
        values,
        strict=True,
    ):
        cell.evaluate(
            "(e, value) => value ? e.dataset.value = value : delete e.dataset.value", value
        )
    button = head(page, "top-1").get_by_role("button")
    button.click()
    assert names(page) == ["rcl", "mocov2plus", "untrained", "cueco"]
    button.click()
    assert names(page) == ["mocov2plus", "rcl", "untrained", "cueco"]


def test_single_runs_unfold_and_lead_to_their_command(visit, expect):
    page = visit()
    button = page.get_by_role("button", name="Single runs of rcl")
    single = page.locator("#summary .single:visible")
    assert single.count() == 0
    button.focus()
    page.keyboard.press("Enter")
    expect(single).to_have_count(3)
    single.first.get_by_role("link").click()
    opened = page.locator("details.how[open]")
    expect(opened).to_have_count(1)
    expect(opened).to_contain_text("rcl-digits-placed seed=5")
