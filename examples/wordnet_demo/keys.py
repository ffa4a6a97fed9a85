"""Keys from what is said of a word: TF-IDF of its words and gloss, and the strongest directions of that.

Latent semantic analysis (Deerwester et al. 1990): no weights are downloaded, and the same text gives the same key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

WIDTH = 128
Keys = npt.NDArray[np.float32]


class Encoder:
    """Turns texts into keys [N, width]; made from the texts that it is to tell apart."""

    def __init__(self, texts: Sequence[str], width: int = WIDTH) -> None:
        self.width = width
        self._words = TfidfVectorizer(stop_words="english", sublinear_tf=True, token_pattern=r"[A-Za-z]{2,}")
        self._directions = TruncatedSVD(width, n_iter=3, random_state=0)
        self._directions.fit(self._words.fit_transform(texts))

    def __call__(self, texts: Sequence[str]) -> Keys:
        """Keys of unit length; of a text in which no word is known, a direction that is like nothing."""
        spread: Any = self._directions.transform(self._words.transform(texts)).astype(np.float32)
        length = np.linalg.norm(spread, axis=1)
        unknown = np.flatnonzero(length < 1e-6)
        spread[unknown] = np.random.default_rng(0).standard_normal((len(unknown), self.width))
        length[unknown] = np.linalg.norm(spread[unknown], axis=1)
        keys: Keys = spread / length[:, None]
        return keys
