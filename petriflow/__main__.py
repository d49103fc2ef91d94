"""`python -m petriflow` is `petriflow`."""

from petriflow.cli import main

main()
