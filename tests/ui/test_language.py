"""Both languages say the same things."""

import json
import re
from string import Formatter

from resnet.errors import ImageError, OptionError, WeightsError
from resnet.network.labels import ASSETS
from resnet.photo.images import FORMAT_NAMES
from resnet.ui.classes import class_choices
from resnet.ui.language import ENGLISH, LANGUAGES
from tests.ui.sentences import all_sentences

CHINESE = LANGUAGES[1]
# Parts of sentences that come from elsewhere: the operating system, and reasons inside an error.
PARTS = {
    "it ends too early", "its pixels cannot be decoded", FORMAT_NAMES, "No such file or directory",
    "Permission denied", "No space left on device",
}  # fmt: skip


def fields(sentence):
    """The values that a sentence takes, by number, each with how it is written."""
    found = [(name, spec, conversion) for _, name, spec, conversion in Formatter().parse(sentence) if name is not None]
    return sorted((int(name or place), spec, conversion) for place, (name, spec, conversion) in enumerate(found))


def test_every_sentence_of_the_page_is_translated():
    assert sorted(set(all_sentences()) - set(CHINESE.catalogue)) == []


def test_nothing_is_translated_that_the_page_never_says():
    assert sorted(set(CHINESE.catalogue) - set(all_sentences()) - PARTS) == []


def test_translations_take_the_same_values():
    for sentence, translation in CHINESE.catalogue.items():
        assert fields(translation) == fields(sentence), sentence


def test_no_sentence_stands_twice_in_the_catalogue():
    text = (ASSETS / "locale" / "zh.json").read_text(encoding="utf-8")
    pairs = json.loads(text, object_pairs_hook=list)
    assert len({sentence for sentence, _ in pairs}) == len(pairs) == len(CHINESE.catalogue)


def test_translations_are_chinese():
    unlike = {" ", ", ", "°", "%", "{} {}", "logit {:.2f}"}
    for sentence, translation in CHINESE.catalogue.items():
        assert sentence in unlike or re.search(r"[\u4e00-\u9fff]", translation), sentence


def test_classes_of_imagenet_have_a_name_in_the_language_and_others_keep_theirs():
    assert CHINESE.named("n02012849", "crane (bird)") == "鹤"
    assert CHINESE.named("n00015388", "animal") == "动物"
    assert CHINESE.named("", "crane") == "crane"
    assert ENGLISH.named("n02012849", "crane (bird)") == "crane (bird)"


def test_classes_are_found_by_their_chinese_and_english_names_and_stand_in_the_order_of_their_sounds(engine):
    choices = class_choices(CHINESE, engine.manifest)
    assert sorted(index for _, index in choices) == list(range(len(engine.manifest.labels)))
    text = {index: words for words, index in choices}[engine.manifest.class_named("goldfish")]
    assert text == "金鱼 (goldfish, Carassius auratus)"
    names = [words.split(" (")[0] for words, _ in choices]
    sounds = ["埃及猫", "冰箱", "大炮", "金鱼", "香蕉", "棕熊"]  # ai, bing, da, jin, xiang, zong
    assert [name for name in names if name in sounds] == sounds


def test_english_is_the_sentence_itself():
    assert ENGLISH("{} of {} photos", 1, 2) == "1 of 2 photos"
    assert ENGLISH("100 % {braces}") == "100 % {braces}"


def test_a_class_that_is_also_a_word_of_the_page_stays_as_it_is():
    assert CHINESE("Why {} and not {}", "cat", "map") == "为什么是 cat，而不是 map"
    error = OptionError("The {} must be one of {}; received {}.", "map", "mean, max", repr("map"))
    assert CHINESE.error(error) == "图必须是以下之一：mean, max；收到 'map'。"


def test_errors_are_translated_with_what_they_name():
    error = OptionError("The {} must be {:g} to {:g}; received {}.", "number of classes", 1, 20, "99")
    assert str(error) == "The number of classes must be 1 to 20; received 99."
    assert CHINESE.error(error) == "类别数必须在 1 到 20 之间；收到 99。"
    assert CHINESE.error(ImageError("{} is damaged: {}.", "a.jpg", "it ends too early")) == "a.jpg 已损坏：文件不完整。"


def test_an_error_inside_another_is_translated():
    inner = ImageError("{} is empty (0 bytes).", "a.jpg")
    assert CHINESE.error(WeightsError("{} {}", inner, inner)) == "a.jpg 是空文件（0 字节）。 a.jpg 是空文件（0 字节）。"


def test_braces_in_values_do_no_harm():
    assert ENGLISH.error(ImageError("{} is empty (0 bytes).", "{0}{x}.jpg")) == "{0}{x}.jpg is empty (0 bytes)."
    assert str(ImageError("plain {braces}")) == ENGLISH.error(ImageError("plain {braces}")) == "plain {braces}"
