"""Learn: how to read the page, with a diagram drawn from the network's own numbers."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import gradio as gr

from resnet.output.charts import block_diagram
from resnet.stages import STAGE_FILTERS, block_table, stage_table
from resnet.ui import markup
from resnet.ui.numbers import NUMBERS
from resnet.ui.page import Page
from resnet.ui.parts import html

TENDS_TO_SHOW = (
    "edges, colours, brightness",
    "corners, fine textures",
    "textures, simple parts",
    "parts of objects",
    "whole objects and what the classes need",
)
READING = (
    (
        "A feature map has one number per cell and channel. This page shows a mean, a maximum or one of the channels, "
        "as colours over the photo."
    ),
    (
        "Numbers are activations after ReLU: at least 0, without a unit, comparable within a stage. Look at the colour "
        "bar first: a map that is nearly flat still uses all colours on its own scale, and a flat one is called flat."
    ),
    (
        "Deep cells see nearly the whole photo. A bright cell of C5 says where the network's answer is centred, not "
        "that only that square counts: ask the cell, and its dashed frame shows all that it can see."
    ),
    "Borders are often bright because the network pads its input with zeros, not because of what is there.",
)
RESIDUAL = (
    (
        "Each stage is a chain of blocks. A block adds what its branch computes to its input, which goes past on the "
        "shortcut. So a block changes its input instead of replacing it, and gradients reach the first layers."
    ),
    (
        "The first block of a stage has a convolution on its shortcut, because the number of channels changes; from C3 "
        "on its stride of 2 halves the map. In this network the stride sits on the first 1×1 convolution."
    ),
    "The tab Blocks and channels shows how much each block changes its shortcut: often the first of a stage the most.",
)
CAMS = (
    (
        "A class activation map starts at a class's logit, since softmax mixes in all other classes. At C5 it says "
        "what each cell adds to the logit. At C1 to C4 it is a slope: what a small change of a cell would do. That is"
        " not a share of the score; ask a cell, and the page runs the rest of the network without it."
    ),
    (
        "Grad-CAM weighs whole channels and was made for the last stage; in shallow stages its map can be misleading."
        " HiResCAM multiplies cell by cell, so its C5 map adds up to the class's logit apart from the biases. At C5 of "
        "this network both give the same map, because all of its cells have the same gradient; their agreement there "
        "proves nothing. LayerCAM keeps positive gradients only and stays sharp in shallow stages. Grad-CAM++ gives "
        "small parts more weight."
    ),
    (
        "A map is not proof. It does not say that the object was recognised, only where the score would move. Test it "
        "in Does it hold?: hide the hottest part, and compare with moved copies of the map."
    ),
    (
        "Of C2, C3 and C4 only every second row and column is read: the next stage's two strided 1×1 convolutions "
        "take nothing else. The cells between have exactly no influence, and class activation maps leave them out. C1"
        " is not affected."
    ),
    "Fine maps in C1 and C2 look like edges for nearly any class. Compare two classes before you believe one.",
)
_PAPERS = (
    ("He et al. 2015", "Deep Residual Learning for Image Recognition", "https://arxiv.org/abs/1512.03385"),
    ("Selvaraju et al. 2017", "Grad-CAM", "https://arxiv.org/abs/1610.02391"),
    ("Chattopadhyay et al. 2018", "Grad-CAM++", "https://arxiv.org/abs/1710.11063"),
    ("Draelos and Carin 2020", "HiResCAM", "https://arxiv.org/abs/2011.08891"),
    ("Jiang et al. 2021", "LayerCAM", "https://doi.org/10.1109/TIP.2021.3089943"),
    ("Petsiuk et al. 2018", "RISE", "https://arxiv.org/abs/1806.07421"),
    ("Adebayo et al. 2018", "Sanity Checks for Saliency Maps", "https://arxiv.org/abs/1810.03292"),
    ("Kornblith et al. 2019", "Similarity of Neural Network Representations Revisited",
     "https://arxiv.org/abs/1905.00414"),
    ("Guo et al. 2017", "On Calibration of Modern Neural Networks", "https://arxiv.org/abs/1706.04599"),
    ("Luo et al. 2016", "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks",
     "https://arxiv.org/abs/1701.04128"),
    ("Veit et al. 2016", "Residual Networks Behave Like Ensembles of Relatively Shallow Networks",
     "https://arxiv.org/abs/1605.06431"),
    ("Araujo et al. 2019", "Computing Receptive Fields of Convolutional Neural Networks",
     "https://distill.pub/2019/computing-receptive-fields"),
)  # fmt: skip


class LearnTab:
    """The tab that explains the others."""

    def __init__(self, page: Page) -> None:
        """Add the tab to the page that is built."""
        self._page = page
        with gr.Tab(page.t("Learn"), id="learn", elem_id="tab-learn") as tab:
            html(self._content(), elem_id="learn")
        page.opened(tab, "learn")

    def _content(self) -> str:
        t = self._page.t
        rows = [
            [
                stage.stage,
                escape(t(tends)),
                "×".join(map(str, stage.shape[:2])),
                f"{stage.shape[2]:,}",
                f"{stage.receptive_field:,} px",
            ]
            for stage, tends in zip(stage_table(block_table()), TENDS_TO_SHOW, strict=True)
        ]
        heads = [t("Stage"), t("Tends to show"), t("Cells at 224 px"), t("Channels"), t("A cell can see")]
        stages = markup.table(heads, rows, t("How to read C1 to C5"))
        texts = {
            "convolution_block": t("Convolution block: the first of a stage"),
            "identity_block": t("Identity block: all others"),
            "input": t("input"),
            "output": t("output"),
            "relu": "ReLU",
            "add": t("addition"),
            "shortcut": t("shortcut: the input itself"),
        }
        diagram = block_diagram(
            STAGE_FILTERS[1], STAGE_FILTERS[0][2], 2, texts, t("A convolution block and an identity block of stage C3")
        )
        papers = "".join(
            f'<li>{escape(author)}: <a href="{address}" target="_blank" rel="noopener">{escape(title)}</a></li>'
            for author, title, address in _PAPERS
        )
        return (
            markup.panel(t("How to read C1 to C5"), stages + self._list(READING))
            + markup.panel(t("What a residual block does"), diagram + self._list(RESIDUAL))
            + markup.panel(t("What a class activation map shows, and what it does not"), self._list(CAMS))
            + markup.panel(t("What each number is, and what it is not"), self._numbers())
            + markup.panel(t("Papers"), f"<ul>{papers}</ul>")
        )

    def _numbers(self) -> str:
        t = self._page.t
        return "".join(
            f"<dt>{escape(t(name))} <small>{escape(t(where))}</small></dt>"
            f"<dd>{escape(t(meaning))} <b>{escape(t('It is not:'))}</b> {escape(t(other))}</dd>"
            for name, meaning, other, where in NUMBERS
        ).join(('<dl class="numbers">', "</dl>"))

    def _list(self, sentences: Sequence[str]) -> str:
        return "<ul>" + "".join(f"<li>{escape(self._page.t(sentence))}</li>" for sentence in sentences) + "</ul>"
