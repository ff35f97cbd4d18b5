"""The Gradio page and its public endpoints."""
