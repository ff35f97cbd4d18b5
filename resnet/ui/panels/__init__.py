"""HTML of the tabs' panels, from what was found out about a photo.

A module a tab. In come answers and a language, out goes HTML; nothing here knows of components or events.
"""
