"""Which settings go together; one file per area, each with a function `conflicts(spec)`."""
