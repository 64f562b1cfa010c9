"""Molecules: files → clean molecules → bags of subgraphs or graphs; what "without this atom" means; truth; pictures."""
