"""Tables: rows of numbers from correlated columns; motifs are conditions on columns; rows made for a rule."""
