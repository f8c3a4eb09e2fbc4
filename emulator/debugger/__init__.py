"""The step-through debugger: a session, commands over it, panes of it, and a console in front.

Data flows downwards, and nothing prints below the console:

    console.py        reads lines, prints answers, colours, Ctrl-C          completion.py  highlight.py
    tui.py            the same commands and panes in one window (--tui)       panes/window.py
    commands/         one row a command: name, aliases, usage, help; returns an Answer (lines, JSON, stop)
      table.py        the table, abbreviations, suggestions, help
      running.py  travel.py  stopping.py  focusing.py  looking.py  info.py    the rows, by topic
      watching.py  asking.py  changing.py  explaining.py  shapes.py           watch, why, set, explain, banks
    panes/            state -> lines: pure functions of a session
      context.py  source.py  registers.py  lanes.py  tables.py  memory.py
      why.py  difference.py  explained.py  banks.py  shared.py  frames.py
    session.py        the launch, focus, stops, breakpoints, what the last stop looked like
    motion.py         step, next, finish, until, continue and their reverses, over whole warps
    stops.py          why it stopped; breakpoints
    places.py         line, label, kernel, opcode:..., file:line -> pcs     origins.py  pcs -> lines of the source
    focus.py          device, grid, block, warp, lane, thread: coordinates and words for them
    expressions.py    `%r3@5 + 4*lane`: text -> 32 values     evaluate.py  values.py
    patterns.py       32 values -> `0x40 + 4*lane`
    timeline.py       the history: snapshots, deeds of the user, seek     turn_index.py  which warp ran when
    lifetimes.py      when a warp stood still, as snapshots show
    motor.py          the one place that asks the engines: run until a time, a place, a trap, a fault
    native_places.py  the native engine that stops at places and traps

    targets.py        what one watches, asks about or sets: a register in some lanes, bytes with an owner
    watches.py        watchpoints     catches.py  catches     traps.py  which instructions may access what is watched
    recording.py      a stretch of the history once more, as records; every search in the past reads them
    causes.py         the last writer and its inputs     inputs.py  writers.py  far_writes.py  writes.py (history)
    inactive.py       why a lane does not execute     accesses.py  banks and sectors of an access
    written.py        which bytes were written, ever or since the last stop
    changes.py        what the user changes: Deeds of the history

Where something new goes:
    a command         a function with @command in a file of commands/ (a new topic is named in commands/__init__.py)
    a pane            a function (session, ...) -> list of lines in a file of panes/; colours by `paint`
    a stop            a Check of session.py, as in watches.py: asked at every instruction, or only at its traps
    a change          a Deed of timeline.py: it is replayed, and what happened after it before is forgotten

Time is the number of executed warp instructions.  What has happened stays: going back and forward again follows
the history up to its end; a change in the past begins a new one.
"""
