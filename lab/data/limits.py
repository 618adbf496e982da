"""How much of a file is read before it is refused; generous for text that a model can learn from."""

FILE_BYTES = 2 * 2**30
JSON_BYTES = 2**30  # one JSON document has to be held as a whole; JSONL and CSV do not
ROWS = 2_000_000
COLUMNS = 500
CELL_CHARACTERS = 1_000_000
LINE_CHARACTERS = 16 * 2**20
DEPTH = 64

# Of the process that reads: see `lab.runs.child.ask`.
MEMORY_BYTES = 3 * 2**30
CPU_SECONDS = 60
WALL_SECONDS = 120.0

EXAMPLES = 20  # rows shown by an inspection
SAMPLE = 500  # rows looked at to find out which column is what
SHOWN_CHARACTERS = 2000  # of one value in these rows
PROBLEMS = 50
