"""The Gradio page and its public endpoints."""

from resnet.ui.gradio_import import import_gradio

import_gradio()  # before any module here imports it by itself
