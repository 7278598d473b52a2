"""What people notice first, and which mistakes show so: the likeliest first.

The one place for this. A text is matched by its words: spelling, word forms and the usual
short forms do not count. Nothing here loads torch.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from itertools import pairwise


@dataclass(frozen=True, slots=True, kw_only=True)
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


def _suspects(*pairs: tuple[str, str]) -> tuple[Suspect, ...]:
    return tuple(Suspect(code=code, why=why) for code, why in pairs)


SYMPTOMS: tuple[Symptom, ...] = (
    Symptom(
        title="Bits per dimension below 0",
        also=(
            "negative bits per dimension", "bpd negative", "bits per dim too low by 8",
            "bits too good to be true", "bits better than the best papers",
        ),
        about="Whole numbers have probabilities of at most 1, so their bits cannot be "
        "negative. Something is counted that takes bits away, or too little that adds "
        "them.",
        suspects=_suspects(
            ("LDJ101", "log(256) counted once, not for every pixel, takes nearly 8 bits "
             "per dimension away"),
            ("LDJ110", "the division by 256 has no term at all: 8 bits"),
            ("LDJ104", "a term is added that should be subtracted"),
            ("LDJ103", "the count of dims includes the batch"),
            ("LDJ107", "a logarithm in base 2 is counted as one in base e"),
        ),
    ),
    Symptom(
        title="Bits per dimension stuck at 8",
        also=(
            "bits stay at 8", "bpd stuck at 8", "always exactly 8 bits",
            "bits per dimension never below 8", "nothing better than uniform",
        ),
        about="8 bits are what 256 levels cost that are all equally likely: the flow does "
        "nothing yet, or cannot learn.",
        suspects=_suspects(
            ("LDJ401", "at its initial weights the flow is the identity; does it leave "
             "them?"),
            ("LDJ210", "the gradient of the ldj is cut, so nothing is learned"),
            ("LDJ119", "the ldj is 0 whatever the layer does"),
            ("LDJ105", "a mean over the dims makes the ldj too small to matter"),
        ),
    ),
    Symptom(
        title="The loss is NaN",
        also=(
            "nan loss", "loss becomes nan", "nan ldj", "log det nan", "infinite loss",
            "loss is inf", "nan after a few steps", "nan likelihood",
        ),
        about="One NaN among the samples makes the mean NaN. Look for a logarithm of what "
        "is negative or 0.",
        suspects=_suspects(
            ("LDJ109", "the logarithm of a determinant or a scale that is negative"),
            ("LDJ213", "log(0), or 0 times infinity, at some inputs"),
            ("LDJ116", "one branch of a `where` has no finite value or slope"),
            ("LDJ304", "the map is singular, and its ldj minus infinity"),
            ("LDJ402", "the map is nearly singular"),
        ),
    ),
    Symptom(
        title="A likelihood above 1",
        also=(
            "probability greater than one", "likelihood larger than 1",
            "positive log likelihood", "log probability above 0", "negative loss",
            "negative nll", "is my negative loss a bug", "density above 1",
        ),
        about="A density may well be above 1, and its loss negative: of real numbers that "
        "is no mistake. A probability of pixel values may not.",
        suspects=_suspects(
            ("LDJ101", "a constant is counted once, not once per dimension"),
            ("LDJ111", "a term is counted that belongs to no step of the map"),
            ("LDJ104", "a term has the wrong sign"),
            ("LDJ114", "a term is counted twice"),
            ("LDJ501", "a split's density of the dropped part does not integrate to 1"),
        ),
    ),
    Symptom(
        title="Samples look good, but the bits are wrong",
        also=(
            "good samples bad likelihood", "samples fine but bits per dimension wrong",
            "images look right and the likelihood does not",
            "generates well, likelihood off by a constant",
        ),
        about="Sampling does not use the ldj, and a constant in it has no gradient: a "
        "wrong constant changes neither training nor samples.",
        suspects=_suspects(
            ("LDJ101", "a constant is counted once, not once per dimension"),
            ("LDJ110", "a constant step of the map has no term"),
            ("LDJ103", "a constant is multiplied by the wrong count"),
            ("LDJ107", "bits and nats are mixed"),
            ("LDJ117", "a small number is added inside a logarithm"),
        ),
    ),
    Symptom(
        title="The likelihood looks good, but samples do not",
        also=(
            "samples are noise", "good likelihood bad samples", "samples are garbage",
            "samples look like nothing although the loss is good",
            "reconstruction is wrong", "inverse does not give back the input",
        ),
        about="Sampling runs the way back, which training never does.",
        suspects=_suspects(
            ("LDJ301", "the way back does not undo the map"),
            ("LDJ304", "two inputs have one output, so no way back can be right"),
            ("LDJ104", "the loss rewards what it should not"),
            ("LDJ209", "the layer is another one at each call"),
        ),
    ),
    Symptom(
        title="Training and evaluation differ",
        also=(
            "train and eval differ", "different likelihood in eval mode",
            "validation loss much worse at the same data",
            "the likelihood of an image depends on its batch", "batch norm",
            "result depends on batch size at test time",
        ),
        about="The likelihood of a sample is its own: neither its companions nor the "
        "calls before may change it.",
        suspects=_suspects(
            ("LDJ207", "a sample's output depends on the others of its batch"),
            ("LDJ209", "each call changes what the layer is"),
            ("LDJ208", "something is drawn anew at each call, as by dropout"),
            ("LDJ211", "the ldj belongs to an earlier call"),
        ),
    ),
    Symptom(
        title="The loss falls without end",
        also=(
            "loss goes to minus infinity", "loss diverges to negative infinity",
            "nll decreases forever", "loss keeps falling and falling",
            "log likelihood grows without bound",
        ),
        about="A density cannot be large everywhere, so a right loss has a floor. Without "
        "one, the ldj pays for what it should cost.",
        suspects=_suspects(
            ("LDJ104", "with the sign turned, shrinking everything is rewarded twice"),
            ("LDJ302", "the ldj of the way back is added where it must be subtracted"),
            ("LDJ111", "a term grows that no step of the map pays for"),
            ("LDJ115", "the ldj cannot be negative, so shrinking costs nothing"),
            ("LDJ304", "the map collapses dims"),
        ),
    ),
    Symptom(
        title="The loss is flat",
        also=(
            "loss does not change", "loss constant", "loss does not move",
            "parameters are not trained", "no gradient", "weights never change",
            "the model does not learn",
        ),
        about="No parameter moves without a gradient.",
        suspects=_suspects(
            ("LDJ210", "gradients are cut: detach, .item(), no_grad"),
            ("LDJ119", "the ldj is 0, so only the size of z is trained, to a floor"),
            ("LDJ401", "the layer is the identity and its weights do not matter"),
            ("LDJ211", "the ldj is that of an earlier call"),
        ),
    ),
    Symptom(
        title="The loss rises while training goes on",
        also=(
            "loss increases", "loss gets worse during training", "likelihood decreases",
            "loss grows although the optimizer works",
        ),
        about="The optimiser follows a gradient; then it is not that of the loss.",
        suspects=_suspects(
            ("LDJ210", "the ldj counts in the loss, and its gradient is cut"),
            ("LDJ104", "the loss is right, and the ldj in it has the wrong sign"),
            ("LDJ211", "the ldj is that of earlier parameters"),
        ),
    ),
    Symptom(
        title="The inverse explodes",
        also=(
            "inverse gives huge numbers", "samples are infinite", "inverse overflows",
            "inverse is unstable", "inverse returns nan", "huge values when sampling",
            "round trip error grows",
        ),
        about="What the map makes smaller by a factor, its inverse makes larger by the "
        "same, rounding included.",
        suspects=_suspects(
            ("LDJ402", "the map is nearly singular, and rounding decides the rest"),
            ("LDJ304", "the map is singular: there is nothing to invert"),
            ("LDJ301", "the inverse multiplies where it should divide"),
            ("LDJ213", "the inverse is asked for where it is not finite"),
        ),
    ),
    Symptom(
        title="The loss depends on the batch size",
        also=(
            "larger batch gives larger loss", "loss scales with batch size",
            "likelihood changes with the number of samples", "all samples have one ldj",
        ),
        about="The ldj of a sample does not know how many others there are.",
        suspects=_suspects(
            ("LDJ106", "the ldj is summed, or averaged, over the batch too"),
            ("LDJ103", "the count of dims includes the batch"),
            ("LDJ201", "a column is added to a row, which makes a square"),
            ("LDJ207", "samples influence one another"),
        ),
    ),
    Symptom(
        title="The bits change with the size of the image",
        also=(
            "likelihood depends on resolution", "larger images have worse bits",
            "bits per dimension differ for other image sizes",
            "works at small images and not at large ones",
        ),
        about="Per dimension the sizes should cancel out. Where they do not, a term counts "
        "some axes and not others.",
        suspects=_suspects(
            ("LDJ102", "a term per channel is not counted per pixel"),
            ("LDJ101", "a constant is counted once, not once per dimension"),
            ("LDJ103", "a term counts the wrong axes"),
            ("LDJ105", "a mean where a sum belongs"),
        ),
    ),
    Symptom(
        title="More layers do not change the likelihood",
        also=(
            "adding layers has no effect", "only the last layer counts",
            "the ldj of earlier layers is lost", "deep flow no better than one layer",
            "stacking layers changes nothing",
        ),
        about="Every layer adds its own ldj to the total that it is given.",
        suspects=_suspects(
            ("LDJ204", "a layer throws the total away that it is given"),
            ("LDJ119", "the layers report 0"),
            ("LDJ110", "the ldj of a sublayer is thrown away"),
            ("LDJ401", "the layers are the identity"),
        ),
    ),
    Symptom(
        title="The loss has the wrong shape",
        also=(
            "loss is a matrix", "shape mismatch of the ldj", "broadcast to batch by batch",
            "ldj has shape (B, 1)", "ldj is not one number per sample",
            "out of memory when adding log dets", "loss is not a vector",
        ),
        about="One number per sample is promised: the shape (batch,).",
        suspects=_suspects(
            ("LDJ201", "right numbers as a column: added to a row, they make a square"),
            ("LDJ202", "not summed over all axes of the event"),
            ("LDJ106", "summed over the batch too"),
            ("LDJ203", "one number for all samples"),
        ),
    ),
    Symptom(
        title="The same input gives another answer",
        also=(
            "not deterministic", "results not reproducible", "two calls differ",
            "different result every time", "calling twice gives different ldj",
        ),
        about="Noise that is part of the map is fine: dequantization draws it. Anything "
        "else that changes from call to call is not.",
        suspects=_suspects(
            ("LDJ208", "something is drawn that is not part of the map, as by dropout"),
            ("LDJ209", "each call changes what the layer is"),
            ("LDJ206", "the call changes its own input"),
            ("LDJ211", "an answer is kept from an earlier call"),
        ),
    ),
    Symptom(
        title="The round trip works, and the likelihood is still wrong",
        also=(
            "inverse works but likelihood wrong", "round trip is fine",
            "forward and inverse ldj cancel", "I removed the factors and it still works",
            "removed prod of shape and the round trip still works",
        ),
        about="A round trip sees x and y. Where both directions make the same slip, even "
        "the two ldjs add up to 0.",
        suspects=_suspects(
            ("LDJ101", "a constant is counted once, both ways"),
            ("LDJ110", "a step has no term, both ways"),
            ("LDJ104", "the sign is turned, both ways"),
            ("LDJ105", "a mean where a sum belongs, both ways"),
        ),
    ),
)  # fmt: skip


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
    read = [
        word
        if word in worth
        else next(iter(get_close_matches(word, known, 1, 0.8)), "")
        for word in wanted
    ]
    best = 0.5 * sum(worth.get(word, 1.0) for word in read if not word)
    total = best + sum(worth[word] for word in set(read) if word)
    scored = [(_score(read, symptom, worth), symptom) for symptom in SYMPTOMS]
    top = max(score for score, _ in scored)
    if top < _FEWEST * total:
        return ()
    near = [pair for pair in scored if pair[0] >= 0.8 * top]
    near.sort(key=lambda pair: -pair[0])  # equal ones keep their order
    return tuple(symptom for _, symptom in near[:3])


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
    for ending, kept in (
        ("ies", "y"),
        ("sses", "ss"),
        ("ing", ""),
        ("ed", ""),
        ("s", ""),
    ):
        if (
            word.endswith(ending)
            and len(word) - len(ending) >= 3
            and not word.endswith("ss")
        ):
            return word[: len(word) - len(ending)] + kept
    return word
