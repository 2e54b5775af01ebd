"""How results look: cards in a notebook (Jupyter, marimo), and plots on matplotlib axes; one kind of result a file.

Results reach here from their methods ``plot`` and ``_repr_html_`` alone, which load this package when they are called.
A card is HTML that needs nothing from the network: formulas are MathML, pictures are inline on a white ground.
"""
