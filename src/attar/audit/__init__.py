"""The verdict: can this attribution be trusted? Experiments in, findings out, one word at the end."""
