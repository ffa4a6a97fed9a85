"""The table: to the terminal, to Markdown, and everything that is known to JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reporting import machine
from rich.console import Console
from rich.table import Table

from helps.rows import AS_MANY, EVERYTHING, FROZEN, MEMORY, PLAIN, Row

COLUMNS = (
    "task",
    "case",
    "metric",
    "plain",
    "kNN, all examples",
    "keeps",
    "kNN, as many as memory",
    "memory",
    "keeps",
    "memory beside kNN of all",
)
NAME = "where_memory_helps"


def cells(row: Row) -> tuple[str, ...]:
    """A row's texts."""
    unit = "points" if row.metric == "accuracy" else "bits"
    digits = 1 if row.metric == "accuracy" else 3
    share = row.sides[MEMORY].kept / max(row.sides[EVERYTHING].kept, 1)
    beside = f"{row.gain:+.{digits}f} {unit} at {share:.0%} of the entries"
    everything, memory = row.kept(EVERYTHING), row.kept(MEMORY)
    told = [row.told(side) for side in (PLAIN, EVERYTHING, AS_MANY, MEMORY)]
    frozen = f" (learning nothing: {row.told(FROZEN)})" if FROZEN in row.sides else ""
    return row.task, row.case, row.metric, told[0] + frozen, told[1], everything, told[2], told[3], memory, beside


def show(console: Console, rows: Sequence[Row]) -> None:
    """Print the table."""
    table = Table(title="Where memory helps (mean ± standard deviation)", title_justify="left", title_style="bold")
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in COLUMNS[:3] else "right")
    for row in rows:
        table.add_row(*cells(row))
    console.print(table)


def keep(folder: Path, name: str, rows: Sequence[Row], seconds: float, order: Sequence[str]) -> None:
    """Put the rows of a task into the results, over those of an earlier run, and write both files."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{NAME}.json"
    kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    kept[name] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds),
        "seeds": len(rows[0].sides[MEMORY].scores),
        "machine": machine(),
        "rows": [row.plainly() | {"cells": cells(row)} for row in rows],
    }
    kept = {task: kept[task] for task in order if task in kept}
    file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    (folder / f"{NAME}.md").write_text(markdown(kept), encoding="utf-8")


def markdown(kept: dict[str, Any]) -> str:
    """The table, when each task was measured, and what was chosen for each side."""
    tasks, rows = kept.values(), [row for task in kept.values() for row in task["rows"]]
    lines = [
        "# Where memory helps",
        "",
        "Mean ± standard deviation, written by `benchmarks/where_memory_helps.py`.",
        "",
    ]
    lines += ["| " + " | ".join(COLUMNS) + " |", "|---|---|---|" + "--:|" * (len(COLUMNS) - 3)]
    lines += ["| " + " | ".join(row["cells"]) + " |" for row in rows]
    lines += ["", "| task | measured | seeds | seconds |", "|---|---|--:|--:|"]
    lines += [f"| {name} | {task['at']} | {task['seeds']} | {task['seconds']} |" for name, task in kept.items()]
    facts = {told: None for task in tasks for told in [", ".join(f"{n} {v}" for n, v in task["machine"].items())]}
    lines += ["", *facts, "", "## What was chosen, on data that nobody is tested on", ""]
    for row in rows:
        lines += [
            f"- **{row['task']}, {row['case']}** (plain: {row['plain']}{'; ' + row['note'] if row['note'] else ''})"
        ]
        lines += [f"    - {name}: `{side['chosen']}`" for name, side in row["sides"].items() if side["chosen"]]
    return "\n".join(lines) + "\n"
