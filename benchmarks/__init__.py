"""Where the figures of the README come from; run each as `python -m benchmarks.NAME`."""
