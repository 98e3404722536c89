"""The pages, in a real browser, of a saltant that runs for real."""
