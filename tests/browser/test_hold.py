"""The tab that asks whether an answer holds."""

import re

from playwright.sync_api import expect

from resnet.errors import OptionError
from resnet.service import explorer
from resnet.service.explorer import Explorer
from tests.browser.steps import EXAMPLES, Late, choose, open_tab, slide, upload


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
    expect(curves).to_contain_text(re.compile(r"deletion curve: 0\.\d+ \(lower is better\)"))
    expect(curves).to_contain_text(re.compile("The map (holds|cannot be told from chance) here.* moved copies of it"))

    slide(answered, "#hold-percent", "End")
    expect(result).to_contain_text("with 100% hidden")
    expect(curves).to_contain_text("Area under")
    choose(answered, "#hold-class", "goldfish")
    expect(curves).not_to_contain_text("Area under")

    # Measured already; they are of what the network saw then.
    choose(answered, "#hold-class", "espresso")
    answered.get_by_role("button", name="Measure deletion and insertion curves").click()
    expect(curves).to_contain_text("Area under")
    answered.get_by_label("Whole photo").check()
    expect(answered.locator("#message")).to_contain_text("seen at 192×128 px")
    expect(curves).not_to_contain_text("Area under")


def test_another_measurement_can_be_asked_while_one_is_under_way(answered, monkeypatch):
    late = Late(explorer.measure_curves, 1)
    monkeypatch.setattr(explorer, "measure_curves", late)
    open_tab(answered, "Does it hold?")
    result, measure = answered.locator("#hold-result"), answered.get_by_role("button", name=re.compile("^Measure"))
    choose(answered, "#hold-class", "boa constrictor")
    expect(result).to_contain_text("“boa constrictor”")
    measure.click()
    assert late.begun.wait(60)
    choose(answered, "#hold-class", "espresso")
    expect(result).to_contain_text("“espresso”")
    measure.click()
    answered.wait_for_timeout(500)
    late.go.set()
    chart = answered.locator("#curves .panel svg")
    expect(chart).to_have_attribute("aria-label", "Deletion and insertion curves of espresso", timeout=120_000)


def test_a_flat_map_leaves_no_former_answer_beside_it(answered, monkeypatch):
    open_tab(answered, "Does it hold?")
    result = answered.locator("#hold-result")
    expect(result).to_contain_text("“espresso”")

    def flat(*_):
        raise OptionError("This map of {} is flat: no part of it is hotter than another.", "C5")

    monkeypatch.setattr(Explorer, "hiding_map", flat)
    upload(answered, EXAMPLES / "cat.jpg")
    expect(result.locator("[role=alert]")).to_contain_text("This map of C5 is flat")
    expect(result).not_to_contain_text("“espresso”")
