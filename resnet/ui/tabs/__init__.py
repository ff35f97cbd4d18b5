"""The page's tabs, a module each: what stands in it and what happens when it is used."""
