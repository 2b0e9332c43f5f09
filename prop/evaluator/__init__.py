"""The evaluator: active phases of a shard's firms in memory, judged as fills and ticks come in.

`loading` reads a firm's phases set-wise, `book` keeps them as columns, `marks` the prices of what
they hold, `passes` is one look at them, `writing` stores what changed, `shard` is what a process
holds. Nothing in memory is the truth: it is read from the database at any time, and two
processes at once write nothing twice. Contract: prop-backoffice 6.
"""
