"""Short letters about a bag, as tuples of words; motifs are word patterns and key-value relations."""
