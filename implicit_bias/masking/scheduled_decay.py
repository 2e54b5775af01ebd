r"""A mask's weight decay by any schedule over flow time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer

from implicit_bias.errors import InputError, known_options
from implicit_bias.masking.pilot import decay_strength, masked_groups
from implicit_bias.schedule import Schedule, as_schedule
from implicit_bias.validation import positive_number


@known_options
class ScheduledDecay:
    r"""Sets :math:`\alpha = \alpha_t` before every step, :math:`t = \sum \eta` over the steps made: weight_decay = 2α.

    The decay then adds up to :math:`A = \sum \eta\,\alpha_t`, which labels the theory's potentials; with momentum β of
    SGD the flow's decay is :math:`A/(1-\beta)`, as in :func:`implicit_bias.descent`. The decay of AdamW stays out of
    its averages, so it is A itself.

    Args:
        optimizer: As for :class:`~implicit_bias.masking.PILoT`. η is the learning rate of its first group with factors
            of masks, which may change.
        schedule: A schedule of :mod:`implicit_bias.schedule`, or a number for a constant strength.

    Attributes:
        time: t.

    Raises:
        InputError: If the schedule is neither; and as in :func:`~implicit_bias.masking.masked_groups`.
        UnsupportedError: As in :func:`~implicit_bias.masking.masked_groups`.
    """

    def __init__(self, optimizer: Optimizer, schedule: Schedule | float) -> None:
        self.schedule, self.time = as_schedule(schedule), 0.0
        self._set(optimizer)
        self._before = optimizer.register_step_pre_hook(self._set)
        self._after = optimizer.register_step_post_hook(self._advance)

    @property
    def alpha(self) -> float:
        """The present strength."""
        return float(self.schedule(self.time))

    def stop(self) -> None:
        """Leave the weight decay as it is from now on."""
        self._before.remove()
        self._after.remove()

    def _set(self, optimizer: Optimizer, *_: object) -> None:
        decay_strength(optimizer, self.alpha)

    def _advance(self, optimizer: Optimizer, *_: object) -> None:
        # In automatic mixed precision torch calls a fused optimizer even if gradients overflowed; it does nothing then.
        overflow = getattr(optimizer, "found_inf", None)
        if overflow is None or float(overflow) == 0:
            # Look the group up each time, since load_state_dict replaces the groups.
            self.time += float(masked_groups(optimizer)[0]["lr"])

    def state_dict(self) -> dict[str, float]:
        """The time, from which :meth:`load_state_dict` continues."""
        return {"time": self.time}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue at a saved time.

        Raises:
            InputError: If the state did not come from :meth:`state_dict`.
        """
        if state.keys() != {"time"}:
            raise InputError(f"state: expected the key 'time', got {sorted(state)}.")
        self.time = positive_number(state["time"], "time", zero_allowed=True)
