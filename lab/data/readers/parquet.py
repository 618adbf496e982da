"""Parquet, read as plain columns: what its metadata tells other programs to do is not even looked at.

The schema's own metadata can name image features (which `datasets` would open as files or addresses) and pickled
extension types. Only columns of text, numbers, truth values, lists and structs are decoded, a few rows at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, BinaryIO

from lab.data import limits
from lab.data.files import File
from lab.data.readers.delimited import too_many_columns, too_many_rows
from lab.data.strict_json import flaw_of
from lab.data.table import Table
from lab.errors import InputError
from lab.text import N_

_BATCH = 256  # rows decoded at once
_HEADER = 64 * 2**20  # bytes of the footer's largest text


def read_parquet(file: File) -> Table:
    """The rows of a Parquet file; the line of a row is its number.

    Columns of other types (binary, dates, ...) are left out and told. Raises InputError for a file that is
    damaged, uses extension types, or decodes to more than the limits.
    """
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_memory_pool(pa.system_memory_pool())  # the others reserve room that the process may not take
    handle = open(file.path, "rb")  # noqa: SIM115  # read while rows are taken
    source = _opened(file, handle)
    if source.metadata.num_rows == 0:
        raise file.refusal(N_("{name} has no rows."), next=N_("Choose a file with rows."), name=file.name)
    if source.metadata.num_rows > limits.ROWS:
        raise too_many_rows(file, limits.ROWS + 1)
    table = Table("parquet", "utf-8", iter(()), counted="rows")
    table.columns = _columns(file, table, source.schema_arrow)
    table.rows = _rows(file, table, source, handle)
    return table


def _opened(file: File, handle: BinaryIO) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        source = pq.ParquetFile(
            handle,
            buffer_size=2**20,
            pre_buffer=False,
            thrift_string_size_limit=_HEADER,
            thrift_container_size_limit=2**20,
            schema_depth_limit=limits.DEPTH,
            arrow_extensions_enabled=False,
        )
        _ = source.schema_arrow
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, MemoryError):
            raise
        raise file.refusal(
            N_("{name} is not a readable Parquet file: {why}."),
            next=N_("Write it again; it may have been cut while it was copied."),
            name=file.name,
            why=_first_line(error),
        ) from None
    return source


def _columns(file: File, table: Table, schema: Any) -> list[str]:
    if len(schema) > limits.COLUMNS:
        raise too_many_columns(file, len(schema))
    kept: list[Any] = []
    left_out: list[Any] = []
    for field in schema:
        if schema.names.count(field.name) > 1 or not field.name:
            raise file.refusal(
                N_("Two columns are called {column}."),
                next=N_("Give every column its own name."),
                column=field.name[:60] or '""',
            )
        if _is_extension(field):
            raise file.refusal(
                N_("The column {column} has an extension type, which only other programs can read."),
                allowed=N_("Allowed: text, whole numbers, numbers, true or false, lists and structs of these."),
                next=N_("Write it as a column of text."),
                column=field.name[:60],
            )
        (kept if _is_plain(field.type) else left_out).append(field)
    for field in left_out:
        table.tell(
            N_("The column {column} is left out: its type, {type}, is neither text nor number."),
            None,
            column=field.name[:60],
            type=str(field.type)[:60],
        )
    if not kept:
        raise file.refusal(
            N_("{name} has no column of text or numbers."),
            allowed=N_("Allowed: text, whole numbers, numbers, true or false, lists and structs of these."),
            next=N_("Write the texts as a column of strings."),
            name=file.name,
        )
    return [field.name for field in kept]


def _is_extension(field: Any) -> bool:
    import pyarrow as pa

    if isinstance(field.type, pa.BaseExtensionType) or b"ARROW:extension:name" in (field.metadata or {}):
        return True
    return any(_is_extension(field.type.field(i)) for i in range(field.type.num_fields))


def _is_plain(kind: Any) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        return _is_plain(kind.value_type)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _is_plain(kind.value_type)
    if types.is_struct(kind):
        return all(_is_plain(kind.field(i).type) for i in range(kind.num_fields))
    text = types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind)
    return text or types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)


def _rows(file: File, table: Table, source: Any, handle: BinaryIO) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow as pa

    number, decoded = 0, 0
    with handle:
        batches = source.iter_batches(batch_size=_BATCH, columns=table.columns, use_threads=False)
        while True:
            try:
                batch = next(batches, None)
                if batch is None:
                    break
                batch.validate(full=True)
                decoded += batch.nbytes
                rows = batch.to_pylist()
            except MemoryError:
                raise
            except (pa.ArrowException, OSError, ValueError) as error:
                raise _damaged(file, number + 1, _first_line(error)) from None
            if decoded > limits.DECODED_BYTES:
                raise _too_large(file)
            for row in rows:
                number += 1
                yield number, _checked(file, number, row)


def _checked(file: File, number: int, row: dict[str, Any]) -> dict[str, Any]:
    flaw = flaw_of(row)
    if flaw is not None:
        raise file.refusal(flaw.by_row, number, **flaw.values)
    for name, value in row.items():
        if isinstance(value, float) and math.isnan(value):
            row[name] = None  # as pandas writes a missing value
    return row


def _damaged(file: File, row: int, why: str) -> InputError:
    return file.refusal(
        N_("The file is damaged near row {line}: {why}."),
        row,
        next=N_("Write it again; it may have been cut while it was copied."),
        why=why,
    )


def _too_large(file: File) -> InputError:
    return file.refusal(
        N_("{name} decodes to more than {limit} GiB."),
        next=N_("Split the file, or leave out columns that are not needed."),
        name=file.name,
        limit=limits.DECODED_BYTES >> 30,
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__)[:120]
