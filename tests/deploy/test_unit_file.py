"""The systemd unit, judged by systemd itself."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "deploy" / "terminbuch.service"
# In tenths; the exposure that systemd counts together from what a service may still do.
EXPOSURE_AT_MOST = 20

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="systemd-analyze is not installed: the unit file was not verified",
)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Return the unit as it is, but for the program: that one must exist on this machine."""
    copy = tmp_path / UNIT.name
    program = Path(sys.executable).with_name("terminbuch")
    copy.write_text(UNIT.read_text("utf-8").replace("/opt/terminbuch/bin/terminbuch", str(program)))
    return copy


def _analyse(*arguments: str | Path) -> tuple[int, str]:
    done = subprocess.run(
        ["systemd-analyze", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_systemd_understands_every_line(unit: Path) -> None:
    code, said = _analyse("verify", "--man=no", unit)

    assert (0, "") == (code, said)


def test_the_service_may_do_little_beside_its_work(unit: Path) -> None:
    code, said = _analyse(
        "security", "--offline=true", f"--threshold={EXPOSURE_AT_MOST}", "--no-pager", unit
    )

    assert 0 == code, said
