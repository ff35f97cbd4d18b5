"""Messages of a page: what a user can mend, said in the page's language where it helps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any, TypeVar

import gradio as gr

from resnet.errors import ResNetError
from resnet.metrics import count_error
from resnet.ui import markup
from resnet.ui.language import Language

Answer = TypeVar("Answer")

Updates = dict[Any, Any]
"""New values by component, as a handler returns them; components that are left out stay as they are."""


class Messages:
    """Errors and warnings of one page.

    Attributes:
        t: The language: call it with an English sentence.
    """

    def __init__(self, language: Language) -> None:
        """Speak a language."""
        self.t = language

    def or_error(self, answer: Callable[[], Answer]) -> Answer:
        """Return what `answer` gives; what a user can fix becomes a message in the page's language."""
        try:
            return answer()
        except ResNetError as error:
            raise self.refusal(error) from error

    def refusal(self, error: ResNetError) -> gr.Error:
        """Return the message for an error, in the page's language."""
        return self.fault(self.t.error(error))

    def fault(self, sentence: str) -> gr.Error:
        """A message about what cannot be done; the sentence is in the page's language."""
        return gr.Error(escape(sentence), title=self.t("Error"), print_exception=False)

    def warn(self, sentence: str) -> None:
        """Show a message about what is done otherwise than asked."""
        gr.Warning(escape(sentence), title=self.t("Warning"))

    def warn_of_link(self, sentence: str) -> None:
        """Show what is wrong in a link."""
        self.warn(self.t("A part of the link is left out. {}", sentence))

    def refused(self, error: ResNetError) -> str:
        """Return the error message to display instead of an answer, and count the error."""
        count_error(error)
        return markup.message(self.t.error(error), "error")

    def showing_errors(
        self, refresh: Callable[..., Updates], outputs: Sequence[Any], panel: Any
    ) -> Callable[..., Updates]:
        """Display errors of `or_error` in place of the answer, so that no outdated answer remains.

        Args:
            refresh: Gives what `outputs` get.
            outputs: Components; the texts and pictures among them are emptied, controls stay.
            panel: Which of them says why.
        """

        def answer(**values: Any) -> Updates:
            try:
                updates: Updates = refresh(**values)
                return updates
            except gr.Error as refusal:
                error = refusal.__cause__
                if not isinstance(error, ResNetError):
                    raise
                emptied = {output: "" for output in outputs if isinstance(output, gr.HTML)}
                return {**emptied, panel: self.refused(error)}

        return answer
