"""``cueco-solo`` whose training writes, after every step, what ranks must agree on.

``hashed.py FOLDER WORDS...``: a line of JSON for each step in ``FOLDER/rankN-of-M.jsonl``.
"""

import json
import sys
from pathlib import Path

from cueco_solo.cli import main


def hash_steps(folder: Path) -> None:
    from methods.agreement_worker import agreed

    from cueco_solo.training.stopping import Stopper

    stock = Stopper._step_done

    def done(self, validates: bool, last: bool) -> None:
        trainer, module = self._trainer, self._module
        found = agreed(module)
        if hasattr(module, "momentum_updater"):
            found["tau"] = str(module.momentum_updater.cur_tau)
        found["lr"] = str(trainer.optimizers[0].param_groups[0]["lr"])
        name = f"rank{trainer.global_rank}-of-{trainer.world_size}.jsonl"
        with (folder / name).open("a") as file:
            file.write(json.dumps(found) + "\n")
        stock(self, validates, last)

    Stopper._step_done = done  # type: ignore[method-assign]


if __name__ == "__main__":
    folder, *words = sys.argv[1:]
    hash_steps(Path(folder))
    sys.exit(main(words))
