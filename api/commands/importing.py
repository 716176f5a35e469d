"""`tocsin import`: series of real devices become a recording."""

from pathlib import Path
from typing import Annotated

import typer

from api.commands.options import JsonOption


def import_(
    files: Annotated[list[Path], typer.Argument(help="CSV or Parquet files, any number.")],
    mapping: Annotated[
        Path, typer.Option("--map", help="Mapping file: what the columns mean (docs/import.md).")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the recording.")],
    is_json: JsonOption = False,
) -> int:
    """Turn series of real devices into a recording, so that rules run on them.

    Long or wide tables, any time zone and unit. Missing, repeated and impossible values are
    kept and counted: the platform flags them as it would flag a live device's. Only values
    without a moment or a device are left out, and counted too.

    For example:

        tocsin import --map examples/import/pressure.yaml examples/import/pressure.csv --out r1

        tocsin import --map map.yaml scada/*.parquet --out recordings/scada --json
    """
    import json
    import sys
    import time

    from api.commands.checks import check_folder
    from api.importing.writing import import_series

    check_folder("--out", out)
    began_s = time.monotonic()
    done = import_series(mapping, files, out)
    wall_s = time.monotonic() - began_s
    summary = {**done.summary(), "wall_s": round(wall_s, 3)}
    if is_json:
        sys.stdout.write(json.dumps(summary, indent=1) + "\n")
        return 0
    found = summary["found"]
    typer.echo(
        f"{found['rows']:,} values of {summary['devices']:,} devices from {summary['start']} over "
        f"{summary['duration_s'] / 3600:,.1f} h, tick {summary['tick_s']} s, "
        f"{summary['truths']} labelled incidents"
    )
    typer.echo(
        f"kept and flagged: {found['missing']:,} missing, {found['duplicates']:,} repeated, "
        f"{found['out_of_range']:,} out of range, {found['out_of_order']:,} out of order"
    )
    typer.echo(
        f"left out: {found['no_time']:,} without a moment, {found['wild_time']:,} at an absurd "
        f"one, {found['no_device']:,} without a mapped device, {found['ragged']:,} broken lines"
    )
    if found["unmapped"]:
        typer.echo(f"not mapped: {', '.join(found['unmapped'])}")
    if found["wild_received"]:
        typer.echo(f"received at an absurd moment, taken as not late: {found['wild_received']:,}")
    for note in found["notes"]:
        typer.echo(f"note: {note}")
    rate = found["rows"] / wall_s if wall_s > 0 else 0.0
    typer.echo(f"recording: {out}  ({wall_s:.1f} s, {rate:,.0f} values/s)")
    return 0
