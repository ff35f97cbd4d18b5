"""The way down WordNet's tree: sums by hand, where it stops, and what is named of it."""

import csv
import itertools
import re

import numpy as np
import pytest

from resnet.network.labels import ASSETS, imagenet_names, label_classes
from resnet.network.levels import UNSURE, is_unsure, named_levels, names_in, percent, way_down

CATS = ("n02123045", "n02123394", "n02124075")  # tabby, Persian cat, Egyptian cat
DOG, BUS = "n02099601", "n04146614"  # golden retriever, school bus


def parents():
    with (ASSETS / "labels" / "imagenet_tree.csv").open(encoding="utf-8", newline="") as file:
        return {row["wnid"]: row["parent"] for row in csv.DictReader(file)}


def above(wnid, tree):
    while wnid:
        yield wnid
        wnid = tree[wnid]


@pytest.mark.parametrize("seed", range(20))
def test_each_level_holds_the_sum_of_its_classes_and_the_last_one_has_no_likely_child(engine, seed):
    labels, tree = engine.manifest.labels, parents()
    concentration = [0.01, 0.05, 0.3][seed % 3]  # from sure answers to vague ones
    probabilities = np.random.default_rng(seed).dirichlet(np.full(len(labels), concentration)).astype(np.float32)
    sums = dict.fromkeys(tree, 0.0)
    for label, probability in zip(labels, probabilities, strict=True):
        for node in above(label.wnid, tree):
            sums[node] += float(probability)
    way = way_down(probabilities, labels)
    assert way
    for level in way:
        assert level.probability == pytest.approx(sums[level.wnid], abs=1e-5)
        assert level.probability >= 0.5 - 1e-6
    for upper, lower in itertools.pairwise(way):
        assert upper.wnid in above(lower.wnid, tree)
    children = [node for node, parent in tree.items() if parent == way[-1].wnid]
    assert all(sums[child] < 0.5 + 1e-6 for child in children)


def test_cats_of_several_kinds_are_a_cat_and_an_animal():
    labels = label_classes([*CATS, DOG, BUS])
    way = named_levels(np.array([0.25, 0.2, 0.2, 0.25, 0.1], np.float32), labels)
    assert [(level.name, percent(level.probability)) for level in way][-1] == ("domestic cat", "65%")
    assert way[0].probability == pytest.approx(0.9)
    assert len(way) <= 3


def test_a_class_that_is_likely_by_itself_is_the_last_level():
    labels = label_classes([*CATS, DOG, BUS])
    (*_, last) = named_levels(np.array([0.0, 0.0, 0.0, 0.1, 0.9], np.float32), labels)
    assert (last.name, last.wnid) == ("school bus", BUS)


def test_own_classes_have_no_levels_and_are_not_called_unsure():
    labels = label_classes(["ant", "bee", DOG])
    assert named_levels(np.array([0.4, 0.3, 0.3], np.float32), labels) == ()
    assert not is_unsure(np.array([0.01, 0.01, 0.01], np.float32), labels)


def test_an_answer_is_unsure_below_the_threshold_alone():
    labels = label_classes([*CATS, DOG, BUS])
    for top, unsure in ((UNSURE - 0.01, True), (UNSURE + 0.01, False)):
        assert is_unsure(np.array([top, *[(1 - top) / 4] * 4], np.float32), labels) is unsure


def test_small_probabilities_have_a_decimal():
    assert [percent(value) for value in (0.004, 0.0999, 0.1, 0.987)] == ["0.4%", "10.0%", "10%", "99%"]


def test_every_class_and_kind_has_a_chinese_name_of_its_own():
    names, tree = names_in("zh"), parents()
    assert names.keys() == tree.keys() >= imagenet_names().keys()
    assert [name for name in names.values() if not re.search(r"[\u4e00-\u9fff]", name) and name != "iPod"] == []
    classes = [names[wnid] for wnid in imagenet_names()]
    assert len(set(classes)) == 1000
    assert [wnid for wnid, parent in tree.items() if parent and names[wnid] == names[parent]] == []
    # Words of several senses, by dictionary: crane and crane, drake, boxer, cock, bow, mouse.
    known = {"n02012849": "鹤", "n03126707": "起重机", "n01847000": "公鸭", "n02108089": "拳师犬", "n01514668": "公鸡",
             "n02879718": "弓", "n03793489": "鼠标", "n00015388": "动物", "n02121808": "家猫"}  # fmt: skip
    assert {wnid: names[wnid] for wnid in known} == known
