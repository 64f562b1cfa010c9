"""Questions about the rows of a table: its label column, from its other columns as they are."""

from attar.core.note import Note
from attar.core.rule_text import says_sum
from attar.core.split import random_split, test_side
from attar.domains.raw_tables.domain import RawTables
from attar.domains.raw_tables.read import RawRows
from attar.experiments.molecule_task import explained_by_sum
from attar.experiments.task import Task, check_rule, check_sides


def from_rows(table: RawRows, *, rule: str | None = None, seed: int = 0) -> Task:
    """A task from a file; `rule` is the hypothesis as text, a rule or, of numbers, a weighted sum. Without a split
    column a quarter is held out at random, by class.

    Raises `InputError` where the rule is true of every row or of none, or a split leaves one side without two rows of
    each class.
    """
    domain = RawTables.of(table.columns, table.codes)
    total = domain.read_sum(rule) if rule is not None and says_sum(rule) else None
    known = domain.read_rule(rule) if rule is not None and total is None else None
    decided: tuple[Note, ...] = ()
    if table.split is None:
        held_out = random_split(table.labels, seed=seed, stratified=table.task == "classification")
    else:
        held_out, decided = test_side(table.split, column=table.split_column or "split")
    task = Task(
        name=f"{table.source}, {table.label_column}",
        source=table.source,
        domain=domain,
        examples=tuple(map(tuple, table.codes.tolist())),
        labels=table.labels,
        task=table.task,
        test=held_out,
        rule=known,
        rule_name=rule,
        given_split=table.split is not None,
        notes=(*table.notes, *decided),
    )
    check_sides(task)
    if known is not None:
        check_rule(task)
    return task if total is None or rule is None else explained_by_sum(task, total, rule)
