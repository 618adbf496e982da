"""A setup in the form of other tools, out and in: RunSpec YAML, TRL, Axolotl, LLaMA-Factory, a script, a notebook.

What a target cannot express is listed, never dropped in silence.
"""

from lab.catalogue.exchange.export import FORMATS, Format, export
from lab.catalogue.exchange.foreign import Foreign, foreign
from lab.catalogue.exchange.imported import Imported, Note
from lab.catalogue.exchange.parts import Export, LeftOut
from lab.catalogue.exchange.read import read_setup

__all__ = [
    "FORMATS",
    "Export",
    "Foreign",
    "Format",
    "Imported",
    "LeftOut",
    "Note",
    "export",
    "foreign",
    "read_setup",
]
