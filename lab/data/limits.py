"""How much of a file is read before it is refused; generous for text that a model can learn from."""

FILE_BYTES = 2 * 2**30
HUB_BYTES, HUB_FILES = 4 * 2**30, 200  # of a data set of the Hub, all files together
JSON_BYTES = 2**30  # one JSON document has to be held as a whole; JSONL and CSV do not
ROWS = 2_000_000
COLUMNS = 500
CELL_CHARACTERS = 1_000_000
LINE_CHARACTERS = 16 * 2**20
DEPTH = 64
RAGGED_SHARE = 0.01  # of the rows of a CSV file may have another number of cells; they are left out and counted
DECODED_BYTES = 2 * 2**30  # of a Parquet file or of the texts in a zip, whatever its size on disk
ARCHIVE_MEMBERS = 100_000
ARCHIVE_RATIO = 100  # bytes unpacked for one byte packed
SENTENCE_WORDS = 100_000  # of a CoNLL file
LABELS = 1000  # different ones; beyond, a column holds no labels

# Of the process that reads: see `lab.runs.child.ask`.
MEMORY_BYTES = 3 * 2**30

EXAMPLES = 20  # rows shown by an inspection
SAMPLE = 500  # rows looked at to find out which column is what
SHOWN_CHARACTERS = 2000  # of one value in these rows
PROBLEMS = 50
