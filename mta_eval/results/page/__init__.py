"""report.html: one page that holds its pictures, its data, its style and its script, and asks no network.

`sections` sorts the records under their tasks, `data` packs them for the script, `build` puts the page together.
What a model said is hostile text here: the template escapes it, the script only ever sets it as text.
"""
