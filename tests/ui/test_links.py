"""What a link says, and what becomes of nonsense."""

import pytest

from resnet.photo.images import read_photo
from resnet.ui import links
from resnet.ui.links import example_of, make_query
from resnet.ui.photo import EXAMPLES


def test_a_link_to_a_tab_that_the_page_lacks_is_said():
    said, wrong = links.read_query({"tab": "camera"}, ("server",), ("maps", "many"))
    assert said == {}
    assert "tab must be one of maps, many; received 'camera'" in str(wrong[0])


def read_query(query):
    return links.read_query(query, ("server", "bundled"))


def test_a_query_is_read_as_it_was_made():
    values = {
        "photo": "cat", "tab": "blocks", "class": "n01443537;espresso", "framing": "whole", "top_k": 3, "opacity": 40.0,
        "smooth": False, "map": "channel", "channel": 7, "stage": "C4", "method": "layercam",
        "evidence_scale": "stage", "weights": "bundled",
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


def test_links_of_former_versions_still_work_without_what_is_no_longer_part_of_one():
    query = {
        "photo": "cat", "tab": "compare", "framing": "crop", "top_k": "5", "colormap": "turbo", "opacity": "55",
        "smooth": "true", "map": "mean", "scale": "each", "change": "blur", "amount": "2", "utm_source": "x",
    }  # fmt: skip
    said, wrong = read_query(query)
    assert wrong == []
    assert set(query) - set(said) == {"change", "amount", "utm_source"}


@pytest.mark.parametrize("names", [[f"n{number:08}" for number in range(3844)], ["x" * 60_000, "cat"], ["x" * 101]])
def test_a_link_of_very_many_or_very_long_classes_says_so_once(names):
    text = ";".join(names)
    said, wrong = read_query({"class": text, "tab": "evidence"})
    assert said == {"tab": "evidence"}
    (error,) = wrong
    limit = "It may name 10 classes of at most 100 characters each"
    assert str(error) == f"{limit}; received {len(names)} names with {len(text)} characters in all."
    assert read_query({"class": "x" * 100}) == ({"class": ["x" * 100]}, [])


def test_example_photos_are_known_by_their_content():
    assert example_of(read_photo(EXAMPLES[0].read_bytes(), "renamed.jpg").digest) == EXAMPLES[0].stem
    assert example_of("0" * 32) is None
