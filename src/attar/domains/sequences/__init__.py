"""DNA: strings of A, C, G, T; motifs in IUPAC letters with strand, window and spacing; examples made for a rule."""
