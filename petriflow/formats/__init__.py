"""Floor 3: the files of other tools."""

from petriflow.formats.pnml import read_pnml
from petriflow.formats.pnml_writer import write_pnml

__all__ = ["read_pnml", "write_pnml"]
