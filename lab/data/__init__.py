"""From a file that nobody trusts to token ids, with a report of what was read, dropped, cut and held out.

The order of the work: `readers` -> `kinds` (which column is what) -> `clean` -> `templates` -> `tokens` ->
`split`. `prepare` does all of it and leaves a data set on disk; `opening` hands examples to a training. Only
`child`, a throw-away process with limits, ever parses the bytes of a person's file.
"""
