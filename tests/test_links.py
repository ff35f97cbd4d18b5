"""What a link says, and what becomes of nonsense."""

import pytest

from resnet.images import read_photo
from resnet.ui import links
from resnet.ui.links import CONTROLS, example_of, make_query
from resnet.ui.photo import EXAMPLES


def read_query(query):
    return links.read_query(query, ("server", "bundled"))


def test_a_query_is_read_as_it_was_made():
    values = {
        "photo": "cat", "tab": "blocks", "class": "n01443537;espresso", "framing": "whole", "top_k": 3, "opacity": 40.0,
        "smooth": False, "map": "channel", "channel": 7, "stage": "C4", "block": 12, "order": "max",
        "channels": 32, "enlarged": 287, "weights": "bundled",
    }  # fmt: skip
    query = make_query(values)
    pairs = dict(pair.split("=") for pair in query.removeprefix("?").replace("%3B", ";").split("&"))
    said, wrong = read_query(pairs)
    assert wrong == []
    assert said == {**values, "class": ["n01443537", "espresso"]}


def test_what_is_empty_is_left_out():
    assert make_query({"photo": None, "tab": "maps", "class": ""}) == "?tab=maps"


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("photo", "../../etc/passwd", "photo must be one of"),
        ("tab", "nowhere", "tab must be one of"),
        ("top_k", "21", "number of classes must be 1 to 20"),
        ("top_k", "²", "number of classes must be 1 to 20"),
        ("top_k", "2.5", "must be a whole number"),
        ("opacity", "nan", "opacity in percent must be 0 to 100"),
        ("smooth", "maybe", "smoothness must be one of true, false"),
        ("channel", "-1", "channel must be 0 to 2047"),
        ("colormap", "<script>", "colormap must be one of"),
        ("weights", "nonsense", "weights must be one of server, bundled"),
    ],
)
def test_a_wrong_part_is_named_and_the_rest_is_kept(name, text, sentence):
    said, wrong = read_query({"framing": "whole", name: text})
    assert said == {"framing": "whole"}
    assert len(wrong) == 1
    assert sentence in str(wrong[0])


@pytest.mark.parametrize(("change", "amount"), [("blur", "180"), ("noise", "-50"), (None, "181")])
def test_the_amount_has_the_range_of_its_change(change, amount):
    said, wrong = read_query({"tab": "compare", "amount": amount, **({"change": change} if change else {})})
    assert "amount" not in said
    assert "amount of the change must be" in str(wrong[0])
    assert read_query({"tab": "compare", "amount": "-180"}) == ({"tab": "compare", "amount": -180.0}, [])  # degrees


def test_parts_of_other_tabs_and_unknown_names_are_left_alone():
    said, wrong = read_query({"tab": "hold", "percent": "30", "block": "7", "utm_source": "x"})
    assert (said, wrong) == ({"tab": "hold", "percent": 30.0}, [])


def test_a_link_of_very_many_or_very_long_classes_keeps_few_and_says_so_once():
    names = [f"n{number:08}" for number in range(3844)]
    said, wrong = read_query({"class": ";".join(names)})
    assert said == {"class": names[:10]}
    assert [str(error) for error in wrong] == [
        "It may name 10 classes of at most 100 characters each; 3834 of its classes are left out."
    ]
    said, wrong = read_query({"class": "x" * 60_000 + ";cat"})
    assert (said, len(wrong)) == ({"class": ["cat"]}, 1)
    said, wrong = read_query({"class": "x" * 101})
    assert (said, len(wrong)) == ({}, 1)
    assert read_query({"class": "x" * 100}) == ({"class": ["x" * 100]}, [])


def test_no_two_parts_of_a_tab_have_one_name():
    for tab in {part.tab for part in CONTROLS}:
        names = [part.name for part in CONTROLS if part.tab in ("", tab)]
        assert len(names) == len(set(names))


def test_example_photos_are_known_by_their_content():
    assert example_of(read_photo(EXAMPLES[0].read_bytes(), "renamed.jpg").digest) == EXAMPLES[0].stem
    assert example_of("0" * 32) is None
