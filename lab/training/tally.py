"""What every Trainer of the lab besides that of language models does alike: counting, taking up, pausing the clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import TrainerState

from lab.training.measure import Pace


class Tally:
    """Mixed into a Trainer: counts of what was trained on, a checkpoint put in place, saving without the clock."""

    pace: Pace
    tokens: int
    examples: int

    def take_counts(self) -> tuple[int, int]:
        """Real tokens and examples trained on since the last call; a reference model's passes are not counted."""
        counts, self.tokens, self.examples = (self.tokens, self.examples), 0, 0
        return counts

    def take_up(self, checkpoint: Path) -> None:
        """Put the weights and the record of a checkpoint in place without training on."""
        trainer: Any = self
        trainer._load_from_checkpoint(str(checkpoint))
        trainer.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        with self.pace.paused():
            super()._save_checkpoint(model, trial)  # type: ignore[misc]  # the Trainer's
