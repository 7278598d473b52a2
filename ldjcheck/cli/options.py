"""The options of `ldjcheck check`, in the order of its help page.

An option that concerns the check has the name and the default of a field of `Options`.
"""

from __future__ import annotations

from functools import partial

import click

from ldjcheck.cli import param_types as types
from ldjcheck.cli.sections import SectionedOption
from ldjcheck.records import CHOICES, Options

_DEFAULTS = Options()

_feed = partial(SectionedOption, section="What the layer is fed")
_call = partial(SectionedOption, section="How it is called")
_judge = partial(SectionedOption, section="How it is judged")
_write = partial(SectionedOption, section="What is written")
_show = partial(SectionedOption, section="What is shown")

CHECK_OPTIONS: tuple[click.Option, ...] = (
    _feed(
        "--shape",
        type=types.SHAPE,
        multiple=True,
        metavar="1,4,4",
        help="Event shape of one sample, without the batch; x=1,4,4 for a named input. "
        "Found out by default.",
    ),
    _feed(
        "--batch",
        type=click.IntRange(min=1),
        default=_DEFAULTS.batch,
        show_default=True,
        metavar="N",
        help="Samples per probe.",
    ),
    _feed(
        "--domain",
        type=types.DOMAIN,
        default="auto",
        metavar="KIND",
        help="Where inputs live: auto, real, unit, positive, int:0:255, interval:a:b.",
    ),
    _feed(
        "--context",
        type=types.CONTEXT,
        multiple=True,
        metavar="NAME=SHAPE[:DOMAIN]",
        help="Extra tensor argument of the call, as in t=4:positive. Repeatable.",
    ),
    _feed(
        "--inputs",
        type=types.DATA,
        metavar="FILE",
        help="Check at the samples in this .pt, .npy or .npz file; parameters then stay "
        "as they are.",
    ),
    _feed(
        "--weights",
        type=types.DATA,
        metavar="FILE",
        help="Check with the state dict in this file; parameters then stay as they are.",
    ),
    _feed(
        "--kwarg",
        type=types.KWARG,
        multiple=True,
        metavar="NAME=EXPR",
        help="Extra keyword argument of the call, in the source's own names.",
    ),
    _feed(
        "--params",
        type=click.Choice(CHOICES["params"]),
        default=_DEFAULTS.params,
        show_default=True,
        help="Move parameters off their initial values, on a copy, or leave them.",
    ),
    _feed(
        "--params-scale",
        type=types.POSITIVE,
        default=_DEFAULTS.params_scale,
        show_default=True,
        metavar="X",
        help="How far parameters are moved.",
    ),
    _feed(
        "--seed",
        type=click.IntRange(min=0, max=2**32 - 1),  # what NumPy takes, too
        default=_DEFAULTS.seed,
        show_default=True,
        metavar="N",
        help="Where all randomness comes from.",
    ),
    _feed(
        "--search",
        type=click.IntRange(min=0),
        default=_DEFAULTS.search,
        metavar="N",
        help="Look for a failing probe among N generated ones; show the smallest.",
    ),
    _call(
        "--convention",
        type=types.CONVENTION,
        default=_DEFAULTS.convention,
        metavar="NAME",
        help="Calling convention, or 'f(z, ldj, reverse) -> z, ldj'. Recognised by "
        "default.",
    ),
    _call(
        "--direction",
        type=click.Choice(CHOICES["direction"]),
        default=_DEFAULTS.direction,
        show_default=True,
        help="Which way to run it.",
    ),
    _call(
        "--mode",
        type=click.Choice(CHOICES["mode"]),
        default=_DEFAULTS.mode,
        show_default=True,
        help="Mode of the module.",
    ),
    _call(
        "--dtype",
        type=click.Choice(CHOICES["dtype"]),
        default=_DEFAULTS.dtype,
        show_default=True,
        help="Precision of the check.",
    ),
    _call(
        "--device",
        type=types.DEVICE,
        metavar="NAME",
        help="Check the layer there, as on cuda. A copy on the CPU by default.",
    ),
    _call(
        "--dims-limit",
        type=click.IntRange(min=1),
        default=_DEFAULTS.dims_limit,
        show_default=True,
        metavar="N",
        help="Most dimensions to check exactly.",
    ),
    _call(
        "--timeout",
        type=types.POSITIVE,
        default=60.0,
        show_default=True,
        metavar="S",
        help="Seconds of CPU time for a target; by the clock where it hangs.",
    ),
    _call(
        "-j",
        "--jobs",
        type=click.IntRange(min=1),
        metavar="N",
        help="Targets that are checked side by side; as many as there are cores by "
        "default.",
    ),
    _judge(
        "--kind",
        type=click.Choice(CHOICES["kind"]),
        default=_DEFAULTS.kind,
        show_default=True,
        help="What the layer is; of a model, the log_prob is checked.",
    ),
    _judge(
        "--wrt",
        type=click.Choice(CHOICES["wrt"]),
        default=_DEFAULTS.wrt,
        show_default=True,
        help="What the Jacobian is taken against.",
    ),
    _judge(
        "--atol", type=types.TOLERANCE, metavar="X", help="Allowed difference, in nats."
    ),
    _judge("--rtol", type=types.TOLERANCE, metavar="X", help="The same, relative."),
    _judge(
        "--select",
        type=types.CODES,
        multiple=True,
        metavar="CODE|NAME",
        help="Report these mistakes only; LDJ2 means all of LDJ2xx. Repeatable.",
    ),
    _judge(
        "--ignore",
        type=types.IGNORABLE,
        multiple=True,
        metavar="CODE|NAME",
        help="Let these mistakes not count. Repeatable.",
    ),
    _judge("--strict", is_flag=True, help="Let warnings fail."),
    _write(
        "--fix",
        is_flag=True,
        help="Write the verified edits to the files; else nothing is ever written.",
    ),
    _show(
        "--format",
        "formats",
        type=types.FORMAT,
        multiple=True,
        default=("text",),
        metavar="NAME[=FILE]",
        help="text, concise, json, html, github, sarif or junit; with =FILE to a file, "
        "and the text stays on the screen. Repeatable.",
    ),
    _show(
        "--plot",
        type=types.PICTURE,
        metavar="FILE",
        help="Draw the Jacobian, reported against exact, and of two dims the volume: "
        "a .png, .svg or .pdf file.",
    ),
    _show(
        "--watch",
        is_flag=True,
        help="Check again whatever a saved file touches, until Ctrl-C.",
    ),
    _show("-q", "--quiet", is_flag=True, help="The verdict line alone."),
    _show("-v", "--verbose", is_flag=True, help="All that was compared and inferred."),
    _show(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        show_default=True,
        help="Colours; auto honours NO_COLOR.",
    ),
)
