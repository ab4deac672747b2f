"""A campaign of the contract in a process of its own, which an engine may abort: HOME, engine and options as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from executor_contract import make_campaign

from budgetsim.measure import run_campaign
from budgetsim.measure.wording import word


def main(home: str, engine: str, options: str) -> None:
    """Run it; a line a notice, and what it came to as the last one."""
    campaign = make_campaign(Path(home), engine, **json.loads(options))
    outcome = run_campaign(campaign, lambda notice: print(word(notice), flush=True))
    print(json.dumps({"done": outcome.done, "there": outcome.there_before, "failed": len(outcome.failed)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
