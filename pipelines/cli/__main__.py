"""`python -m pipelines.cli`: the `hub` command where it is not on the PATH."""

from pipelines.cli import main

raise SystemExit(main())
