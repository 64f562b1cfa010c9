"""Training a torch module on any inputs, the same way each time."""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attar.core.inputs import Inputs


def train(
    build: Callable[[], nn.Module],
    inputs: Inputs,
    labels: Float[Tensor, " batch"],
    *,
    task: Literal["classification", "regression"] = "classification",
    epochs: int = 30,
    batch_size: int = 64,
    learning_rate: float = 1.5e-3,
    weight_decay: float = 1e-5,
    seed: int = 0,
    threads: int = 1,
) -> nn.Module:
    """Build a module and fit its single output by Adam under a one-cycle schedule; returned in eval mode.

    The loss is binary cross-entropy on the logit, or squared error. Same seed, same module, whatever the state of
    the global generator, which is left as found; `threads` bounds torch's threads meanwhile (results are equal
    for equal `threads`).
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = build()
            _fit(module, inputs, labels, task, epochs, batch_size, learning_rate, weight_decay)
    finally:
        torch.set_num_threads(before)
    return module.eval()


def _fit(
    module: nn.Module,
    inputs: Inputs,
    labels: Tensor,
    task: str,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
) -> None:
    loss_of = nn.BCEWithLogitsLoss() if task == "classification" else nn.MSELoss()
    optimiser = torch.optim.AdamW(module.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=True)
    batches = -(-len(inputs) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, total_steps=epochs * batches)
    module.train()
    for _ in range(epochs):
        for index in torch.randperm(len(inputs)).split(batch_size):
            optimiser.zero_grad(set_to_none=True)
            loss_of(module(*inputs.take(index).arguments())[:, 0], labels[index].float()).backward()
            nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimiser.step()
            schedule.step()
