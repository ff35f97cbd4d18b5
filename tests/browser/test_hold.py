"""The tab that asks whether an answer holds."""

import json
import re

import pytest
from playwright.sync_api import expect

from resnet.errors import OptionError
from resnet.service import explorer
from resnet.service.explorer import Explorer
from tests.browser.steps import EXAMPLES, Late, choose, drag, open_tab, shown, slide, upload


def retold(page, told):
    """Wait until something else is said of the drawing, and give it."""
    page.wait_for_function("told => document.querySelector('#hold-drawn').innerText !== told", arg=told)
    return page.locator("#hold-drawn").inner_text()


def test_does_it_hold(page, engine, monkeypatch, subtests):
    open_tab(page, "Does it hold?")
    result, curves = page.locator("#hold-result"), page.locator("#curves")
    measure = page.get_by_role("button", name=re.compile("^Measure"))

    with subtests.test("a part is hidden"):
        expect(result).to_contain_text(re.compile(r"“espresso”: [\d.]+% before, [\d.]+% with 20% hidden"))
        expect(result.locator(".bars")).to_have_count(2)
        slide(page, "#hold-percent", "Home")
        expect(result).to_contain_text("with 0% hidden")
        before, after = re.search(r"([\d.]+)% before, ([\d.]+)% with", result.inner_text()).groups()
        assert before == after

    with subtests.test("what a visitor draws is hidden, and as much of the map"):
        surface, drawn = page.locator("#hold-surface svg"), page.locator("#hold-drawn")
        expect(drawn).to_contain_text("Draw on the photo above")
        passes = engine.passes
        drag(page, surface, (0.4, 0.3), (0.6, 0.7))
        expect(surface.locator("rect")).to_have_count(1)
        expect(drawn).to_contain_text(re.compile(r"“espresso”: [\d.]+% before, [\d.]+% without what you drew"))
        expect(drawn.locator(".bars")).to_have_count(1)
        assert engine.passes == passes + 1
        page.get_by_role("button", name="Brush").click()
        told = drawn.inner_text()
        drag(page, surface, (0.3, 0.2), (0.5, 0.3))
        expect(surface.locator("polyline")).to_have_count(1)
        retold(page, told)
        page.get_by_label("You versus the network").check()
        expect(drawn.locator(".bars")).to_have_count(2)
        expect(drawn).to_contain_text(re.compile("part matters more to this class|Both parts matter as much"))
        for what, name in (("figure", "drawn.png"), ("data", "drawn.json")):
            with page.expect_download() as waiting:
                page.locator(f"#save-drawn-{what}").click()
            assert waiting.value.suggested_filename == f"espresso.{name}"
        numbers = json.loads(waiting.value.path().read_text(encoding="utf-8"))
        assert [sorted(shape) for shape in numbers["drawing"]] == [["box"], ["line", "width"]]
        assert re.search(r", ([\d.]+)% of what", drawn.inner_text())[1] == f"{100 * numbers['hidden_share']:.1f}"
        # By keyboard: a frame is moved, and hidden by Enter.
        page.get_by_role("button", name="Clear").click()
        expect(drawn).to_contain_text("Draw on the photo above")
        surface.focus()
        for key in ("ArrowLeft", "Shift+ArrowDown"):
            surface.press(key)
        expect(surface.locator("rect.frame")).to_have_count(1)
        expect(drawn).to_contain_text("Draw on the photo above")
        surface.press("Enter")
        expect(drawn.locator(".bars")).to_have_count(2)
        # Another framing keeps what is drawn.
        told = drawn.inner_text()
        page.get_by_label("Whole photo").check()
        told = retold(page, told)
        expect(drawn.locator(".bars")).to_have_count(2)
        expect(surface.locator("rect:not(.frame)")).to_have_count(1)
        page.get_by_label("Centre").check()
        retold(page, told)  # until then curves would be refused, as of the former answer

    with subtests.test("curves, and whether the map holds"):
        measure.click()
        expect(curves).to_contain_text("Area under", timeout=60_000)
        expect(curves).to_contain_text(re.compile(r"deletion curve: 0\.\d+ \(lower is better\)"))
        verdict = re.compile("The map (holds|cannot be told from chance) here.* moved copies of it")
        expect(curves).to_contain_text(verdict)

    with subtests.test("downloads, with the curves"):
        for what, suffix in (("figure", "png"), ("data", "json"), ("maps", "npz")):
            with page.expect_download() as waiting:
                page.locator(f"#save-hold-{what}").click()
            assert waiting.value.suggested_filename == f"espresso.hold.{suffix}"
            if what == "data":
                numbers = json.loads(waiting.value.path().read_text(encoding="utf-8"))
                area = f"{numbers['deletion']['area']:.3f}"
                assert numbers["class"] == "espresso"
                assert re.search(r"deletion curve: ([\d.]+) ", curves.inner_text())[1] == area

    with subtests.test("curves of anything else are taken away"):
        slide(page, "#hold-percent", "End")
        expect(result).to_contain_text("with 100% hidden")
        expect(curves).to_contain_text("Area under")
        choose(page, "#hold-class", "goldfish")
        expect(curves).not_to_contain_text("Area under")
        # Measured already; they are of what the network saw then.
        choose(page, "#hold-class", "espresso")
        measure.click()
        expect(curves).to_contain_text("Area under")
        page.get_by_label("Whole photo").check()
        expect(page.locator("#message")).to_contain_text("seen at 192×128 px")
        expect(curves).not_to_contain_text("Area under")

    with subtests.test("a number that is being typed keeps nothing of a former photo"):
        page.locator("#hold-percent input[type=number]").fill("")
        upload(page, EXAMPLES / "rocket.jpg")
        shown(page, "rocket.jpg")
        expect(page.locator("#hold-surface rect")).to_have_count(0)
        expect(page.locator("#hold-drawn")).to_contain_text("Draw on the photo above")
        expect(result).not_to_contain_text("“espresso”")
        expect(result).to_contain_text("with 20% hidden")

    with subtests.test("a flat map leaves no former answer beside it"):
        former = re.search("“.+?”", result.inner_text()).group()

        def flat(*_):
            raise OptionError("This map of {} is flat: no part of it is hotter than another.", "C5")

        monkeypatch.setattr(Explorer, "hiding_map", flat)
        upload(page, EXAMPLES / "cat.jpg")
        expect(result.locator("[role=alert]")).to_contain_text("This map of C5 is flat")
        expect(result).not_to_contain_text(former)


