"""The tab that asks whether an answer holds."""

import re

from playwright.sync_api import expect

from tests.browser.steps import choose, open_tab, slide


def test_what_is_hidden_changes_the_answer(answered):
    open_tab(answered, "Does it hold?")
    result = answered.locator("#hold-result")
    expect(result).to_contain_text(re.compile(r"“espresso”: [\d.]+% before, [\d.]+% with 20% hidden"))
    expect(result.locator(".bars")).to_have_count(2)
    slide(answered, "#hold-percent", "Home")
    expect(result).to_contain_text("with 0% hidden")
    before, after = re.search(r"([\d.]+)% before, ([\d.]+)% with", result.inner_text()).groups()
    assert before == after
    choose(answered, "#hold-class", "goldfish")
    expect(result).to_contain_text("“goldfish”")
    late = []  # what the browser sends aside from the queue comes last
    answered.route("**/run/predict*", lambda route: late.append(route))
    choose(answered, "#hold-class", "espresso")
    expect(result).to_contain_text("“espresso”")

    answered.get_by_role("button", name="Measure deletion and insertion curves").click()
    curves = answered.locator("#curves")
    expect(curves).to_contain_text("processing")
    for request in late:
        request.continue_()
    answered.unroute("**/run/predict*")
    expect(curves).to_contain_text("Area under", timeout=60_000)
    expect(curves).to_contain_text(re.compile(r"deletion curve: 0\.\d+, random regions 0\.\d+"))
    expect(curves).to_contain_text(re.compile("The map (holds|does not hold)"))

    slide(answered, "#hold-percent", "End")
    expect(result).to_contain_text("with 100% hidden")
    expect(curves).to_contain_text("Area under")
    choose(answered, "#hold-class", "goldfish")
    expect(curves).not_to_contain_text("Area under")
