"""Husky or wolf: a classifier that is right for the wrong reason, and what shows it."""
