"""Every number on the page: what it is, what it is not, and at which stages it holds."""

from __future__ import annotations

NUMBERS = (
    (
        "Probability, %",
        (
            "How likely the class is, if the photo shows one of the classes that the network knows. Weights with a "
            "temperature are calibrated: of answers with 60 %, about 60 of 100 are right on photos like theirs."
        ),
        "How sure the network is that the object is there: a photo of none of its classes also gets likely classes.",
        "the answer",
    ),
    (
        "Logit",
        "The class's score before softmax.",
        "Comparable between photos or networks.",
        "the answer",
    ),
    (
        "Activation: mean, maximum, norm or one channel",
        "What the cell's channels give after ReLU, at least 0.",
        "For or against a class, or comparable between stages.",
        "C1 to C5",
    ),
    (
        "Explained variance, %",
        "Share of the differences between cells that the three colours of the principal components show.",
        "A share of the answer.",
        "C1 to C5",
    ),
    (
        "What a cell adds",
        "Gradient × activation: these numbers add up to the logit less its biases.",
        "What would be lost without the cell: other units then switch on or off, too.",
        "C5 alone",
    ),
    (
        "Slope",
        "Gradient × activation: what a small change of the cell would do to the logit.",
        "A share of the logit, or what the cell adds.",
        "C1 to C4; of C2 to C4 every second row and column",
    ),
    (
        "Without this cell",
        "The logit and the probability when the cell is 0 and the rest of the network runs again.",
        "A share: cells act together, and their differences do not add up.",
        "C1 to C5",
    ),
    (
        "A cell can see, px",
        "The side of the square of the input that can change the cell at all.",
        "What changes it much: that is mostly the middle of the square (Luo et al. 2016).",
        "C1 to C5",
    ),
    (
        "Hides more than … of 20 moved copies",
        "How many copies of the map, shifted, mirrored and turned, hide less of the answer than the map does.",
        "Proof that the network looks there as a person would, or a measure of how much there is to hide.",
        "the map that is chosen; classes of at least 5 %",
    ),
    (
        "Area under the deletion or insertion curve",
        (
            "The class's mean probability while the photo is hidden, or shown, from the hottest cell on "
            "(Petsiuk et al. 2018)."
        ),
        "Comparable between photos: to the network a photo with a hidden part is an unusual one.",
        "the map that is chosen",
    ),
    (
        "Branch ÷ shortcut",
        "Norm of what a block's branch adds, divided by the norm of its shortcut.",
        "How much the answer needs the block.",
        "every block of C2 to C5",
    ),
    (
        "Cosine",
        "How alike the activations of two answers are, cell by cell. 1: the same pattern, whatever its strength.",
        "Likeness of what both photos show: moved things count as different.",
        "C1 to C5",
    ),
    (
        "Linear CKA",
        (
            "How alike the differences between the cells of two answers are (Kornblith et al. 2019, unbiased after "
            "Song et al. 2012). 1: the same pattern, whatever its strength; 0: what unrelated maps give on average."
        ),
        "Certain where it does not exceed the number by chance, which shuffled cells reach in one of twenty cases.",
        "C1 to C5",
    ),
    (
        "Top-1 and top-5 accuracy, %",
        "Share of the pictures of the named data whose class was first, or among the first five.",
        "What it will be on your photos, unless they are like those.",
        "the answer",
    ),
)
"""Name, what it is, what it is not, where it holds."""
