"""Public threads about log-determinants, and what a check says of each, made again.

No code is taken from them: every layer is a few lines of our own that do what the thread
says. `says` is the code that is found, "pass" where the layer passes; `line` is a part of
the line that is blamed; `mended` whether an edit was run that makes the layer right.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bug_reports import formulas, right_after_all, signs_and_inverses, sums_and_counts

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Report:
    """One thread, `owner/name#number`, and its layer."""

    thread: str
    saw: str
    layer: Callable[[], Any]
    says: str
    line: str = ""
    mended: bool = False
    flags: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    is_pull: bool = False

    @property
    def address(self) -> str:
        project, number = self.thread.split("#")
        kind = "pull" if self.is_pull else "issues"
        return f"https://github.com/{project}/{kind}/{number}"

    @property
    def is_right(self) -> bool:
        """Whether the thread is about code that is right."""
        return self.layer.__module__ == right_after_all.__name__


S, C, F, R = signs_and_inverses, sums_and_counts, formulas, right_after_all

REPORTS = (
    Report(
        "VincentStimper/normalizing-flows#27",
        "the forward map of a whole flow subtracts what its steps report",
        S.SubtractedTotal, "LDJ104", "log_det - step", mended=True,
    ),
    Report(
        "ikostrikov/pytorch-flows#16",
        "sampling reports the log-det of the other direction",
        S.AutoregressiveBothWaysNegative, "LDJ302", "-alpha.sum(-1)", mended=True,
    ),
    Report(
        "danielward27/flowjax#208",
        "an inverse found numerically lacks the minus",
        S.BisectedInverse, "LDJ302", "self.forward(x)[1]", mended=True,
    ),
    Report(
        "bayesflow-org/bayesflow#471",
        "standardising adds log(sigma) where it should subtract it, and back",
        S.Standardise, "LDJ104", "self.spread.log()", mended=True, is_pull=True,
    ),
    Report(
        "Information-Fusion-Lab-Umass/NuX#10",
        "one log-scale with one sign for both directions",
        S.CentreAndScale, "LDJ302", "log_s.sum(-1)", mended=True,
    ),
    Report(
        "facebookincubator/flowtorch#100",
        "splines do not learn toy densities: the sign of their inverse's log-det",
        S.TwoPieces, "LDJ302", "log_slope.sum(-1)", mended=True, is_pull=True,
    ),
    Report(
        "karpathy/pytorch-normalizing-flows#5",
        "a coupling does not give back its input beyond two dims",
        S.HalvesThatMove, "LDJ301",
    ),
    Report(
        "karpathy/pytorch-normalizing-flows#10",
        "entries are taken in turns and put together as halves",
        S.HalvesThatMove, "LDJ301",
    ),
    Report(
        "phlippe/uvadlc_notebooks#57",
        "three updates of the ldj on the way forth, two on the way back",
        S.LooseEndOfTheUnitInterval, "LDJ110", "logistic.flatten(1)", mended=True,
        flags={"domain": "unit"},
    ),
    Report(
        "tensorflow/probability#238",
        "batch normalization of images counts a channel once, not its pixels",
        C.BatchNormOfImages, "LDJ102", "scale.sum()", mended=True,
    ),
    Report(
        "wohlert/semi-supervised-pytorch#21",
        "log-dets that are one number a sample are summed once more",
        C.PlanarInABatch, "LDJ106", ".sum()", mended=True,
    ),
    Report(
        "mj-will/aspire#3",
        "a log-probability with an entry for each dim, from the Jacobian of a rescaling",
        C.RescaledInputs, "LDJ202", "expand_as(x)", mended=True,
    ),
    Report(
        "sbi-benchmark/sbibm#10",
        "the library has come to sum over the event, and the caller still does",
        C.SummedAgain, "LDJ106", "dim=0", mended=True, is_pull=True, flags={"shape": 3},
        note="LDJ405 without `--shape`: with the batch second it would be right",
    ),
    Report(
        "pytorch/pytorch#121220",
        "a stack of two maps of numbers has event_dim 1 and reports (batch, 2)",
        C.StackOfTwo, "LDJ202", "torch.stack", mended=True,
    ),
    Report(
        "facebookincubator/flowtorch#107",
        "maps of numbers and of vectors are composed, their log-dets added unsummed",
        C.EntriesAndEvents, "LDJ202", is_pull=True,
    ),
    Report(
        "vislearn/FrEIA#176",
        "a sigmoid sums over one axis, and is used on images",
        C.SigmoidOfVectors, "LDJ202", "ldj.sum(1)", mended=True,
        flags={"shape": (2, 3, 4)}, is_pull=True,
    ),
    Report(
        "pymc-devs/pymc#800",
        "the log-Jacobian of all entries is added to each of them",
        C.TotalForEachEntry, "LDJ103", "x.sum(-1, keepdim=True)", mended=True,
        is_pull=True,
    ),
    Report(
        "thu-ml/tianshou#40",
        "a log-probability of (128, 6) meets one of (128, 1)",
        C.SquashedAction, "LDJ202", "1 - y**2", mended=True,
    ),
    Report(
        "gathierry/FastFlow#11",
        "a mean over channels in a log-likelihood",
        C.MeanOfChannels, "LDJ105", "mean(1)", mended=True,
    ),
    Report(
        "jaywalnut310/glow-tts#17",
        "torch.logdet of a matrix whose determinant may become negative",
        F.ConvOfSteps, "LDJ109", "torch.logdet(self.weight)", mended=True,
    ),
    Report(
        "NVIDIA/waveglow#35",
        "the loss becomes NaN; abs() of the determinant mends it",
        F.LogOfDet, "LDJ109", "torch.log(torch.det(self.weight))", mended=True,
    ),
    Report(
        "aesara-devs/aeppl#111",
        "the log of a Jacobian's determinant without abs()",
        F.FallingMap, "LDJ109", "torch.log(self.slope)", mended=True,
    ),
    Report(
        "kazewong/jim#126",
        "NaN, since the determinant is logged with its sign",
        F.LogOfDet, "LDJ109", "torch.log(torch.det(self.weight))", mended=True,
    ),
    Report(
        "pytorch/pytorch#18448",
        "logdet is -inf where slogdet is a number",
        F.UnderflowingDet, "LDJ213", "torch.log(torch.det(self.weight).abs())",
        mended=True, flags={"params": "as-is"},
        note="with `--params as-is`: moved parameters are where nothing underflows",
    ),
    Report(
        "tensorflow/models#7465",
        "the second half's log-det overwrites the first one's",
        F.OverwrittenTotal, "LDJ110", "log_diff = self.scaled(x, self.second)",
        mended=True,
    ),
    Report(
        "rail-berkeley/rlkit#37",
        "log(1 - y² + 1e-6) where a stable formula is known",
        F.CarefulTanh, "LDJ117", "1e-6", mended=True,
    ),
    Report(
        "didriknielsen/survae_flows#12",
        "-inf where tanh has saturated",
        F.SaturatedTanh, "pass", is_pull=True,
        note="not found: only where x is beyond 18, and inputs are drawn nearer to 0; "
        "`--domain interval:18:25` shows it",
    ),
    Report(
        "danielward27/flowjax#170",
        "a planar flow with a leaky ReLU is right on one side only",
        F.PlanarWithLeakyReLU, "LDJ116", "psi =", mended=True, is_pull=True,
    ),
    Report(
        "MachineLearningLifeScience/stochman#10",
        "the Jacobian of a leaky ReLU is that of a ReLU",
        F.LeakyAsIfCut, "LDJ116", "(x > 0)",
    ),
    Report(
        "aesara-devs/aeppl#30",
        "the Jacobian is taken at the transformed value",
        F.JacobianOfTheValue, "LDJ112", "cosh(y)", mended=True, is_pull=True,
    ),
    Report(
        "google-deepmind/rlax#54",
        "the correction of a squashed action needs u, and is given the action",
        F.DerivativeAtTheAction, "LDJ112", "softplus(-2 * a)", mended=True,
    ),
    Report(
        "boyu-ai/Hands-on-RL#44",
        "tanh is applied twice in the correction for tanh",
        F.TanhTwice, "LDJ112", "torch.tanh(action)", mended=True,
    ),
    Report(
        "pyro-ppl/pyro#2384",
        "the log-det of another input, from a cache",
        F.RememberedLogDet, "LDJ211", "return self.cached", mended=True, is_pull=True,
    ),
    Report(
        "rtqichen/residual-flows#4",
        "the exact trace has the coefficients of another series",
        F.PowerSeriesOfNeumann, "LDJ199", is_pull=True,
        note="found, and no law names it",
    ),
    Report(
        "openai/spinningup#314",
        "the action is scaled to its limit, and the scale is not counted",
        F.ActionLimit, "LDJ110", mended=True,
    ),
    Report(
        "cpnota/autonomous-learning-library#139",
        "log(1 - a²) is NaN, since a is scaled beyond one",
        F.LargerThanOne, "LDJ120", "1 - action**2", mended=True,
    ),
    Report(
        "hwang-ua/inac_pytorch#1",
        "a correction for tanh where no action is squashed",
        F.CorrectionForNothing, "LDJ111", mended=True,
    ),
    Report(
        "MokkeMeguru/glow-realnvp-tutorial#2",
        "the log-det of the preprocessing, -log(256) a dim, is forgotten",
        F.PixelsToHalves, "LDJ110", "ldj = self.log_scale.sum()", mended=True,
    ),
    Report(
        "TuringLang/Bijectors.jl#375",
        "both directions disagree by 1e-5 far out, where y is lost to rounding",
        F.TruncatedFarOut, "pass",
        note="not found: what float64 loses 25 nats away is within the error model",
    ),
    Report(
        "riannevdberg/sylvester-flows#8",
        "log|x + 1| should be log(|x| + 1)",
        R.Sylvester, "pass",
    ),
    Report(
        "NVIDIA/waveglow#231",
        "exp(log_s) multiplies, and log_s is what is counted",
        R.LogScaleAsItIs, "pass",
    ),
    Report(
        "chrischute/real-nvp#15",
        "the inverse should subtract t first",
        R.ShiftThenScale, "pass",
    ),
    Report(
        "simonalexanderson/StyleGestures#33",
        "the log-det should be multiplied by the steps of time",
        R.ScaleAtEveryStep, "pass",
    ),
    Report(
        "TinyVolt/normalizing-flows#1",
        "log-scales are summed, with neither exp nor product",
        R.CheckerboardScale, "pass",
    ),
    Report(
        "pytorch/pytorch#62404",
        "every log_abs_det_jacobian has the wrong sign",
        R.SoftplusTransform, "pass",
    ),
    Report(
        "gpapamak/maf#5",
        "the scale is missing in u², or there twice",
        R.Precision, "pass",
    ),
    Report(
        "tensorflow/probability#554",
        "an LU matrix lacks the factor h·w of a 1x1 convolution",
        R.MatrixOfVectors, "pass", note="the layer is one of vectors",
    ),
    Report(
        "pytorch/pytorch#22060",
        "the log-det of exp should be summed over the last axis",
        R.ExpOfNumbers, "pass",
    ),
)  # fmt: skip
"""In the order of the page: the mistakes first."""
