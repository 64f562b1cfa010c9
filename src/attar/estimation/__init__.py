"""How a number is estimated to a tolerance, and its error: paths, masks, coalitions, surrogates, noise. No method."""
