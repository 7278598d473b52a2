"""`ldjcheck.lightning.Monitor`: the monitor as a callback of Lightning (extra `lightning`)."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from ldjcheck.monitoring import Monitor as _Monitor
from ldjcheck.monitoring.listeners import Look, On

try:
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.callbacks import Callback
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "lightning":
        raise
    raise ModuleNotFoundError(
        "ldjcheck.lightning needs Lightning: pip install 'ldjcheck[lightning]'",
        name="lightning",
    ) from None

__all__ = ["Monitor"]


class Monitor(Callback):
    """Looks at a flow of the module that is trained, after every so many batches.

    The numbers of each look go to the trainer's loggers. Of several processes, the first
    one looks.

    Args:
        flow: where the module has the flow, such as `"flow"` or `"model.flow"`; None is the
            module itself.
        every: batches between two looks.
        on: what hears of each look besides, as of `ldjcheck.Monitor`.
        inputs: from a batch to what goes into the flow: x alone, or `(x, context)` with a
            dict of what goes beside it. None: the batch, or the first of several parts.
        options: what `ldjcheck.Monitor` takes further, such as `samples`.
    """

    def __init__(
        self,
        flow: str | None = None,
        every: int = 1000,
        on: On = "log",
        *,
        inputs: Callable[[Any], Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self._flow = flow
        self._inputs = inputs or _first
        self._given = {"every": every, "on": on, **options}
        _Monitor(None, **self._given)  # what cannot be is told where it is written
        self._monitor: _Monitor | None = None
        self.last: Look | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find the flow in the module that is to be trained."""
        flow = pl_module if self._flow is None else attrgetter(self._flow)(pl_module)
        self._monitor = _Monitor(flow, **self._given)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Look at the flow where it is time to; log the numbers of it."""
        if self._monitor is None or not trainer.is_global_zero:
            return
        given = self._inputs(batch)
        x, context = given if isinstance(given, tuple) else (given, {})
        look = self._monitor.step(x, **context)
        if look is None:
            return
        self.last = look
        for logger in trainer.loggers:
            logger.log_metrics(look.metrics, step=trainer.global_step)


def _first(batch: Any) -> Any:
    return batch[0] if isinstance(batch, (list, tuple)) else batch
