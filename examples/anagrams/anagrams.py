#!/usr/bin/env python3
"""A task of the example: writes the one-word English anagrams of a word into the results folder."""

import json
import os
import sys
from pathlib import Path

WORDS = Path(__file__).with_name("words.txt")


def anagrams(word: str) -> list[str]:
    """The English words made of the letters of `word`, itself included."""
    letters = sorted(word.lower())
    return [each for each in WORDS.read_text().split() if sorted(each) == letters]


def main() -> None:
    word = json.loads(sys.argv[1])["word"]
    print(f"Looking for anagrams of {word!r} in {WORDS.name}")
    found = anagrams(word)
    results = Path(os.environ["JOB_RESULTS_DIRECTORY"]) / "anagrams.txt"
    results.write_text("".join(f"{each}\n" for each in found))
    print(f"Found {len(found)}: {', '.join(found) or 'none'}")


if __name__ == "__main__":
    main()
