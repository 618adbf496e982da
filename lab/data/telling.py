"""What is worth knowing about a file that could be read: each thing once, with its count and its first line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.data import limits
from lab.text import N_

if TYPE_CHECKING:
    from lab.data.survey import Survey


def tell(result: Survey) -> None:
    """Add what was found to the problems of the table."""
    _values(result)
    _rows(result)
    _columns(result)


def _values(result: Survey) -> None:
    table, first = result.table, result.first
    mapping = result.found.mapping if result.found else {}
    for role, count in result.empty.items():
        table.tell(
            N_("{count} row has nothing in the column {column}; it is left out.")
            if count == 1
            else N_("{count} rows have nothing in the column {column}; they are left out."),
            first[f"empty {role}"],
            count=count,
            column=mapping.get(role, role),
        )
    for role, count in result.placeholders.items():
        table.tell(
            N_("{count} row holds a word such as NULL or NA in the column {column}; it is kept as text.")
            if count == 1
            else N_("{count} rows hold a word such as NULL or NA in the column {column}; it is kept as text."),
            first[f"placeholder {role}"],
            count=count,
            column=mapping.get(role, role),
        )


def _rows(result: Survey) -> None:
    table, first = result.table, result.first
    for reason, count in result.dropped.items():
        out = N_("{count} row is left out: {reason}.") if count == 1 else N_("{count} rows are left out: {reason}.")
        table.tell(out, first[reason], count=count, reason=reason)
    if result.repeated:
        one = N_("{count} row repeats an earlier one exactly.")
        many = N_("{count} rows repeat an earlier one exactly.")
        table.tell(one if result.repeated == 1 else many, first["repeated"], count=result.repeated)


def _columns(result: Survey) -> None:
    table, found = result.table, result.found
    if "labels" in result.first:
        table.tell(
            N_("There are more than {limit:,} different labels; check that the column {column} holds classes."),
            result.first["labels"],
            limit=limits.LABELS,
            column=found.mapping.get("label") or found.mapping.get("tags", "") if found else "",
        )
    if found and found.scheme not in ("", "IOB2"):
        one = N_("The tags are in the scheme {scheme}; they become IOB2 (O, B-, I-).")
        two = N_("The tags mix the schemes IOB1 and IOB2; they become IOB2 (O, B-, I-).")
        table.tell(two if found.scheme == "mixed" else one, None, scheme=found.scheme)
    for column, sorts in result.sorts.items():
        if len(sorts) > 1:
            table.tell(
                N_("The column {column} holds values of several sorts: {sorts}."),
                None,
                column=column[:60],
                sorts=", ".join(sorted(sorts)),
            )
    if found and found.split and result.words and not result.has_split:
        table.tell(
            N_("The column {column} is not used as a split: it holds {words}."),
            None,
            column=found.split,
            words=", ".join(sorted(result.words)[:10]),
        )
