"""What tests of executors compare with."""

import pytest


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """Scores of a local campaign of one worker that nobody disturbed, by run."""
    from executor_contract import make_campaign, scores

    from budgetsim.measure import run_campaign

    home = tmp_path_factory.mktemp("reference")
    run_campaign(make_campaign(home, "local", workers=1), lambda _: None)
    return scores(home)
