"""The monitor as a callback of Lightning."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch

import ldjcheck
from monitoring.flows import Coupling, Dropped, Labelled, of_likelihood

if TYPE_CHECKING:
    from torch import Tensor, nn


@pytest.mark.slow
def test_without_lightning_the_message_says_what_to_install() -> None:
    code = "import sys; sys.modules['lightning'] = None; import ldjcheck.lightning"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert run.stderr.rstrip().endswith("pip install 'ldjcheck[lightning]'")


def fitted(
    flow: nn.Module, callback: Any, batches: Any, log: list[dict[str, Any]]
) -> None:
    pytest.importorskip("lightning")
    import lightning.pytorch as pl
    from lightning.pytorch.loggers.logger import DummyLogger

    class Logger(DummyLogger):  # type: ignore[misc]  # Lightning may not be installed
        def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
            log.append({"step": step, **metrics})

    class Training(pl.LightningModule):  # type: ignore[misc]  # as above
        def __init__(self) -> None:
            super().__init__()
            self.flow = flow

        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            if isinstance(self.flow, Labelled):
                z, ldj = self.flow(*batch)
                return (0.5 * z.square().sum(dim=1) - ldj).mean()
            return of_likelihood(self.flow, batch[0])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=1e-3)

    pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        callbacks=[callback],
        logger=Logger(),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    ).fit(Training(), batches)


def loader(*tensors: Tensor) -> Any:
    dataset = torch.utils.data.TensorDataset(*tensors)
    return torch.utils.data.DataLoader(dataset, batch_size=8)


@pytest.mark.slow
def test_it_looks_after_every_so_many_batches_and_tells_the_logger() -> None:
    pytest.importorskip("lightning")
    from ldjcheck.lightning import Monitor

    log: list[dict[str, Any]] = []
    heard: list[ldjcheck.Look] = []
    callback = Monitor("flow", every=3, on=heard.append, share=None)
    fitted(Coupling(), callback, loader(torch.randn(80, 6)), log)
    assert [look.step for look in heard] == [3, 6, 9]
    assert all(look.status == "pass" for look in heard)
    told = [each for each in log if "ldj/condition_train" in each]
    assert [each["step"] for each in told] == [3, 6, 9]
    assert callback.last == heard[-1]


@pytest.mark.slow
def test_a_wrong_flow_ends_the_training_where_that_is_wanted() -> None:
    pytest.importorskip("lightning")
    from ldjcheck.lightning import Monitor

    callback = Monitor("flow", every=2, on="raise")
    with pytest.raises(ldjcheck.LdjMismatch, match="train"):
        fitted(Dropped(), callback, loader(torch.randn(80, 6)), [])


def test_a_batch_is_taken_apart_as_it_is_told() -> None:
    pytest.importorskip("lightning")
    from ldjcheck.lightning import Monitor

    heard: list[ldjcheck.Look] = []
    callback = Monitor(
        "flow",
        every=2,
        on=heard.append,
        inputs=lambda batch: (batch[0], {"y": batch[1]}),
        samples=3,
    )
    batches = loader(torch.randn(24, 6), torch.randint(10, (24,)))
    fitted(Labelled(), callback, batches, [])
    assert [look.status for look in heard] == ["pass"]
    assert len(heard[0].reported) == 3
