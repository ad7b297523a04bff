from __future__ import annotations

import sys
from pathlib import Path

# the invented run that the report's own tests use
sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
