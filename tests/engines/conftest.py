"""Which engine runs a test: both, one after the other; under every schedule in turn."""

import pytest

from emulator.api.system import ENGINE_VARIABLE
from tests.engines.programs import SCHEDULES

ENGINES = ("reference", "native")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `each_engine` runs on both; if it has a schedule, the schedule decides."""
    if "each_engine" in metafunc.fixturenames and "schedule" not in metafunc.fixturenames:
        metafunc.parametrize("each_engine", ENGINES, indirect=True)


@pytest.fixture
def each_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The engine of systems that name none."""
    if "schedule" in request.fixturenames:
        engine = ENGINES[SCHEDULES.index(request.getfixturevalue("schedule")) % 2]
    else:
        engine = request.param
    monkeypatch.setenv(ENGINE_VARIABLE, engine)
    return engine
