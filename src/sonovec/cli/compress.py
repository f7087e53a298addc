"""``sonovec compress``: a smaller copy of a library's vectors, or what each way to make one costs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sonovec.cli.completion import LIBRARY
from sonovec.cli.log import watched
from sonovec.cli.options import json_option, token_option
from sonovec.cli.output import print_json, print_table, warn
from sonovec.cli.tables import Column
from sonovec.errors import UsageError
from sonovec.paths import display, to_text

if TYPE_CHECKING:
    from sonovec.explore.compress_report import CompressionReport, Cost
    from sonovec.library.library import Library

COLUMNS = (
    Column("to"),
    Column("bytes"),
    Column("disk", spare=4),
    Column("recall@1", spare=2),
    Column("recall@10"),
    Column("re-ranked", spare=1),
    Column("mAP", spare=2),
    Column("probe", spare=3),
    Column("queries/s", spare=3),
    Column("note", cut="end", spare=5),
)


@click.command(short_help="Make smaller vectors, or measure what that costs.")
@click.argument("library", metavar="LIBRARY", type=LIBRARY)
@click.option(
    "--to",
    metavar="KIND",
    help="64, 128, pca-95%, float16, int8, binary, pq-16, or two joined such as 128+int8. With --report: only these, "
    "separated by commas.",
)
@click.option("--whiten", is_flag=True, help="Give every kept direction the same variance: other sounds are near then.")
@click.option("--space", default="main", show_default=True, help="The space that is compressed.")
@click.option("--name", help="Name of the new space (default: such as main_128_int8).")
@click.option("--fit-on", type=LIBRARY, help="Fit to the vectors of another library of the same encoder.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--report", "as_report", is_flag=True, help="Measure what each way costs, and change nothing.")
@click.option("--labels", metavar="COLUMN", help="With --report: classes from a column, `folder`, or `labels`.")
@click.option("--queries", type=click.IntRange(1), default=300, show_default=True, help="With --report: searches.")
@click.option("--no-indices", is_flag=True, help="With --report: leave out the indices of LanceDB and Milvus.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="With --report: also draw it, as PNG.")
@token_option
@json_option
def compress(
    library: str,
    to: str | None,
    whiten: bool,
    space: str,
    name: str | None,
    fit_on: str | None,
    seed: int,
    as_report: bool,
    labels: str | None,
    queries: int,
    no_indices: bool,
    out: Path | None,
    token: str | None,
    as_json: bool,
) -> None:
    """Make a space of smaller vectors in LIBRARY; the space that it is made of is not touched.

    The new space follows its source: what is indexed later is compressed too. Search it with
    `sonovec search QUERY -l LIBRARY --space NAME`; with `--rerank main`, the full vectors score what it finds.
    """
    from contextlib import ExitStack

    from sonovec.library.library import Library

    only_report = {"--labels": labels, "--no-indices": no_indices, "--out": out}
    if not as_report and (given := [option for option, value in only_report.items() if value]):
        raise UsageError(f"{given[0]} works only with --report; add --report")
    if as_report and name is not None:
        raise UsageError("--name is for a space that is made; --report makes none: leave one of them out")
    if to is None and not as_report:
        raise UsageError(
            "say what to compress to, such as --to 128+int8; what each way costs: sonovec compress "
            f"{shlex.quote(display(library))} --report"
        )
    with ExitStack() as stack:
        opened = stack.enter_context(Library(library, token=token))
        other = None if fit_on is None else stack.enter_context(Library(fit_on, token=token))
        if as_report:
            _report(opened, library, to, whiten, space, labels, other, not no_indices, queries, seed, out, as_json)
            return
        from sonovec.explore.compressing import compress as make

        with watched() as bar:
            made = make(opened, str(to), whiten=whiten, space=space, name=name, fit_on=other, seed=seed, progress=bar)
    if as_json:
        print_json({"library": to_text(library), **made.to_json()})
        return
    times = f"{made.source_bytes / made.bytes:.3g}"
    click.echo(
        f"{display(library)}: the space {made.space!r} has {made.tracks + made.present} tracks ({made.tracks} new), "
        f"{made.bytes} bytes a vector, {times} times fewer than {made.source!r}"
    )
    finer = f" --rerank {made.source}" if made.bytes * 16 <= made.source_bytes else ""
    click.echo(f"search it: sonovec search QUERY -l {shlex.quote(display(library))} --space {made.space}{finer}")


def _report(
    opened: Library,
    library: str,
    to: str | None,
    whiten: bool,
    space: str,
    labels: str | None,
    fit_on: Library | None,
    indices: bool,
    queries: int,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    from sonovec.explore.compress_report import KINDS, report

    if out is not None:
        from sonovec.charts import check_target

        check_target(out)
    kinds = KINDS if to is None else ("float32", *(part for part in to.split(",") if part))
    with watched() as bar:
        found = report(
            opened,
            space=space,
            kinds=kinds,
            whiten=whiten,
            labels=labels,
            fit_on=fit_on,
            indices=indices,
            queries=queries,
            seed=seed,
            progress=bar,
        )
    if out is not None:
        from sonovec.explore.compress_chart import draw

        draw(found, out)
    if as_json:
        print_json({"library": to_text(library), **found.to_json()})
        return
    print_table(COLUMNS, [_row(row) for row in found.rows], _title(found))
    for row in found.rows:
        if row.reason is not None:
            warn(f"{row.to}: not measured: {row.reason}")


def _title(found: CompressionReport) -> str:
    searched = f"{found.searched} tracks searched by {found.queries} of them"
    return f"{found.model}: {searched}, fitted to {found.fitted} other vectors"


def _row(row: Cost) -> list[object]:
    label = row.to if row.where == "space" else f"{row.where} {row.to}"
    note = "not measured" if row.reason else "knee" if row.knee else ""
    shares = (row.recall_1, row.recall_10, row.reranked_10, row.mean_average_precision, row.probe)
    told = ["" if value is None else f"{value:.3f}" for value in shares]
    sizes = ["" if value is None else f"{value:.0f}" for value in (row.bytes, row.disk_bytes)]
    speed = "" if row.queries_per_second is None else f"{row.queries_per_second:.0f}"
    return [label, *sizes, *told, speed, note]
