"""What people notice first, and which mistakes show so: the likeliest first.

The one place for this. A text is matched by its words: spelling, word forms and the usual
short forms do not count. Nothing here loads torch.
"""

import re
from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from itertools import pairwise

from ldjcheck.classroom import parts


@dataclass(frozen=True, slots=True)
class Suspect:
    """A mistake that may be behind a symptom, and why it shows so."""

    code: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    """What is noticed: a title, other ways to say it, and what to know before looking.

    `suspects` are in the order in which to suspect them.
    """

    title: str
    also: tuple[str, ...]
    about: str
    suspects: tuple[Suspect, ...]


def _symptom(text: str) -> Symptom:
    """Return the symptom of a text: title, what to know, other ways to say it, suspects."""
    title, rest = text.split("\n", 1)
    told, *suspects = re.split(r"\n(?=LDJ\d{3}: )", rest.strip())
    about, also = " ".join(told.split()).split(" also: ")
    return Symptom(
        title=title,
        also=tuple(also.split("; ")),
        about=about,
        suspects=tuple(Suspect(*each.split(": ", 1)) for each in suspects),
    )


SYMPTOMS: tuple[Symptom, ...] = tuple(map(_symptom, parts("symptoms.txt")))


# --- matching ---------------------------------------------------------------------------

_SAME = {
    "bpd": "bits per dimension", "dim": "dimension", "nll": "loss", "elbo": "loss",
    "objective": "loss", "logdet": "ldj", "logp": "likelihood", "density": "likelihood",
    "probability": "likelihood", "prob": "likelihood", "loglikelihood": "likelihood",
    "training": "train", "evaluation": "eval", "validation": "eval", "test": "eval",
    "testing": "eval", "inf": "infinite", "infinity": "infinite", "diverge": "infinite",
    "constant": "flat", "plateau": "flat", "stagnate": "flat", "below": "negative",
    "minus": "negative", "decrease": "fall", "drop": "fall", "descend": "fall",
    "increase": "rise", "grow": "rise", "forever": "end", "bound": "end",
    "picture": "image", "generation": "sample", "generate": "sample", "one": "1",
    "zero": "0", "eight": "8", "greater": "above", "larger": "above", "exceed": "above",
    "bigger": "above", "huge": "explode", "overflow": "explode", "unstable": "explode",
    "blow": "explode", "resolution": "size", "reconstruction": "inverse",
    "reverse": "inverse", "stack": "layer",
}  # fmt: skip
_UNSAID = frozenset(
    {
        "a", "an", "and", "are", "as", "at", "be", "but", "by", "do", "doe", "for",
        "from", "get", "give", "go", "has", "have", "i", "in", "is", "it", "its", "me",
        "my", "of", "on", "or", "per", "so", "some", "than", "that", "the", "their",
        "then", "there", "they", "this", "to", "too", "up", "very", "was", "we", "what",
        "when", "where", "which", "while", "why", "with", "you", "your", "always",
        "really", "much",
    }
)  # fmt: skip
_ENDINGS = (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("s", ""))
_MISSING, _IN_ORDER = 0.2, 0.3  # of a word that is not said, of two that follow on
_FEWEST = 0.3  # of what the words of a text are worth


def symptoms_for(text: str) -> tuple[Symptom, ...]:
    """Return the symptoms that a text may mean, the nearest first; none where none is."""
    wanted = _words(text)
    if not wanted:
        return ()
    worth = _worth()
    known = sorted(worth)
    # what is spelled wrongly is read as the nearest word that is known
    near = [[w] if w in worth else get_close_matches(w, known, 1, 0.8) for w in wanted]
    read = [next(iter(words), "") for words in near]
    best = 0.5 * sum(worth.get(word, 1.0) for word in read if not word)
    total = best + sum(worth[word] for word in set(read) if word)
    scored = [(_score(read, symptom, worth), symptom) for symptom in SYMPTOMS]
    top = max(score for score, _ in scored)
    if top < _FEWEST * total:
        return ()
    nearest = [pair for pair in scored if pair[0] >= 0.8 * top]
    nearest.sort(key=lambda pair: -pair[0])  # equal ones keep their order
    return tuple(symptom for _, symptom in nearest[:3])


def _score(read: list[str], symptom: Symptom, worth: dict[str, float]) -> float:
    """Return what the words are worth that a phrase has too, and in the same order."""
    given, best = set(read), 0.0
    for phrase in (symptom.title, *symptom.also):
        words = _words(phrase)
        common = sum(worth[w] for w in set(words) & given)
        missing = sum(worth[w] for w in set(words) - given)
        pairs = set(pairwise(words)) & set(pairwise(read))
        best = max(best, common - _MISSING * missing + _IN_ORDER * len(pairs))
    return best


@lru_cache(maxsize=1)
def _worth() -> dict[str, float]:
    """Return what each word is worth: the fewer symptoms have it, the more."""
    counts = Counter(
        word
        for symptom in SYMPTOMS
        for word in set(_words(" ".join((symptom.title, *symptom.also))))
    )
    return {word: 1.0 + 2.0 / count for word, count in counts.items()}


def _words(text: str) -> list[str]:
    """Return the words that say something, in one form each."""
    plain = re.sub(r"log[\s_-]*det(erminant)?s?", "ldj", text.lower())
    plain = re.sub(r"log[\s_-]*(likelihood|prob(ability)?)", "likelihood", plain)
    plain = re.sub(r"<\s*0", " negative ", plain)
    plain = re.sub(r">\s*1", " above 1 ", plain)
    found: list[str] = []
    for word in re.findall(r"[a-z]+|\d+", plain):
        stem = _stem(word)
        for each in _SAME.get(word, _SAME.get(stem, stem)).split():
            if each not in _UNSAID and word not in _UNSAID:
                found.append(_stem(each))
    return found


def _stem(word: str) -> str:
    """Return a word without the endings that only grammar wants."""
    for ending, kept in _ENDINGS:
        bare = word.removesuffix(ending)
        if bare != word and len(bare) >= 3 and not word.endswith("ss"):
            return bare + kept
    return word
