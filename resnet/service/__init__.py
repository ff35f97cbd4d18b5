"""From many visitors' questions to answers that are computed once: weights, results and temporary files of a server.

It knows neither pages nor requests: it takes paths and options, and gives results.
"""
