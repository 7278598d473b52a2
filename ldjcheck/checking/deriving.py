"""Deriving the ldj of a layer: record it, derive every step, edit, run, compare."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck import probe
from ldjcheck.checking.setting import settle_layer
from ldjcheck.compare import compare
from ldjcheck.records import DirectionMeasured, Measurement

if TYPE_CHECKING:
    from ldjcheck.checking.setting import Setting
    from ldjcheck.derivation.program import Program, Refusal
    from ldjcheck.records import Comparison, Config, Layer, Options

_FRESH = 9001  # how far the seeds of a verification are from those of the derivation


def derive_layer(layer: Layer, options: Options) -> object:
    """Return the derived ldj of a layer."""
    from ldjcheck.fixes.verify import Plans, Verification
    from ldjcheck.measure import measure_values, undisturbed, unharmed
    from ldjcheck.revision import Live

    with undisturbed(), unharmed(layer.obj):
        setting = settle_layer(layer, options)
        settled = setting.settled
        configs = probe.plan_configs(
            settled.shape, setting.others, settled.domain, options,
            has_parameters=setting.has_parameters,
        )  # fmt: skip
        measured, gradients, notes = measure_values(settled, configs)
        comparison = compare(
            Measurement(
                layer=setting.layer, calls=settled.calls, options=options,
                measured=measured, has_parameters=setting.has_parameters,
                inferred={**setting.inferred, **notes},
                float32_only=settled.float32_only,
            )
        )  # fmt: skip
        programs: list[Program | Refusal] = []
        first = measured[0]
        for side in (first.forward, first.inverse):
            if isinstance(side, DirectionMeasured) and side.exact is not None:
                programs.append(_derived(setting, configs[0], side))
        changes = tuple(
            dict.fromkeys(c for p in programs if hasattr(p, "changes") for c in p.changes)
        )
        live = Live(list(dict.fromkeys(c.file for c in changes)))
        fresh = replace(options, seed=options.seed + _FRESH)
        plan = probe.plan_configs(
            settled.shape, setting.others, settled.domain, fresh,
            has_parameters=setting.has_parameters,
        )  # fmt: skip
        verification = Verification(
            settled, comparison, Plans(closely=plan[:1], by_value=plan[1:])
        )
        residual = verification.residual(live, changes) if changes else None
    return programs, changes, residual, comparison


def _derived(
    setting: Setting, config: Config, side: DirectionMeasured
) -> Program | Refusal:
    from ldjcheck.derivation.execution import Observer, recorded
    from ldjcheck.derivation.formulas import Formulas
    from ldjcheck.derivation.program import derive_call
    from ldjcheck.measure.configuration import ready
    from ldjcheck.measure.trace import record

    settled = setting.settled
    runner, _, _ = ready(settled.workshop, settled.calls, config)
    observer = Observer()
    trace = record(runner, config, side, observer)
    assert trace is not None
    call = recorded(trace, observer.executions)
    return derive_call(call, Formulas(call))


def _is_right(comparison: Comparison) -> bool:
    return not any(v.mismatched or v.form is not None for v in comparison.verdicts)
