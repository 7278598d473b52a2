"""The lessons of `ldjcheck demo`, in the order in which they are best taught."""

from __future__ import annotations

from dataclasses import dataclass

from ldjcheck.records import Shape


@dataclass(frozen=True, slots=True)
class Lesson:
    """A mistake, and the layer of the zoo that shows it on an input of a few dims.

    Without a layer the lesson is the command on the page of the mistake. `more` says
    what to look at, in a sentence for students.
    """

    code: str
    animal: str = ""
    shape: Shape = ()
    more: str = ""


@dataclass(frozen=True, slots=True)
class Topic:
    """Lessons that belong together."""

    title: str
    lessons: tuple[Lesson, ...]


TOPICS: tuple[Topic, ...] = (
    Topic(
        "How often a term counts",
        (
            Lesson(
                "LDJ101",
                "ScalingCountedOnce",
                (4,),
                "Each diagonal entry is one dim that grows by the same factor.",
            ),
            Lesson(
                "LDJ102",
                "ActNormPerChannel",
                (2, 1, 2),
                "Each channel's factor stands in the Jacobian once per pixel.",
            ),
            Lesson(
                "LDJ103",
                "ScalingCountedPerBatch",
                (4,),
                "Count the diagonal entries, then count what the layer counts.",
            ),
            Lesson(
                "LDJ105",
                "ChunkMean",
                (6,),
                "A determinant is a product, so its log is a sum, never a mean.",
            ),
            Lesson(
                "LDJ106",
                "CouplingOverTheBatch",
                (1, 2, 3),
                "All samples report one number; their Jacobians differ.",
            ),
            Lesson(
                "LDJ113",
                "IdleEntriesCounted",
                (5,),
                "Entries with a 1 on the diagonal stay put, and count nothing.",
            ),
            Lesson(
                "LDJ114",
                "ChunkSquared",
                (6,),
                "Every dim's share is exactly twice what it should be.",
            ),
        ),
    ),
    Topic(
        "Signs and logarithms",
        (
            Lesson(
                "LDJ104",
                "ScalingTurnedAround",
                (4,),
                "The map expands: the diagonal is above 1, so the ldj is above 0.",
            ),
            Lesson(
                "LDJ115",
                "SignedScalingAbsOutside",
                (4,),
                "Dims that shrink are reported as if they grew.",
            ),
            Lesson(
                "LDJ107",
                "FixedScalingBase2",
                (4,),
                "Divide the two numbers: their ratio is ln 2, whatever the input.",
            ),
            Lesson(
                "LDJ108",
                "FixedScalingUnlogged",
                (4,),
                "The layer adds up factors; only their logs may be added.",
            ),
            Lesson(
                "LDJ109",
                "FixedLinearSigned",
                (3,),
                "The map turns space around: det J < 0, but volumes have no sign.",
            ),
            Lesson(
                "LDJ117",
                "ChunkEps",
                (6,),
                "The small number stands in the log, but not in the map.",
            ),
            Lesson(
                "LDJ118",
                "ShuffleWithAOne",
                (4,),
                "The determinant is 1. What is its logarithm?",
            ),
        ),
    ),
    Topic(
        "Which terms, and where",
        (
            Lesson(
                "LDJ119",
                "FixedScalingForgotten",
                (4,),
                "The map moves volume, and nothing is reported.",
            ),
            Lesson(
                "LDJ110",
                "TwoForgotten",
                (1, 2, 2),
                "One step of the map has a number on the left and none on the right.",
            ),
            Lesson(
                "LDJ111",
                "AdditiveCouplingCounts",
                (5,),
                "A shift moves points, not volume: the diagonal is all ones.",
            ),
            Lesson(
                "LDJ112",
                "SigmoidAfterwards",
                (1, 2, 2),
                "A derivative belongs to the point where the step begins.",
            ),
            Lesson(
                "LDJ116",
                "LeakyReLUOtherSide",
                (3,),
                "Find the entries below 0: which of them has the slope?",
            ),
            Lesson(
                "LDJ120",
                "IdleEntriesOnly",
                (5,),
                "No simple slip: compare the line with the step it belongs to.",
            ),
        ),
    ),
    Topic(
        "The way back",
        (
            Lesson(
                "LDJ302",
                "ScalingInverseRepeats",
                (4,),
                "Going back undoes the growth: the sign must turn.",
            ),
            Lesson(
                "LDJ301",
                "ScalingInverseMultiplies",
                (4,),
                "Follow one entry there and back by hand.",
            ),
            Lesson(
                "LDJ303",
                "ScalingInverseSilent",
                (4,),
                "Harmless for sampling, but nobody may use this number.",
            ),
            Lesson(
                "LDJ304",
                "Squaring",
                (4,),
                "Two inputs, x and -x, meet in one output.",
            ),
            Lesson(
                "LDJ305",
                "SplitWithoutPrior",
                (4,),
                "A matrix that is not square has no determinant.",
            ),
            Lesson(
                "LDJ403",
                "BothWaysTurned",
                (4,),
                "Each direction reports the number of the other.",
            ),
        ),
    ),
    Topic(
        "What a layer promises",
        (
            Lesson(
                "LDJ201",
                "ChunkColumn",
                (6,),
                "Add (B, 1) to (B,) in PyTorch and look at the shape.",
            ),
            Lesson(
                "LDJ202",
                "ChunkUnsummed",
                (6,),
                "One number per sample is promised; here is one per dim.",
            ),
            Lesson(
                "LDJ203",
                "DiagonalOneNumber",
                (4,),
                "One number serves all samples, and broadcasts by luck.",
            ),
            Lesson(
                "LDJ204",
                "StartsAnew",
                (4,),
                "Whatever earlier layers reported is lost here.",
            ),
            Lesson(
                "LDJ205",
                "AddsInPlace",
                (4,),
                "`+=` on a tensor changes it for everyone who holds it.",
            ),
            Lesson(
                "LDJ206",
                "DiagonalInPlace",
                (4,),
                "Call the layer twice on one tensor: the second call sees another.",
            ),
            Lesson(
                "LDJ207",
                "CentredByTheBatch",
                (4,),
                "Change one sample, and watch the others move.",
            ),
            Lesson(
                "LDJ208",
                "DropoutScale",
                (4,),
                "The same input gives another answer at each call.",
            ),
            Lesson(
                "LDJ209",
                "Drifting",
                (4,),
                "Evaluating the layer changes it.",
            ),
            Lesson(
                "LDJ210",
                "CutGradient",
                (4,),
                "Both numbers agree; their gradients do not.",
            ),
            Lesson(
                "LDJ211",
                "StaleLdj",
                (4,),
                "The number was right once, before the parameters moved.",
            ),
            Lesson(
                "LDJ212",
                "Float32Inside",
                (4,),
                "About seven digits are left of sixteen.",
            ),
            Lesson(
                "LDJ213",
                "LogOfTheMask",
                (4,),
                "What is 0 times the log of 0?",
            ),
        ),
    ),
    Topic(
        "Likelihoods",
        (
            Lesson(
                "LDJ501",
                "SplitPriorUnnormalised",
                (4,),
                "A density must integrate to one: where is its constant?",
            ),
            Lesson(
                "LDJ502",
                "WideNoise",
                (4,),
                "Noise of 1.2 makes a 3 from a 2.",
            ),
        ),
    ),
    Topic(
        "When nothing is proved",
        (
            Lesson(
                "LDJ401",
                "ZeroInitialised",
                (1, 2, 3),
                "At its initial weights the layer hides every mistake.",
            ),
            Lesson(
                "LDJ402",
                "SlantedTooFar",
                (2,),
                "Both columns point one way: rounding has eaten the determinant.",
            ),
            Lesson(
                "LDJ404",
                "Dithering",
                (4,),
                "What jumps has no slope, and gradients do not see it.",
            ),
        ),
    ),
    Topic(
        "When a mistake has no name",
        (
            Lesson(
                "LDJ199",
                "BentLineCutShort",
                (3,),
                "A series that is cut short: no factor and no sign repairs it.",
            ),
        ),
    ),
    Topic(
        "When nothing can be checked",
        tuple(Lesson(f"LDJ00{number}") for number in range(1, 8)),
    ),
)


def lesson_on(code: str) -> Lesson | None:
    """Return the lesson on a mistake, or None."""
    return next(
        (lesson for t in TOPICS for lesson in t.lessons if lesson.code == code), None
    )


def after(code: str) -> Lesson | None:
    """Return the lesson that comes next."""
    lessons = [lesson for topic in TOPICS for lesson in topic.lessons]
    places = [n for n, lesson in enumerate(lessons) if lesson.code == code]
    return lessons[places[0] + 1] if places and places[0] + 1 < len(lessons) else None
