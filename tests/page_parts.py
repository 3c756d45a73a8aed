"""Parts of a report's page in a browser."""


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
