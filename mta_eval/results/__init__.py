"""What came out: records kept on disk, averaged into grids, shown as tables, pictures and one page.

This room knows the nouns of `mta_eval.core` and nothing else: no task, no model, no tokenizer, no torch, no terminal.
It reads the axes that every record carries, so a new task is tabled and drawn without a line of code here. It never
invents a number: what was not measured stays None in a grid, `–` in a table and a hatched gap in a picture.
"""