@pytest.mark.slow
def test_curves_are_measured_step_by_step(page, engine, monkeypatch, subtests):
    open_tab(page, "Does it hold?")
    result, curves = page.locator("#hold-result"), page.locator("#curves")
    measure = page.get_by_role("button", name=re.compile("^Measure"))
    expect(result).to_contain_text("“espresso”")

    with subtests.test("curves are of what the controls say when they are asked for"):
        choose(page, "#hold-class", "goldfish")
        expect(result).to_contain_text("“goldfish”")
        late = []  # what the browser sends aside from the queue comes last
        page.route("**/run/predict*", lambda route: late.append(route))
        choose(page, "#hold-class", "espresso")
        expect(result).to_contain_text("“espresso”")
        measure.click()
        page.unroute("**/run/predict*")  # first, since what comes meanwhile would be held for good
        for request in late:
            request.continue_()
        expect(curves).to_contain_text("Area under", timeout=60_000)

    with subtests.test("curves show their points as they come, and can be stopped"):
        choose(page, "#hold-class", "goldfish")
        expect(result).to_contain_text("“goldfish”")
        progress, stop = page.locator("#hold-progress"), page.get_by_role("button", name="Stop", exact=True)
        expect(stop).to_be_disabled()
        asked, late = [], Late(engine.scores, 2)
        with monkeypatch.context() as patch:
            patch.setattr(engine, "scores", lambda pixels: asked.append(len(pixels)) or late(pixels))
            measure.click()
            expect(progress).to_contain_text("8 of 32 images")
            expect(curves.locator("svg")).to_be_visible()
            expect(curves).not_to_contain_text("Area under")
            assert late.begun.wait(60)
            stop.click()
            expect(progress).to_contain_text("Stopped. The curves show what was measured.")
            late.let_go()
            expect(stop).to_be_disabled()
            measure.click()  # begins anew
            expect(curves).to_contain_text("Area under", timeout=60_000)
            expect(progress).to_have_text("")
        assert asked == [8, 8, 8, 8, 8, 8]
        choose(page, "#hold-class", "espresso")
        measure.click()
        expect(curves).to_contain_text("Area under")

    with subtests.test("another measurement can be asked for while one is under way"):
        late = Late(explorer.measure_curves, 1)
        with monkeypatch.context() as patch:
            patch.setattr(explorer, "measure_curves", late)
            choose(page, "#hold-class", "boa constrictor")
            expect(result).to_contain_text("“boa constrictor”")
            measure.click()
            assert late.begun.wait(60)
            choose(page, "#hold-class", "espresso")
            expect(result).to_contain_text("“espresso”")
            measure.click()
            late.let_go()
            chart = curves.locator(".panel svg")
            about = "Deletion and insertion curves of espresso"
            expect(chart).to_have_attribute("aria-label", about, timeout=120_000)
