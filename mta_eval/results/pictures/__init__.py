"""Pictures of records: one style, one size of page, every picture as PNG, SVG and PDF.

`gallery.draw_gallery` draws all that some records can fill; the other files draw one kind of picture each.
"""
