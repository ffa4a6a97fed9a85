"""Let a sample say which parameters a memory should have: ``python examples/tune.py``, with ``--glosses`` for text too.

Pictures of digits, once as they are and once with what they show; then keys made of WordNet's glosses, where the
project's data is at hand. Nothing but what is printed comes of it, and a picture where ``--plot`` names one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from aesg_graph import Fit, fit_config


def of_pictures(limit: int | None = None) -> Fit:
    """Digits as they are, of which nobody says what they show."""
    pictures, _ = load_digits(return_X_y=True)
    return fit_config(pictures[:limit])


def of_named_pictures(limit: int | None = None) -> Fit:
    """Digits with what they show: then the answers decide, and whether to centre is decided by them too."""
    pictures, digits = load_digits(return_X_y=True)
    return fit_config(pictures[:limit], labels=digits[:limit])


def of_glosses(count: int = 3000) -> Fit:
    """Keys of glosses, drawn from all over WordNet: text of which little comes again."""
    from wordnet_demo.keys import Encoder
    from wordnet_demo.tables import read

    wordnet = read()
    drawn = np.random.default_rng(0).choice(len(wordnet), count, replace=False)
    texts = [f"{wordnet.lemmas[i]}: {wordnet.glosses[i]}" for i in sorted(drawn)]
    return fit_config(Encoder(texts)(texts))


def main(given: list[str] | None = None) -> None:
    """Print the proposals."""
    parser = argparse.ArgumentParser(description="Let a sample say which parameters a memory should have.")
    parser.add_argument("--limit", type=int, help="only so many pictures")
    parser.add_argument("--glosses", action="store_true", help="glosses too; needs WordNet in $AESG_DATA")
    parser.add_argument("--plot", type=Path, help="draw what became of the named pictures")
    chosen = parser.parse_args(given)
    print("Pictures\n", of_pictures(chosen.limit), sep="\n")
    named = of_named_pictures(chosen.limit)
    print("\n\nPictures with what they show\n", named, sep="\n")
    if chosen.plot is not None:
        named.plot(chosen.plot)
    if chosen.glosses:
        print("\n\nGlosses\n", of_glosses(), sep="\n")


if __name__ == "__main__":
    main()
